import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { download, importLocal } from '../../lib/download.js';
import { serve } from './http-server.js';

const content = Buffer.alloc(200_000, 'MobileNetV2 ');
const sha256 = createHash('sha256').update(content).digest('hex');

let directory: string;
let path: string;
let server: Awaited<ReturnType<typeof serve>> | undefined;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'mobilenetv2-download-'));
  path = join(directory, 'cache', 'model.bin');
});
afterEach(async () => {
  await server?.close();
  server = undefined;
  rmSync(directory, { recursive: true });
});

async function published(listener: RequestListener) {
  server = await serve(listener);
  return { url: `${server.url}/model.bin`, bytes: content.length, sha256 };
}

/** Nothing is left of a failed download: neither the file nor its temporary one. */
function expectNothingLeft() {
  let names: string[] = [];
  try {
    names = readdirSync(join(directory, 'cache'));
  } catch {
    // not even the folder was made
  }
  expect(names).toEqual([]);
}

describe('download', () => {
  it('stores the file and reports progress up to its size', async () => {
    const file = await published((_, response) => response.end(content));
    const seen: [number, number][] = [];
    await download(path, file, { onProgress: (received, total) => seen.push([received, total]) });
    expect(readFileSync(path).equals(content)).toBe(true);
    expect(readdirSync(join(directory, 'cache'))).toEqual(['model.bin']);
    expect(seen.at(-1)).toEqual([content.length, content.length]);
    expect(seen).toEqual([...seen].sort((a, b) => a[0] - b[0]));
  });

  it('follows redirects', async () => {
    const file = await published((request, response) => {
      if (request.url === '/elsewhere') response.end(content);
      else response.writeHead(302, { location: '/elsewhere' }).end();
    });
    await download(path, file);
    expect(readFileSync(path).equals(content)).toBe(true);
  });

  it('downloads at the same time into one whole file', async () => {
    const file = await published((_, response) => response.end(content));
    await Promise.all(Array.from({ length: 8 }, () => download(path, file)));
    expect(readdirSync(join(directory, 'cache'))).toEqual(['model.bin']);
    expect(readFileSync(path).equals(content)).toBe(true);
  });

  it('keeps the old file when the new one cannot be had', async () => {
    const file = await published((_, response) => response.writeHead(500).end());
    mkdirSync(join(directory, 'cache'));
    writeFileSync(path, 'old');
    await expect(download(path, file)).rejects.toMatchObject({ code: 'MODEL_DOWNLOAD_FAILED' });
    expect(readFileSync(path, 'utf8')).toBe('old');
  });

  it('removes what a killed process left, but not what another one is writing', async () => {
    const file = await published((_, response) => response.end(content));
    mkdirSync(join(directory, 'cache'));
    const old = join(directory, 'cache', '.model.bin.a.partial');
    writeFileSync(old, 'half');
    utimesSync(old, 1, 1);
    writeFileSync(join(directory, 'cache', '.model.bin.b.partial'), 'half');
    await download(path, file);
    expect(readdirSync(join(directory, 'cache')).sort()).toEqual(['.model.bin.b.partial', 'model.bin']);
  });

  const failures: [string, RequestListener, string, RegExp][] = [
    [
      'a status',
      (_, response) => response.writeHead(404).end('no'),
      'MODEL_DOWNLOAD_FAILED',
      /HTTP status 404 Not Found/,
    ],
    [
      'a connection closed early',
      (_, response) => {
        response.writeHead(200, { 'content-length': content.length });
        response.write(content.subarray(0, 1000), () => response.destroy());
      },
      'MODEL_DOWNLOAD_FAILED',
      /could not download http/,
    ],
    [
      'fewer bytes than published',
      (_, response) => response.end(content.subarray(0, 1000)),
      'MODEL_DOWNLOAD_FAILED',
      /ended after 1000 of 200000 bytes/,
    ],
    [
      'more bytes than published',
      (_, response) => response.end(Buffer.concat([content, content])),
      'MODEL_CHECKSUM_MISMATCH',
      /expected 200000 bytes .* got more bytes/,
    ],
    [
      'one flipped bit',
      (_, response) => {
        const flipped = Buffer.from(content);
        flipped[100_000]! ^= 1;
        response.end(flipped);
      },
      'MODEL_CHECKSUM_MISMATCH',
      /is not the published model\.bin: expected .* got SHA-256/,
    ],
  ];
  it.each(failures)('refuses %s and leaves nothing behind', async (_, listener, code, message) => {
    const file = await published(listener);
    await expect(download(path, file)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
    expectNothingLeft();
  });

  it('gives up on a server that stalls', async () => {
    const file = await published((_, response) => void response.write(content.subarray(0, 1000)));
    await expect(download(path, file, { stallTimeout: 200 })).rejects.toMatchObject({
      code: 'MODEL_DOWNLOAD_FAILED',
      message: expect.stringContaining('nothing arrived for 0.2 s'),
    });
    expectNothingLeft();
  });

  it('names the reason when there is no connection', async () => {
    const file = await published(() => undefined);
    await server?.close();
    await expect(download(path, file)).rejects.toMatchObject({
      code: 'MODEL_DOWNLOAD_FAILED',
      message: expect.stringContaining('ECONNREFUSED'),
    });
    expectNothingLeft();
  });
});

describe('importLocal', () => {
  const file = { url: 'https://example.org/model.bin', bytes: content.length, sha256 };

  it('copies the published file', async () => {
    writeFileSync(join(directory, 'copy'), content);
    await importLocal(path, file, join(directory, 'copy'));
    expect(readFileSync(path).equals(content)).toBe(true);
  });

  it('refuses another file and a missing one', async () => {
    writeFileSync(join(directory, 'copy'), 'something else');
    await expect(importLocal(path, file, join(directory, 'copy'))).rejects.toMatchObject({
      code: 'MODEL_CHECKSUM_MISMATCH',
    });
    await expect(importLocal(path, file, join(directory, 'none'))).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' });
    expectNothingLeft();
  });
});
