/** Result files, which take long to measure: checked before, and written whole or not at all. */
import { randomUUID } from 'node:crypto';
import { access, constants, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { MobileNetError } from '../errors.js';

/** @throws MobileNetError INVALID_ARGUMENT naming the option when nothing can be written there. */
export async function checkCanWrite(option: string, path: string): Promise<void> {
  await naming(option, path, async () => {
    const { file, special } = await target(path);
    if (special) return access(file, constants.W_OK);
    const probe = temporary(file);
    await writeFile(probe, '', { flag: 'wx' });
    await rm(probe);
  });
}

/** By way of a file beside it, so that a program that is stopped meanwhile leaves the old file or the new one. */
export async function writeWhole(option: string, path: string, text: string): Promise<void> {
  await naming(option, path, async () => {
    const { file, special } = await target(path);
    if (special) return writeFile(file, text);
    const partial = temporary(file);
    try {
      await writeFile(partial, text, { flag: 'wx' });
      await rename(partial, file);
    } catch (error) {
      await rm(partial, { force: true });
      throw error;
    }
  });
}

/** Where a path leads; devices and pipes (`/dev/null`) are written in place. */
async function target(path: string): Promise<{ readonly file: string; readonly special: boolean }> {
  const file = await realpath(path).catch(() => path);
  const info = await stat(file).catch(() => null);
  if (info?.isDirectory()) throw new Error('is a directory, expected a file');
  return { file, special: info !== null && !info.isFile() };
}

function temporary(file: string): string {
  return join(dirname(file), `.${basename(file).slice(0, 64)}.${randomUUID()}.partial`);
}

async function naming(option: string, path: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (cause) {
    throw new MobileNetError('INVALID_ARGUMENT', `${option} ${path}: ${(cause as Error).message}`, { cause });
  }
}
