import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasShared, readSharedJson, shared } from '../support/shared.js';
import { root, runCli } from './run-cli.js';

const missing = hasShared ? null : '../shared, with models and images, is not here';
const baboon = join(root, 'node_modules/baboon-image/baboon.png');

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'mobilenetv2-cli-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

interface Line {
  image: string;
  predictions: { index: number; label: string | null; probability: number }[];
  ms: number;
}

describe('mobilenetv2 classify', () => {
  it('prints a table of labels without colours when it is no terminal', async () => {
    const result = await runCli(['classify', baboon, '--model', 'nsfwjs', '--top', '2']);
    expect(result).toMatchObject({ status: 0, stderr: '' });
    const [head, ...rows] = result.stdout.trimEnd().split('\n');
    expect(head).toMatch(/baboon\.png {2}\d+\.\d ms$/);
    expect(rows.length).toBe(2);
    for (const row of rows) expect(row).toMatch(/^ *\d+\.\d % +(Drawing|Hentai|Neutral|Porn|Sexy) +\d/);
  });

  it('--json prints one object per image and line, best first', async () => {
    const result = await runCli(['classify', baboon, baboon, '--model', 'nsfwjs', '--json', '--threads', '1']);
    expect(result).toMatchObject({ status: 0, stderr: '' });
    const lines = result.stdout
      .trimEnd()
      .split('\n')
      .map((line): Line => JSON.parse(line));
    expect(lines.length).toBe(2);
    for (const line of lines) {
      expect(Object.keys(line)).toEqual(['image', 'predictions', 'ms']);
      expect(line.image).toBe(baboon);
      expect(line.ms).toBeGreaterThan(0);
      const probabilities = line.predictions.map(({ probability }) => probability);
      expect(probabilities).toEqual([...probabilities].sort((a, b) => b - a));
      expect(probabilities.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 4);
      expect(line.predictions.map(({ index }) => index).sort()).toEqual([0, 1, 2, 3, 4]);
    }
    expect(lines[0]?.predictions).toEqual(lines[1]?.predictions);
  });

  it('takes labels from a file and the recipe from an option', async () => {
    const labels = join(directory, 'labels.txt');
    writeFileSync(labels, 'zero\none\ntwo\nthree\nfour\n');
    const args = ['classify', baboon, '--model', 'nsfwjs', '--json', '--labels', labels];
    const [plain, stretched] = await Promise.all([runCli(args), runCli([...args, '--preprocess', 'stretch'])]);
    const names = ['zero', 'one', 'two', 'three', 'four'];
    const line: Line = JSON.parse(plain.stdout);
    for (const { index, label } of line.predictions) expect(label).toBe(names[index]);
    expect((JSON.parse(stretched.stdout) as Line).predictions).not.toEqual(line.predictions);
  });

  it('goes on after an image that is bad, and says so in the exit code', async () => {
    const noImage = join(directory, 'text.jpg');
    writeFileSync(noImage, 'this is no image');
    const absent = join(directory, 'absent.jpg');
    const result = await runCli(['classify', absent, noImage, baboon, '--model', 'nsfwjs', '--json']);
    expect(result.status).toBe(3);
    expect(result.stdout.trimEnd().split('\n').length).toBe(1);
    const [first, second, ...rest] = result.stderr.trimEnd().split('\n');
    expect(first).toMatch(/^error \[FILE_NOT_FOUND\]: .*absent\.jpg/);
    expect(second).toMatch(/^error \[IMAGE_INVALID\]: .*text\.jpg/);
    expect(rest).toEqual([]);
  });

  it('offline and without the default model, says how to get it', async () => {
    const env = { MOBILENETV2_CACHE: join(directory, 'cache'), MOBILENETV2_MIRROR: 'http://127.0.0.1:1' };
    const result = await runCli(['classify', baboon], env);
    expect(result).toMatchObject({ status: 5, stdout: '' });
    expect(result.stderr).toMatch(
      /^error \[MODEL_DOWNLOAD_FAILED\]: .*mobilenetv2 fetch imagenet --from \S+\.tflite.*\n$/,
    );
  });

  it.each([
    [['classify'], 2, /^error \[USAGE\]: missing required argument 'image'\n$/],
    [['classify', 'IMAGE', '--top', 'many'], 2, /^error \[USAGE\]: .*--top.*whole number above 0/],
    [['classify', 'IMAGE', '--threads', '0'], 2, /^error \[USAGE\]: .*--threads.*whole number above 0/],
    [
      ['classify', 'IMAGE', '--modle', 'x'],
      2,
      /^error \[USAGE\]: unknown option '--modle' \(Did you mean --model\?\)\n$/,
    ],
    [['clasify', 'IMAGE'], 2, /^error \[USAGE\]: unknown command 'clasify'/],
    [['classify', 'IMAGE', '--model', 'nsfwjs', '--preprocess', 'caffe'], 2, /^error \[INVALID_ARGUMENT\]: .*caffe/],
    [['classify', 'IMAGE', '--model', './absent.tflite'], 3, /^error \[FILE_NOT_FOUND\]: .*absent\.tflite/],
    [['classify', 'IMAGE', '--model', 'IMAGE'], 4, /^error \[MODEL_FORMAT_UNKNOWN\]: /],
  ])('%j ends with %i and one line', async (args, status, message) => {
    const result = await runCli(args.map((arg) => (arg === 'IMAGE' ? baboon : arg)));
    expect(result).toMatchObject({ status, stdout: '', stderr: expect.stringMatching(message) });
    expect(result.stderr.trimEnd().split('\n').length).toBe(1);
  });

  it('keeps control characters of names away from the terminal', async () => {
    const result = await runCli(['classify', 'a\u001b[2Jb.png', '--model', 'nsfwjs']);
    expect(result.status).toBe(3);
    expect(result.stderr).not.toContain('\u001b');
  });

  it('names the macaw and the other photos as the goldens do', async ({ skip }) => {
    if (missing) skip(missing);
    const goldens = readSharedJson<{ images: string[]; models: { uint8: { top1: number[] } } }>('goldens/goldens.json');
    const labels = shared('models/imagenet/labels.txt');
    const model = shared('models/imagenet/mobilenet_v2_1.0_224_quant.tflite');
    const images = goldens.images.map((name) => shared('images', name));
    const result = await runCli(['classify', ...images, '--model', model, '--labels', labels, '--json']);
    expect(result).toMatchObject({ status: 0, stderr: '' });
    const lines = result.stdout
      .trimEnd()
      .split('\n')
      .map((line): Line => JSON.parse(line));
    expect(lines.map(({ predictions }) => predictions[0]?.index)).toEqual(goldens.models.uint8.top1);
    expect(lines.find(({ image }) => image.endsWith('parrot.jpg'))?.predictions[0]?.label).toBe('macaw');
  });
});

describe('mobilenetv2 --help and --version', () => {
  it('explains commands, environment and exit codes', async () => {
    const { status, stdout, stderr } = await runCli(['--help']);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    for (const part of ['classify', 'fetch', 'Examples:', 'MOBILENETV2_CACHE', 'Exit codes:'])
      expect(stdout).toContain(part);
    const classify = await runCli(['classify', '--help']);
    for (const option of ['--model', '--labels', '--top', '--preprocess', '--threads', '--json']) {
      expect(classify.stdout).toContain(option);
    }
  });

  it('prints the version of package.json', async () => {
    const { version } = createRequire(import.meta.url)('../../package.json');
    expect(await runCli(['--version'])).toEqual({ status: 0, stdout: `${version}\n`, stderr: '' });
  });

  it('without a command, prints help and ends with 2', async () => {
    expect(await runCli([])).toMatchObject({ status: 2, stderr: expect.stringContaining('Usage: mobilenetv2') });
  });
});
