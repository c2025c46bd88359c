/** Real data that lies beside a development checkout, when it does. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const repositoryRoot = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

const folder = join(dirname(repositoryRoot), 'shared');

/** Tests that need it: `describe.skipIf(!hasShared)(...)` under a title that says so. */
export const hasShared = existsSync(join(folder, 'goldens', 'goldens.json'));

export const needsShared = hasShared ? '' : ' (skipped: ../shared, with models and reference outputs, is not here)';

export function shared(...path: string[]): string {
  return join(folder, ...path);
}

export function readShared(...path: string[]): Uint8Array {
  return readFileSync(shared(...path));
}

export function readSharedJson<T>(...path: string[]): T {
  return JSON.parse(readFileSync(shared(...path), 'utf8')) as T;
}

/** A shared file of little-endian float32 values. */
export function readSharedFloats(...path: string[]): Float32Array {
  const bytes = readShared(...path);
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}
