import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { cacheDirectory } from '../../lib/download.js';
import { type FetchOptions, fetchModel, isModelName, modelNames } from '../../lib/models.js';
import { hasShared, shared } from '../support/shared.js';
import { serve } from './http-server.js';

const published = shared('models/imagenet');
const modelFile = 'mobilenet_v2_1.0_224_quant.tflite';
const labelsFile = 'imagenet_labels.txt';
const missing = hasShared ? null : '../shared, with models, is not here';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'mobilenetv2-models-'));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(directory, { recursive: true });
});

/** A mirror that has the published files, and counts what it is asked for. */
async function mirror() {
  const asked: string[] = [];
  const server = await serve((request, response) => {
    const name = request.url?.slice(1) ?? '';
    asked.push(name);
    response.end(readFileSync(join(published, name === labelsFile ? 'labels.txt' : name)));
  });
  return { ...server, asked };
}

describe('the table', () => {
  it('knows imagenet and nsfwjs', () => {
    expect(modelNames).toEqual(['imagenet', 'nsfwjs']);
    expect(isModelName('imagenet')).toBe(true);
    expect(isModelName('toString')).toBe(false);
  });

  it('names the known models when asked for another', async () => {
    await expect(fetchModel('resnet')).rejects.toMatchObject({
      code: 'MODEL_UNKNOWN_NAME',
      message: 'no model is called "resnet"; known: imagenet, nsfwjs',
    });
  });

  it('nsfwjs is an npm package and takes no local copy', async () => {
    expect(await fetchModel('nsfwjs')).toMatchObject({ kind: 'package', package: 'nsfwjs', preprocess: 'nsfwjs' });
    await expect(fetchModel('nsfwjs', { from: 'x' })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });
});

describe('options', () => {
  it.each([
    [null, /options: expected an object, got null/],
    [{ cachDir: 'x' }, /no option is called "cachDir"; known: cacheDir, /],
    [{ cacheDir: 5 }, /cacheDir: expected a string, got 5/],
    [{ mirror: 5 }, /mirror: expected a string, got 5/],
    [{ from: {} }, /from: expected a string, got Object/],
    [{ localOnly: 1 }, /localOnly: expected true or false, got 1/],
    [{ onProgress: 'x' }, /onProgress: expected a function, got "x"/],
  ])('%j is refused', async (options, message) => {
    await expect(fetchModel('imagenet', options as never)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(message),
    });
  });
});

describe('the cache folder', () => {
  it.skipIf(missing)('that is a file, or cannot be written, is named with what chooses another', async () => {
    const file = join(directory, 'file');
    writeFileSync(file, '');
    const from = join(published, modelFile);
    for (const cacheDir of [file, '/dev/null/cache']) {
      await expect(fetchModel('imagenet', { cacheDir, from, labels: false })).rejects.toMatchObject({
        code: expect.stringMatching(/^(INVALID_ARGUMENT)$/),
        message: expect.stringMatching(/the cache folder .* cannot be written .*MOBILENETV2_CACHE, --cache/),
      });
    }
  });

  it('is the option, else the environment variable, else the user cache folder', () => {
    vi.stubEnv('MOBILENETV2_CACHE', '');
    expect(cacheDirectory()).toMatch(/mobilenetv2/);
    vi.stubEnv('MOBILENETV2_CACHE', '/from/environment');
    expect(cacheDirectory()).toBe('/from/environment');
    expect(cacheDirectory('/from/option')).toBe('/from/option');
  });
});

/** Fetches model and labels and compares both with the published files. */
async function fetchAll(options: FetchOptions) {
  const fetched = await fetchModel('imagenet', options);
  if (fetched.kind !== 'files') throw new Error('imagenet must be files');
  expect(fetched.preprocess).toBe('tf');
  // Buffers, because vitest compares typed arrays element by element.
  expect(Buffer.from(fetched.model.bytes).equals(readFileSync(join(published, modelFile)))).toBe(true);
  expect(Buffer.from(fetched.labels?.bytes ?? []).equals(readFileSync(join(published, 'labels.txt')))).toBe(true);
}

