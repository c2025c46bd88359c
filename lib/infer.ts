/** Tensors that callers bring themselves. */
import { canShrink, checkStillThere } from './buffers.js';
import { describe, MobileNetError } from './errors.js';
import type { NetworkInput, Tensor } from './pipeline.js';

const OWN_TYPE = { float32: Float32Array, uint8: Uint8Array, int8: Int8Array };

/**
 * The batch in the network's own type, in memory that stays; float values are quantised as the file says.
 *
 * @throws MobileNetError INVALID_ARGUMENT.
 */
export function asInput(batch: unknown, { precision, quantization }: NetworkInput): Tensor {
  const Own = OWN_TYPE[precision];
  if (batch instanceof Own) return canShrink(batch) ? new Own(batch) : batch;
  if (batch instanceof Float32Array && quantization !== null) {
    const { scale, zeroPoint } = quantization;
    const [low, result] =
      precision === 'int8' ? [-128, new Int8Array(batch.length)] : [0, new Uint8Array(batch.length)];
    for (let i = 0; i < batch.length; i++) {
      const q = Math.floor((batch[i] as number) / scale + 0.5) + zeroPoint;
      result[i] = Math.min(Math.max(q, low), low + 255); // NaN becomes 0
    }
    return result;
  }
  const own = precision === 'float32' ? '' : ` or ${precision === 'int8' ? 'an Int8Array' : 'a Uint8Array'}`;
  throw new MobileNetError('INVALID_ARGUMENT', `batch: expected a Float32Array${own}, got ${describe(batch)}`);
}

/** How many images a batch holds. @throws MobileNetError INVALID_ARGUMENT. */
export function imageCount(batch: Tensor, { height, width }: NetworkInput): number {
  const imageValues = height * width * 3;
  const count = batch.length / imageValues;
  if (Number.isInteger(count) && count > 0) return count;
  throw new MobileNetError(
    'INVALID_ARGUMENT',
    `batch: expected a multiple of ${height} x ${width} x 3 = ${imageValues} values, got ${batch.length}`,
  );
}

/** Where a call's probabilities go. */
export interface ProbabilityOutput {
  /** What is written while the call is under way: nothing that the caller could take away. */
  readonly written: Float32Array;
  /** The array that the caller gets, with what was written. @throws MobileNetError INVALID_ARGUMENT. */
  finish(): Float32Array;
}

/** What a model's calls write into. An array that no caller has seen is used again: a new one takes microseconds. */
export class ProbabilityOutputs {
  /** Longer ones are not kept. */
  static readonly #MOST_KEPT = 1 << 16;
  #spare: Float32Array | null = null;

  /** For count x classes probabilities: `given`, checked, or a new array. @throws MobileNetError INVALID_ARGUMENT. */
  take(given: unknown, count: number, classes: number): ProbabilityOutput {
    const length = count * classes;
    if (given === undefined) {
      const written = new Float32Array(length);
      return { written, finish: () => written };
    }
    if (!(given instanceof Float32Array && given.length === length)) {
      throw new MobileNetError(
        'INVALID_ARGUMENT',
        `output: expected a Float32Array of ${count} x ${classes} = ${length} values, got ${describe(given)}`,
      );
    }
    const written = this.#spare?.length === length ? this.#spare : new Float32Array(length);
    this.#spare = null;
    const finish = () => {
      if (length <= ProbabilityOutputs.#MOST_KEPT) this.#spare = written;
      checkStillThere('output', given, written.byteLength);
      given.set(written);
      return given;
    };
    return { written, finish };
  }
}
