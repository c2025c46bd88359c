/** What becomes of this program when somebody closes its output, or there is no room for it. */
import { EXIT_FILE } from './errors.js';
import { printable } from './output.js';

/** The exit code that goes with the end of standard output; null while it is open. */
let ended: number | null = null;
let unfinished = 0;

/**
 * `mobilenetv2 ... | head` closes our output early; that is no error, and the work that would be printed ends. A full
 * disk is one. Without anybody who reads standard error the exit code alone tells what happened.
 */
export function watchStreams(): void {
  process.stderr.on('error', () => undefined);
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (ended !== null) return; // what is written after the first failure fails as well
    ended = error.code === 'EPIPE' ? 0 : EXIT_FILE;
    if (ended !== 0) process.stderr.write(`error [OUTPUT]: standard output: ${printable(error.message)}\n`);
    if (unfinished === 0) process.exit(ended || process.exitCode);
  });
}

/** Work whose result goes into files as well: it is done to its end, whoever closes standard output. */
export async function finishing<T>(work: () => Promise<T>): Promise<T> {
  unfinished++;
  try {
    return await work();
  } finally {
    unfinished--;
  }
}

/** The exit code of work that went as `code` says, once standard output is considered. */
export function exitCodeAfter(code: number): number {
  return code || ended || 0;
}
