/** Many images in one call: what becomes of each, and of those that fail. */
import type { Call } from './calls.js';
import type { ImageInput } from './decode.js';
import { describe, MobileNetError } from './errors.js';

/** What one image of many gave, or the reason why it gave nothing. */
export type ImageOutcome<Result extends object> =
  | ({ readonly image: ImageInput; readonly error?: never } & Readonly<Result>)
  | ({ readonly image: ImageInput; readonly error: MobileNetError } & { readonly [K in keyof Result]?: never });

/** An image's own failure is its outcome; the end of the whole call is not. */
export async function attempt<Result extends object>(
  call: Call,
  image: ImageInput,
  work: () => Promise<Result>,
): Promise<ImageOutcome<Result>> {
  try {
    return { image, ...(await work()) };
  } catch (error) {
    call.throwIfCancelled();
    if (!(error instanceof MobileNetError)) throw error;
    return { image, error } as ImageOutcome<Result>;
  }
}

/** @throws MobileNetError INVALID_ARGUMENT. */
export function checkImages(images: unknown, expected: string, ok: (images: unknown) => boolean): void {
  if (!ok(images)) {
    throw new MobileNetError('INVALID_ARGUMENT', `images: expected ${expected}, got ${describe(images)}`);
  }
}

/** A string and bytes are iterable too, but they are one image, not many. */
export function isIterable(images: unknown): boolean {
  if (typeof images !== 'object' || images === null || ArrayBuffer.isView(images)) return false;
  return Symbol.asyncIterator in images || Symbol.iterator in images;
}
