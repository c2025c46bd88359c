/** Seeded numbers and images for tests on seeded networks. */
import type { ModelSpec } from '../../lib/model-spec.js';

/** 0 ... 1, without 1. */
export function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

export type InputTensor = Float32Array | Uint8Array | Int8Array;

/** `count` noisy images in the network's own type: [-1, 1] if float, all its integers if not. */
export function seededImages(spec: ModelSpec, height: number, width: number, count = 1, seed = 1): InputTensor {
  const random = seededRandom(seed);
  const bytes = Uint8Array.from({ length: count * height * width * 3 }, () => random() * 256);
  if (spec.precision === 'uint8') return bytes;
  return spec.precision === 'int8'
    ? Int8Array.from(bytes, (b) => b - 128)
    : Float32Array.from(bytes, (b) => b / 127.5 - 1);
}
