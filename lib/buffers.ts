/**
 * Memory that callers hand over and other threads then work on. Node keeps a buffer alive for as long as native code
 * refers to it, but what its owner does with it meanwhile is not in native's hands:
 *
 * - an ArrayBuffer made with `maxByteLength` gives its pages back to the system as it shrinks, and a thread that reads
 *   there crashes the process: such bytes are copied;
 * - a transferred buffer's memory lives on in the new one, so that it is there until that one is collected. To copy
 *   every batch for that would cost more than 1 % of an inference: it is forbidden, and told when it has happened;
 * - a SharedArrayBuffer can neither shrink nor be transferred: native code works on it in place. What other threads
 *   write meanwhile can change results, and nothing else.
 */
import { types } from 'node:util';
import { MobileNetError } from './errors.js';

/** Whether the memory behind a view can be given back to the system while the view is in use. */
export function canShrink({ buffer }: ArrayBufferView): boolean {
  return (buffer as { readonly resizable?: boolean }).resizable === true; // not in Node 20's types
}

export function isShared({ buffer }: ArrayBufferView): boolean {
  return types.isSharedArrayBuffer(buffer);
}

/** @throws MobileNetError INVALID_ARGUMENT when a view lost its memory while it was worked on. */
export function checkStillThere(name: string, view: ArrayBufferView, byteLength: number): void {
  if (view.byteLength === byteLength) return;
  throw new MobileNetError(
    'INVALID_ARGUMENT',
    `${name}: its buffer was transferred or resized before the call settled; hand over a copy instead`,
  );
}
