import { debuglog } from 'node:util';
import type { ErrorCode } from '../index.js';
import { paint, printable } from './output.js';

const EXIT_INTERNAL = 1;
export const EXIT_USAGE = 2;
export const EXIT_FILE = 3;
const EXIT_MODEL = 4;
const EXIT_DOWNLOAD = 5;
export const EXIT_PLATFORM = 6;

export const EXIT_CODES_HELP = `Exit codes:
  0  everything worked
  1  a defect of this program
  2  a wrong option or argument
  3  a file is missing, an image cannot be decoded (the others still are), or
     there is no room for the output
  4  the model or its labels cannot be used
  5  a named model could not be downloaded or is not the published one
  6  the addon, the image decoder or an optional package does not work here`;

const EXIT_CODES: Record<ErrorCode, number> = {
  INVALID_ARGUMENT: EXIT_USAGE,
  FILE_NOT_FOUND: EXIT_FILE,
  IMAGE_INVALID: EXIT_FILE,
  IMAGE_TOO_LARGE: EXIT_FILE,
  MODEL_FORMAT_UNKNOWN: EXIT_MODEL,
  MODEL_CORRUPT: EXIT_MODEL,
  MODEL_UNSUPPORTED: EXIT_MODEL,
  MODEL_UNKNOWN_NAME: EXIT_MODEL,
  LABELS_INVALID: EXIT_MODEL,
  MODEL_DOWNLOAD_FAILED: EXIT_DOWNLOAD,
  MODEL_CHECKSUM_MISMATCH: EXIT_DOWNLOAD,
  DECODER_UNAVAILABLE: EXIT_PLATFORM,
  PACKAGE_MISSING: EXIT_PLATFORM,
  NATIVE_UNAVAILABLE: EXIT_PLATFORM,
  ISA_UNAVAILABLE: EXIT_PLATFORM,
  MODEL_CLOSED: EXIT_INTERNAL,
  ABORTED: EXIT_INTERNAL,
  OVERLOADED: EXIT_INTERNAL,
  INTERNAL: EXIT_INTERNAL,
};

const debug = debuglog('mobilenetv2');

/** Prints one line to stderr and returns the exit code that goes with the error. `subject`: the file it is about. */
export function reportError(error: unknown, subject = ''): number {
  debug('%o', error); // with its stack, for NODE_DEBUG=mobilenetv2
  const { message, code } = error instanceof Error ? (error as Error & { code?: string }) : { message: String(error) };
  const known = code !== undefined && Object.hasOwn(EXIT_CODES, code) ? (code as ErrorCode) : 'INTERNAL';
  const about = subject && !message.includes(subject) ? `${subject}: ` : '';
  const line = printable(`${about}${message}`.replace(/\s*\n\s*/g, ' '));
  process.stderr.write(`${paint(process.stderr, 'red', `error [${known}]:`)} ${line}\n`);
  return EXIT_CODES[known];
}