describe('fetching imagenet', () => {
  it('offline, says how to put a local copy there', async () => {
    const server = await serve(() => undefined);
    await server.close();
    await expect(fetchModel('imagenet', { cacheDir: directory, mirror: server.url })).rejects.toMatchObject({
      code: 'MODEL_DOWNLOAD_FAILED',
      message: expect.stringMatching(
        /mobilenetv2 fetch imagenet --from mobilenet_v2_1\.0_224_quant\.tflite --labels imagenet_labels\.txt$/,
      ),
    });
  });

  it('localOnly never asks the network', async () => {
    const server = await serve((_, response) => response.end('x'));
    const options = { cacheDir: directory, mirror: server.url, localOnly: true };
    await expect(fetchModel('imagenet', options)).rejects.toMatchObject({
      code: 'MODEL_DOWNLOAD_FAILED',
      message: expect.stringContaining(`${modelFile} is missing`),
    });
    mkdirSync(join(directory, 'imagenet'));
    writeFileSync(join(directory, 'imagenet', modelFile), 'damaged');
    await expect(fetchModel('imagenet', options)).rejects.toMatchObject({ code: 'MODEL_CHECKSUM_MISMATCH' });
    await server.close();
  });

  it('refuses a mirror that serves something else', async () => {
    const server = await serve((_, response) => response.end(Buffer.alloc(3577952)));
    await expect(fetchModel('imagenet', { cacheDir: directory, mirror: server.url })).rejects.toMatchObject({
      code: 'MODEL_CHECKSUM_MISMATCH',
    });
    await server.close();
  });

  it('says when the copy in the cache is damaged and cannot be replaced', async () => {
    const server = await serve((_, response) => response.writeHead(503).end());
    mkdirSync(join(directory, 'imagenet'));
    writeFileSync(join(directory, 'imagenet', modelFile), 'damaged');
    await expect(fetchModel('imagenet', { cacheDir: directory, mirror: server.url })).rejects.toMatchObject({
      message: expect.stringMatching(/HTTP status 503 .*The copy in the cache is damaged: .* got 7 bytes/),
    });
    await server.close();
  });

  it('downloads once, then works without the network, and heals damage', async ({ skip }) => {
    if (missing) skip(missing);
    const server = await mirror();
    const progress: [number, number][] = [];
    const options = { cacheDir: directory, mirror: server.url };
    await fetchAll({ ...options, onProgress: (...args) => progress.push(args) });
    expect(progress.at(-1)).toEqual([3577952 + 27691, 3577952 + 27691]);
    expect(server.asked).toEqual([modelFile, labelsFile]);

    await fetchAll(options);
    expect(server.asked.length).toBe(2);

    const path = join(directory, 'imagenet', labelsFile);
    writeFileSync(path, readFileSync(path, 'utf8').replace('tench', 'trout'));
    await fetchAll(options);
    expect(server.asked.slice(2)).toEqual([labelsFile]);

    await server.close();
    await fetchAll(options);
  });

  it('takes local copies, and leaves labels alone when told to', async ({ skip }) => {
    if (missing) skip(missing);
    const model = await fetchModel('imagenet', {
      cacheDir: directory,
      from: join(published, modelFile),
      labels: false,
    });
    expect(model).toMatchObject({ kind: 'files', labels: null });
    const both = { cacheDir: directory, from: join(published, modelFile), labelsFrom: join(published, 'labels.txt') };
    expect(await fetchModel('imagenet', both)).toMatchObject({
      labels: { path: join(directory, 'imagenet', labelsFile) },
    });
    cpSync(directory, `${directory}-moved`, { recursive: true });
    const moved = await fetchModel('imagenet', { cacheDir: `${directory}-moved`, localOnly: true });
    expect(moved).toMatchObject({ labels: { path: join(`${directory}-moved`, 'imagenet', labelsFile) } });
    rmSync(`${directory}-moved`, { recursive: true });
  });
});
