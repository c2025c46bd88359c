import { MobileNetError } from '../errors.js';

/** Throws MODEL_CORRUPT: something in the file cannot be. The message names what was being read. */
export function corrupt(message: string, cause?: unknown): never {
  throw new MobileNetError('MODEL_CORRUPT', message, cause === undefined ? undefined : { cause });
}

/** Throws MODEL_UNSUPPORTED: a valid file of something this engine does not run. */
export function unsupported(message: string): never {
  throw new MobileNetError('MODEL_UNSUPPORTED', message);
}

/**
 * Why one operator does not fit, thrown inside a reader and kept in its node: whether it is the first operator that
 * does not fit is for the matcher to say.
 */
export class Unfit extends Error {}

/** Puts the name of what is being read in front of every MobileNetError's message. */
export function naming<T>(name: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof MobileNetError)) throw error;
    throw new MobileNetError(error.code, `${name}: ${error.message}`, { cause: error });
  }
}
