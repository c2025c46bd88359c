import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { serve } from '../models/http-server.js';
import { hasShared, shared } from '../support/shared.js';
import { runCli } from './run-cli.js';

const published = shared('models/imagenet');
const missing = hasShared ? null : '../shared, with models, is not here';
const modelFile = 'mobilenet_v2_1.0_224_quant.tflite';
const labelsFile = 'imagenet_labels.txt';

let directory: string;
let server: Awaited<ReturnType<typeof serve>> | undefined;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'mobilenetv2-cli-'));
});
afterEach(async () => {
  await server?.close();
  server = undefined;
  rmSync(directory, { recursive: true });
});

/** `mobilenetv2 fetch imagenet` into an empty cache, from a server that answers with `listener`. */
async function fetchFrom(listener: RequestListener, ...args: string[]) {
  server = await serve(listener);
  return runCli(['fetch', 'imagenet', '--cache', directory, ...args], { MOBILENETV2_MIRROR: server.url });
}

function filesInCache(): string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter((name) => name.includes('.'));
}

const publishedFiles: RequestListener = (request, response) => {
  const name = request.url?.slice(1) === labelsFile ? 'labels.txt' : modelFile;
  response.end(readFileSync(join(published, name)));
};

describe('mobilenetv2 fetch', () => {
  it('downloads model and labels and prints where they are', async ({ skip }) => {
    if (missing) skip(missing);
    const model = join(directory, 'imagenet', modelFile);
    const labels = join(directory, 'imagenet', labelsFile);
    const result = await fetchFrom(publishedFiles);
    expect(result).toEqual({
      status: 0,
      stdout: `model   ${model}\nlabels  ${labels}\n`,
      stderr: 'downloading imagenet (3.6 MB)\n',
    });
    expect(readFileSync(model).equals(readFileSync(join(published, modelFile)))).toBe(true);

    await server?.close();
    const again = await runCli(['fetch', 'imagenet'], {
      MOBILENETV2_CACHE: directory,
      MOBILENETV2_MIRROR: server?.url,
    });
    expect(again).toEqual({ ...result, stderr: '' });
  });

  it('follows a redirect', async ({ skip }) => {
    if (missing) skip(missing);
    const result = await fetchFrom((request, response) => {
      if (request.url?.startsWith('/moved/')) {
        request.url = request.url.slice('/moved'.length);
        publishedFiles(request, response);
      } else response.writeHead(301, { location: `/moved${request.url}` }).end();
    });
    expect(result).toMatchObject({ status: 0 });
    expect(filesInCache().length).toBe(2);
  });

  it('takes local copies without a network', async ({ skip }) => {
    if (missing) skip(missing);
    const copies = ['--from', join(published, modelFile), '--labels', join(published, 'labels.txt')];
    const result = await fetchFrom((_, response) => response.destroy(), ...copies);
    expect(result).toMatchObject({ status: 0, stderr: '' });
    expect(filesInCache().length).toBe(2);
  });

  const failures: [string, RequestListener, string][] = [
    ['404', (_, response) => response.writeHead(404).end(), 'MODEL_DOWNLOAD_FAILED'],
    ['a truncated file', (_, response) => response.end(Buffer.alloc(1000)), 'MODEL_DOWNLOAD_FAILED'],
    ['a wrong file', (_, response) => response.end(Buffer.alloc(3577952)), 'MODEL_CHECKSUM_MISMATCH'],
    ['no answer', (request) => request.destroy(), 'MODEL_DOWNLOAD_FAILED'],
  ];
  it.each(failures)('%s: exit code 5, one line on stderr, nothing left behind', async (_, listener, code) => {
    const result = await fetchFrom(listener);
    expect(result).toMatchObject({ status: 5, stdout: '' });
    const errors = result.stderr.split('\n').filter((line) => line && !line.startsWith('downloading'));
    expect(errors).toEqual([expect.stringMatching(new RegExp(`^error \\[${code}\\]: `))]);
    if (code === 'MODEL_DOWNLOAD_FAILED') expect(errors[0]).toContain('mobilenetv2 fetch imagenet --from');
    expect(filesInCache()).toEqual([]);
  });

  it('refuses a local copy that is not the published file, or missing', async () => {
    const file = join(directory, 'wrong.tflite');
    writeFileSync(file, 'not a model');
    const wrong = await runCli(['fetch', 'imagenet', '--cache', join(directory, 'cache'), '--from', file]);
    expect(wrong).toMatchObject({ status: 5, stderr: expect.stringContaining('[MODEL_CHECKSUM_MISMATCH]') });
    const none = await runCli(['fetch', 'imagenet', '--cache', join(directory, 'cache'), '--from', `${file}x`]);
    expect(none).toMatchObject({ status: 3, stderr: expect.stringContaining('[FILE_NOT_FOUND]') });
    expect(filesInCache()).toEqual(['wrong.tflite']);
  });

  it('names the models it knows', async () => {
    expect(await runCli(['fetch', 'resnet'])).toMatchObject({
      status: 4,
      stderr: 'error [MODEL_UNKNOWN_NAME]: no model is called "resnet"; known: imagenet, nsfwjs\n',
    });
  });

  it('nsfwjs needs no download', async () => {
    expect(await runCli(['fetch', 'nsfwjs'])).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('npm install'),
    });
  });
});
