/** Images as vectors: what the network pools before its classifier, or the mean over any block's output. */
import type { CompiledModel, Path } from './compile/ops.js';
import { describe, MobileNetError } from './errors.js';
import { checkBoolean, checkInteger, type EmbedOptions } from './options.js';

/** Which vector is wanted: {@link EmbedOptions} checked once per call. */
export interface EmbeddingPlan {
  readonly path: Path;
  readonly channels: number;
  readonly normalize: boolean;
}

/** @throws MobileNetError INVALID_ARGUMENT naming the option. */
export function planEmbedding({ layer, normalize = false }: EmbedOptions, model: CompiledModel): EmbeddingPlan {
  const kinds = model.ops.map(({ op }) => op.kind);
  const blocks = kinds.filter((kind) => kind === 'invertedResidual').length;
  const scaled = checkBoolean('normalize', normalize);
  if (layer === undefined) {
    const pool = kinds.indexOf('globalAveragePool');
    return { path: pathTo(pool, 'pool'), channels: channelsOf(model, pool), normalize: scaled };
  }
  const block = checkInteger('layer', layer, 1, blocks); // op 0 is the stem
  return { path: pathTo(block, `block ${block}`), channels: channelsOf(model, block), normalize: scaled };
}

function pathTo(op: number, name: string): Path {
  return { name: `embed ${name}`, ops: Array.from({ length: op + 1 }, (_, i) => i), outputs: [op] };
}

function channelsOf(model: CompiledModel, index: number): number {
  const op = model.ops[index]?.op;
  if (op?.kind === 'invertedResidual') return op.project.outChannels;
  if (op?.kind === 'globalAveragePool') return op.pool.channels;
  throw new MobileNetError('INTERNAL', `op ${index} has no vector`);
}

/** The mean over the pixels of a map of pixels x channels values; a pooled one has a single pixel. */
export function meanOverPixels(map: Float32Array, channels: number): Float32Array {
  if (map.length === channels) return map;
  const sums = new Float64Array(channels);
  for (let i = 0; i < map.length; i += channels) {
    for (let c = 0; c < channels; c++) sums[c]! += map[i + c]!;
  }
  const pixels = map.length / channels;
  return Float32Array.from(sums, (sum) => sum / pixels);
}

/** Scales a vector to length 1, in place; a vector of zeros stays one. */
export function normalizeL2(vector: Float32Array): Float32Array {
  let squares = 0;
  for (const value of vector) squares += value * value;
  const length = Math.sqrt(squares);
  if (length > 0) for (let i = 0; i < vector.length; i++) vector[i]! /= length;
  return vector;
}

/**
 * The cosine of the angle between two vectors: 1 for the same direction, 0 for none in common, -1 for opposite ones; 0
 * when one is all zeros. The vectors need not be normalised.
 *
 * @throws MobileNetError INVALID_ARGUMENT unless both are arrays of numbers of the same length.
 */
export function cosineSimilarity(a: ArrayLike<number>, b: ArrayLike<number>): number {
  for (const [name, vector] of [['a', a] as const, ['b', b] as const]) {
    const ok = typeof vector === 'object' && vector !== null && typeof vector.length === 'number' && vector.length > 0;
    if (!ok) throw new MobileNetError('INVALID_ARGUMENT', `${name}: expected a vector, got ${describe(vector)}`);
  }
  if (a.length !== b.length) {
    throw new MobileNetError('INVALID_ARGUMENT', `b: expected ${a.length} values as in a, got ${b.length}`);
  }
  let dot = 0;
  let aa = 0;
  let bb = 0;
  for (let i = 0; i < a.length; i++) {
    const x = a[i] as number;
    const y = b[i] as number;
    dot += x * y;
    aa += x * x;
    bb += y * y;
  }
  return aa === 0 || bb === 0 ? 0 : Math.max(-1, Math.min(1, dot / Math.sqrt(aa * bb)));
}
