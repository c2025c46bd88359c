/** Labels: files, and the 1001/1000 offset. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { alignLabels, parseLabels, readLabelFile } from '../../lib/labels.js';
import { ClassLabels, checkSelection, selectClasses, toResult } from '../../lib/results.js';

const text = (value: string) => new TextEncoder().encode(value);

describe('a label file', () => {
  it('has one label per line, whatever ends the lines', () => {
    expect(parseLabels(text('\uFEFFcat\r\ndog \nfox, red fox\n\n'), 'f')).toEqual(['cat', 'dog', 'fox, red fox']);
  });

  it('may number its lines, all of them from 0 on', () => {
    expect(parseLabels(text('   0  background\n   1  tench, Tinca tinca\n'), 'f')).toEqual([
      'background',
      'tench, Tinca tinca',
    ]);
    expect(parseLabels(text('0 a\n2 b\n'), 'f')).toEqual(['0 a', '2 b']);
    expect(parseLabels(text('0: a\n1, b\n2\tc d\n'), 'f')).toEqual(['a', 'b', 'c d']);
    expect(parseLabels(text('0a\n1b\n'), 'f')).toEqual(['0a', '1b']);
    expect(parseLabels(text('0 a\n1\n'), 'f')).toEqual(['0 a', '1']);
  });

  it('may be JSON: an array, or metadata with labels', () => {
    expect(parseLabels(text('["a", "b"]'), 'f')).toEqual(['a', 'b']);
    expect(parseLabels(text('{"labels": ["a", "b"], "imageSize": 224}'), 'f')).toEqual(['a', 'b']);
    expect(parseLabels(text('[not json\nb'), 'f')).toEqual(['[not json', 'b']);
  });

  it.each([
    ['', /no labels/],
    ['{"labels": []}', /no labels/],
    ['["a", 3]', /label 1 is 3/],
  ])('%j is refused', (content, message) => {
    expect(() => parseLabels(text(content), 'f')).toThrow(expect.objectContaining({ code: 'LABELS_INVALID' }));
    expect(() => parseLabels(text(content), 'f')).toThrow(message);
  });

  it('must be UTF-8', () => {
    const latin1 = Uint8Array.of(0xe9, 0x0a);
    expect(() => parseLabels(latin1, 'f')).toThrow(expect.objectContaining({ code: expect.any(String) }));
  });

  describe('on disk', () => {
    let folder: string;
    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), 'mobilenetv2-labels-'));
    });
    afterAll(() => rmSync(folder, { recursive: true }));

    it.skipIf(process.platform === 'win32')(
      'must be a file: a named pipe could be waited for without end',
      async () => {
        const pipe = join(folder, 'pipe');
        execFileSync('mkfifo', [pipe]);
        await expect(readLabelFile(pipe)).rejects.toMatchObject({
          code: 'FILE_NOT_FOUND',
          message: `labels: ${pipe} is no regular file`,
        });
      },
    );

    it('of millions of lines is refused at once', async () => {
      const file = join(folder, 'flood.txt');
      writeFileSync(file, '\n0'.repeat(2 ** 20 - 4));
      await expect(readLabelFile(file)).rejects.toMatchObject({
        code: 'LABELS_INVALID',
        message: expect.stringMatching(/more lines/),
      });
      writeFileSync(file, 'a'.repeat(2 ** 21 + 1));
      await expect(readLabelFile(file)).rejects.toMatchObject({
        code: 'LABELS_INVALID',
        message: expect.stringMatching(/too many/),
      });
    });

    it('is read, and named when it is missing', async () => {
      const file = join(folder, 'labels.txt');
      writeFileSync(file, 'a\nb\n');
      expect(await readLabelFile(file)).toEqual(['a', 'b']);
      const missing = join(folder, 'none.txt');
      await expect(readLabelFile(missing)).rejects.toMatchObject({
        code: 'FILE_NOT_FOUND',
        message: expect.stringContaining(missing),
      });
    });
  });
});

describe('labels are aligned to the raw output index', () => {
  const thousand = Array.from({ length: 1000 }, (_, i) => `label ${i}`);
  const withBackground = ['background', ...thousand];

  it('as they are when their number fits', () => {
    expect(alignLabels(thousand, 1000, 'f')).toEqual(thousand);
    expect(alignLabels(withBackground, 1001, 'f')).toEqual(withBackground);
  });

  it('1000 labels for 1001 outputs: output 0 is the background', () => {
    const labels = alignLabels(thousand, 1001, 'f');
    expect([labels.length, labels[0], labels[1], labels[1000]]).toEqual([1001, 'background', 'label 0', 'label 999']);
  });

  it('1001 labels for 1000 outputs lose the background', () => {
    expect(alignLabels(withBackground, 1000, 'f')).toEqual(thousand);
  });

  it.each([
    [999, 1001],
    [1001, 999],
    [5, 3],
  ])('%i labels for %i outputs are refused', (count, classes) => {
    const labels = Array.from({ length: count }, (_, i) => `label ${i}`);
    expect(() => alignLabels(labels, classes, 'my labels')).toThrow(
      expect.objectContaining({
        code: 'LABELS_INVALID',
        message: expect.stringMatching(`my labels.*${count}.*${classes}`),
      }),
    );
  });

  it('one label too many that is no background is refused', () => {
    expect(() => alignLabels(['cat', ...thousand], 1000, 'f')).toThrow(/1001 labels/);
  });
});

describe('topK', () => {
  const best = (probabilities: Float32Array, topK: number, names: readonly string[] | null = null) => {
    const labels = new ClassLabels(probabilities.length, names);
    return toResult(probabilities, probabilities, checkSelection({ topK }, labels), labels);
  };
  const probabilities = Float32Array.of(0.1, 0.3, 0.05, 0.3, 0.25);

  it('is ordered, and of equal ones the lower index comes first', () => {
    expect(best(probabilities, 3)).toEqual([
      { index: 1, label: null, probability: Math.fround(0.3) },
      { index: 3, label: null, probability: Math.fround(0.3) },
      { index: 4, label: null, probability: 0.25 },
    ]);
  });

  it('gives all classes when asked for more, each with its label', () => {
    expect(best(probabilities, 99, ['a', 'b', 'c', 'd', 'e'])).toMatchObject(
      ['b', 'd', 'e', 'a', 'c'].map((label) => ({ label })),
    );
  });

  it('agrees with sorting, ties included', () => {
    let state = 1;
    const values = Float32Array.from({ length: 500 }, () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return (state >>> 27) / 32;
    });
    const sorted = [...values.keys()].sort((a, b) => (values[b] as number) - (values[a] as number) || a - b);
    const selection = checkSelection({ topK: 40 }, new ClassLabels(500, null));
    expect(selectClasses(values, selection)).toEqual(sorted.slice(0, 40));
  });
});
