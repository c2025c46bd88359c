/** Inputs to measure on. */
import type { Precision } from '../model-spec.js';

interface InputFacts {
  readonly precision: Precision;
  readonly input: { readonly height: number; readonly width: number };
}

export type InputBatch = Float32Array | Uint8Array | Int8Array;

/** `images` images of zeros in the network's input type. */
export function emptyInput({ precision, input }: InputFacts, images: number): InputBatch {
  const length = images * input.height * input.width * 3;
  if (precision === 'uint8') return new Uint8Array(length);
  if (precision === 'int8') return new Int8Array(length);
  return new Float32Array(length);
}

/** `images` images of seeded noise over the whole range of the network's input type; floats in [-1, 1]. */
export function randomInput(network: InputFacts, images: number): InputBatch {
  const batch = emptyInput(network, images);
  const float = batch instanceof Float32Array;
  let state = 1;
  for (let i = 0; i < batch.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const byte = state >>> 24;
    batch[i] = float ? byte / 127.5 - 1 : byte; // an Int8Array wraps
  }
  return batch;
}
