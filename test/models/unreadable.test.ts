/** Files and folders that exist and cannot be read. Simulated: tests may run as root, who can read everything. */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { readModel } from '../../lib/formats/index.js';
import { fetchModel } from '../../lib/models.js';
import { hasShared, shared } from '../support/shared.js';

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>();
  const refuse = async (path: string) => {
    throw Object.assign(new Error(`EACCES: permission denied, '${path}'`), { code: 'EACCES' });
  };
  return {
    ...real,
    readFile: (path: string, ...rest: []) => (path.endsWith('.tflite') ? refuse(path) : real.readFile(path, ...rest)),
    readdir: (path: string, ...rest: []) => (path.includes('locked') ? refuse(path) : real.readdir(path, ...rest)),
  };
});

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'mobilenetv2-unreadable-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

it('a directory', async () => {
  const locked = join(directory, 'locked');
  mkdirSync(locked);
  await expect(readModel(locked)).rejects.toMatchObject({
    code: 'FILE_NOT_FOUND',
    message: `${locked}: does not exist or cannot be read (EACCES)`,
  });
});

it.skipIf(!hasShared)('a model in the cache', async () => {
  const name = 'mobilenet_v2_1.0_224_quant.tflite';
  mkdirSync(join(directory, 'imagenet'));
  copyFileSync(join(shared('models/imagenet'), name), join(directory, 'imagenet', name));
  await expect(fetchModel('imagenet', { cacheDir: directory, labels: false })).rejects.toMatchObject({
    code: 'FILE_NOT_FOUND',
    message: expect.stringMatching(/^cannot read .*tflite: EACCES/),
  });
});
