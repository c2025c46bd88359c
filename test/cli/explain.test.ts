import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { root, runCli } from './run-cli.js';

const baboon = join(root, 'node_modules/baboon-image/baboon.png');

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'mobilenetv2-explain-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

describe('mobilenetv2 explain', () => {
  it('writes a PNG of the image and says of which class', async () => {
    const out = join(directory, 'heat.png');
    const result = await runCli(['explain', baboon, '--out', out, '--model', 'nsfwjs', '--json']);
    expect(result).toMatchObject({ status: 0, stderr: '' });
    expect(JSON.parse(result.stdout)).toEqual({
      ...{ image: baboon, out, index: expect.any(Number), probability: expect.any(Number) },
      label: expect.stringMatching(/^(Drawing|Hentai|Neutral|Porn|Sexy)$/),
    });
    const { data, info } = await sharp(out).raw().toBuffer({ resolveWithObject: true });
    const photo = await sharp(baboon).removeAlpha().raw().toBuffer();
    expect([info.width, info.height, info.channels]).toEqual([512, 512, 3]);
    const changed = data.filter((value, i) => value !== photo[i]).length / data.length;
    expect(changed).toBeGreaterThan(0.05); // there is heat
    expect(changed).toBeLessThan(0.95); // and elsewhere the photo as it is
  });

  it('takes a class by label or index', async () => {
    const args = ['explain', baboon, '--out', join(directory, 'class.png'), '--model', 'nsfwjs', '--class'];
    for (const name of ['Drawing', '0']) {
      const result = await runCli([...args, name]);
      expect(result).toMatchObject({ status: 0, stderr: '' });
      expect(result.stdout).toMatch(/class\.png: Drawing \(\d+\.\d %\)\n$/);
    }
    expect(await runCli([...args, 'Baboon'])).toMatchObject({
      status: 2,
      stderr: 'error [INVALID_ARGUMENT]: --class: expected 0 ... 4 or a label, got "Baboon"\n',
    });
  });

  it('needs a place to write to', async () => {
    const { status, stderr } = await runCli(['explain', baboon]);
    expect([status, stderr]).toEqual([2, expect.stringMatching(/^error \[USAGE\]: .*--out/)]);
    writeFileSync(join(directory, 'file'), '');
    const out = join(directory, 'file', 'heat.png');
    const result = await runCli(['explain', baboon, '--out', out, '--model', 'nsfwjs']);
    expect(result.status).toBe(2);
    expect(result.stderr).toContain(`error [INVALID_ARGUMENT]: --out: cannot write ${out}`);
  });
});
