/** Puts a file of known size and SHA-256 in place, whole or not at all: from the network or from a local copy. */
import { createHash, randomUUID } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import envPaths from 'env-paths';
import { MobileNetError } from './errors.js';

/** A published file; its bytes are known, so that no mirror, proxy or disk can change them unnoticed. */
export interface PublishedFile {
  readonly url: string;
  readonly bytes: number;
  /** SHA-256, lower-case hexadecimal. */
  readonly sha256: string;
}

export interface DownloadOptions {
  /** Called as bytes arrive. */
  readonly onProgress?: ((received: number, total: number) => void) | undefined;
  /** Give up when nothing arrives for so long, in milliseconds. */
  readonly stallTimeout?: number | undefined;
}

const STALL_TIMEOUT = 30_000;
/** A temporary file this old (in milliseconds) was left by a process that was killed. */
const ABANDONED_AFTER = 3_600_000;
const PARTIAL = '.partial';

function checksumMismatch(what: string, file: PublishedFile, found: string): MobileNetError {
  return new MobileNetError(
    'MODEL_CHECKSUM_MISMATCH',
    `${what} is not the published ${basename(file.url)}: expected ${file.bytes} bytes with SHA-256 ${file.sha256}, got ${found}`,
  );
}

/** The file's bytes if they are the published ones, null if there is no file. Throws MODEL_CHECKSUM_MISMATCH. */
export async function readVerified(path: string, file: PublishedFile): Promise<Uint8Array | null> {
  let size: number;
  try {
    size = (await stat(path)).size;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new MobileNetError('FILE_NOT_FOUND', `cannot read ${path}: ${(cause as Error).message}`, { cause });
  }
  if (size !== file.bytes) throw checksumMismatch(path, file, `${size} bytes`);
  const bytes = await readFile(path).catch((cause: Error) => {
    throw new MobileNetError('FILE_NOT_FOUND', `cannot read ${path}: ${cause.message}`, { cause });
  });
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  if (sha256 !== file.sha256) throw checksumMismatch(path, file, `SHA-256 ${sha256}`);
  return bytes;
}

/** @throws MobileNetError INVALID_ARGUMENT when a step in the cache folder fails: it is no folder, or not ours. */
async function inCache<T>(directory: string, step: Promise<T>): Promise<T> {
  try {
    return await step;
  } catch (cause) {
    throw new MobileNetError(
      'INVALID_ARGUMENT',
      `the cache folder ${directory} cannot be written (${(cause as Error).message}); name another one with ` +
        'MOBILENETV2_CACHE, --cache or the option cacheDir',
      { cause },
    );
  }
}

async function removeAbandoned(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    if (!name.endsWith(PARTIAL)) continue;
    const path = join(directory, name);
    const age = Date.now() - ((await stat(path).catch(() => null))?.mtimeMs ?? Date.now());
    if (age > ABANDONED_AFTER) await rm(path, { force: true });
  }
}

/**
 * Writes `chunks` to a temporary file beside `path` and renames it once it is complete, verified and on disk: readers
 * and other processes that download the same file see the old state or the new one. `origin` names the source.
 */
async function writeVerified(
  path: string,
  file: PublishedFile,
  origin: string,
  chunks: AsyncIterable<Uint8Array>,
  onChunk: (received: number) => void,
): Promise<void> {
  const directory = dirname(path);
  await inCache(directory, mkdir(directory, { recursive: true }));
  await inCache(directory, removeAbandoned(directory));
  const partial = join(directory, `.${basename(path)}.${randomUUID()}${PARTIAL}`);
  const handle = await inCache(directory, open(partial, 'wx'));
  try {
    const hash = createHash('sha256');
    let received = 0;
    for await (const chunk of chunks) {
      received += chunk.byteLength;
      if (received > file.bytes) throw checksumMismatch(origin, file, 'more bytes');
      hash.update(chunk);
      await inCache(directory, handle.writeFile(chunk));
      onChunk(received);
    }
    if (received < file.bytes) {
      throw new MobileNetError('MODEL_DOWNLOAD_FAILED', `${origin} ended after ${received} of ${file.bytes} bytes`);
    }
    const sha256 = hash.digest('hex');
    if (sha256 !== file.sha256) throw checksumMismatch(origin, file, `SHA-256 ${sha256}`);
    await inCache(directory, handle.sync());
    await handle.close();
    await inCache(directory, rename(partial, path));
  } catch (error) {
    await handle.close().catch(() => undefined);
    await rm(partial, { force: true });
    throw error;
  }
}

/**
 * Downloads `file` to `path`. Redirects are followed.
 *
 * @throws MobileNetError MODEL_DOWNLOAD_FAILED (no connection, HTTP status, stalled, truncated) or
 * MODEL_CHECKSUM_MISMATCH; `path` is untouched then.
 */
export async function download(path: string, file: PublishedFile, options: DownloadOptions = {}): Promise<void> {
  const { onProgress, stallTimeout = STALL_TIMEOUT } = options;
  const controller = new AbortController();
  const stalled = () => controller.abort(new Error(`nothing arrived for ${stallTimeout / 1000} s`));
  let timer = setTimeout(stalled, stallTimeout);
  try {
    const response = await fetch(file.url, { signal: controller.signal });
    if (!response.ok || !response.body) {
      await response.body?.cancel();
      throw new Error(`HTTP status ${response.status} ${response.statusText}`.trimEnd());
    }
    await writeVerified(path, file, file.url, response.body, (received) => {
      clearTimeout(timer);
      timer = setTimeout(stalled, stallTimeout);
      onProgress?.(received, file.bytes);
    });
  } catch (cause) {
    if (cause instanceof MobileNetError) throw cause;
    // fetch hides the reason ("getaddrinfo ENOTFOUND ...") in the error's cause.
    const { message, cause: reason } = cause as Error & { cause?: { message?: string; code?: string } };
    const detail = [message, reason?.message || reason?.code].filter(Boolean).join(': ');
    throw new MobileNetError('MODEL_DOWNLOAD_FAILED', `could not download ${file.url}: ${detail}`, { cause });
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Copies the local file `from` to `path` if it is the published one.
 *
 * @throws MobileNetError FILE_NOT_FOUND or MODEL_CHECKSUM_MISMATCH; `path` is untouched then.
 */
export async function importLocal(path: string, file: PublishedFile, from: string): Promise<void> {
  const bytes = await readVerified(from, file);
  if (!bytes) throw new MobileNetError('FILE_NOT_FOUND', `no such file: ${from}`);
  await writeVerified(
    path,
    file,
    from,
    (async function* () {
      yield bytes;
    })(),
    () => undefined,
  );
}

/** The folder named models are kept in; it need not exist. */
export function cacheDirectory(cacheDir?: string): string {
  return cacheDir ?? (process.env.MOBILENETV2_CACHE || envPaths('mobilenetv2', { suffix: '' }).cache);
}
