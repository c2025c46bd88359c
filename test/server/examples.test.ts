/** Every file of examples/, run as its first lines say. */
import { type ChildProcess, spawn } from 'node:child_process';
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasShared, needsShared, repositoryRoot, shared } from '../support/shared.js';
import { picture } from './seeded.js';

const folder = join(repositoryRoot, 'examples');
const baboon = join(repositoryRoot, 'node_modules', 'baboon-image', 'baboon.png');
const tested = new Set<string>();

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'mobilenetv2-examples-'));
  copyFileSync(baboon, join(directory, 'baboon.png'));
  writeFileSync(join(directory, 'broken, "quoted".jpg'), 'no image');
  writeFileSync(join(directory, 'notes.txt'), 'nothing');
});
afterAll(() => rmSync(directory, { recursive: true }));

function start(name: string, ...args: string[]): ChildProcess {
  tested.add(name);
  return spawn(process.execPath, [join(folder, name), ...args], {
    cwd: repositoryRoot,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
}

async function run(name: string, args: string[], input?: Uint8Array): Promise<string> {
  const child = start(name, ...args);
  child.stdin?.end(input);
  const texts = { out: '', err: '' };
  child.stdout?.on('data', (chunk) => (texts.out += chunk));
  child.stderr?.on('data', (chunk) => (texts.err += chunk));
  const status = await new Promise((resolve) => child.once('close', resolve));
  expect({ status, stderr: texts.err }).toEqual({ status: 0, stderr: '' });
  return texts.out;
}

describe('examples', () => {
  it('folder-to-table.mjs writes CSV and JSON lines', async () => {
    const csv = (await run('folder-to-table.mjs', [directory, 'csv', 'nsfwjs'])).trimEnd().split('\n');
    expect(csv[0]).toBe('image,label,probability,error');
    expect(csv.slice(1).sort()).toEqual([
      `"${join(directory, 'broken, ""quoted"".jpg')}",,,IMAGE_INVALID`,
      expect.stringMatching(/baboon\.png,(Drawing|Hentai|Neutral|Porn|Sexy),0\.\d+,$/),
    ]);
    const lines = (await run('folder-to-table.mjs', [directory, 'jsonl', 'nsfwjs'])).trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line).error).sort()).toEqual(['IMAGE_INVALID', undefined]);
  });

  it('moderation.mjs holds back what it cannot look at', async () => {
    const broken = join(directory, 'broken, "quoted".jpg');
    const [first, second] = (await run('moderation.mjs', [baboon, broken])).split('\n');
    expect(first).toMatch(/baboon\.png: (may be shown|held back \()/);
    expect(second).toBe(`${broken}: held back, cannot be looked at (IMAGE_INVALID)`);
  });

  it('frame-stream.mjs labels frames, the last one in any case', async () => {
    const frames = Buffer.concat([1, 2, 3].map((seed) => Uint8Array.from(picture(seed, 64, 48).data)));
    const lines = (await run('frame-stream.mjs', ['64', '48', 'nsfwjs'], frames)).trimEnd().split('\n');
    expect(lines.at(-1)).toMatch(/^[123] of 3 frames$/);
    expect(lines.at(-2)).toMatch(/^frame 2: (Drawing|Hentai|Neutral|Porn|Sexy) \d+\.\d %$/);
  });

  it('worker-threads.mjs shares the work out', async () => {
    const images = [baboon, '/no/such.png', baboon, baboon];
    const lines = (await run('worker-threads.mjs', ['2', 'nsfwjs', ...images])).trimEnd().split('\n');
    expect(lines[1]).toBe('/no/such.png: FILE_NOT_FOUND');
    expect(new Set([lines[0], lines[2], lines[3]]).size).toBe(1);
  });

  it('upload-server.mjs answers uploads, refuses what is no image, and ends when told to', async () => {
    const server = start('upload-server.mjs', '0', 'nsfwjs');
    const address = await new Promise<string>((resolve, reject) => {
      server.stdout?.on('data', (chunk) => resolve(/http\S+/.exec(String(chunk))?.[0] as string));
      server.stderr?.on('data', (chunk) => reject(new Error(String(chunk))));
    });
    const post = async (body: Uint8Array | string, query = '', type = 'image/png') => {
      const headers = { 'content-type': type };
      const response = await fetch(`${address}/classify${query}`, {
        method: 'POST',
        headers,
        body: typeof body === 'string' ? body : new Uint8Array(body),
      });
      return { status: response.status, body: (await response.json()) as Record<string, unknown> };
    };
    const photo = readFileSync(baboon);
    const good = await post(photo, '?top=2');
    expect(good).toMatchObject({ status: 200, body: { predictions: [{ probability: expect.any(Number) }, {}] } });
    expect(await post(photo.subarray(0, 5000))).toMatchObject({ status: 415, body: { error: 'IMAGE_INVALID' } });
    expect(await post(photo, '?top=no')).toMatchObject({ status: 400, body: { error: 'INVALID_ARGUMENT' } });
    // A path is no upload.
    expect(await post(baboon, '', 'text/plain')).toMatchObject({ status: 415 });
    expect(await post(JSON.stringify(baboon), '', 'application/json')).toMatchObject({ status: 415 });
    server.kill('SIGTERM');
    expect(await new Promise((resolve) => server.once('exit', (...end) => resolve(end)))).toEqual([0, null]);
  });

  it.skipIf(!hasShared)(`teachable-machine.mjs reads an export${needsShared}`, async () => {
    const lines = (await run('teachable-machine.mjs', [shared('models', 'teachable-machine'), baboon])).split('\n');
    expect(lines[0]).toMatch(/^3 classes: /);
    expect(lines[1]).toMatch(/baboon\.png: .+ \([01]\.\d{3}\)$/);
  });

  it('are all tested and listed', () => {
    const files = readdirSync(folder).filter((name) => name.endsWith('.mjs'));
    expect(files.filter((name) => !tested.has(name))).toEqual(hasShared ? [] : ['teachable-machine.mjs']);
    const readme = readFileSync(join(folder, 'README.md'), 'utf8');
    expect(files.filter((name) => !readme.includes(`[${name}](${name})`))).toEqual([]);
  });
});
