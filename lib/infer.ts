/** Tensors that callers bring themselves. */
import { describe, MobileNetError } from './errors.js';
import type { NetworkInput, Tensor } from './pipeline.js';

/**
 * The batch in the network's own type; float values are quantised as the file says.
 *
 * @throws MobileNetError INVALID_ARGUMENT.
 */
export function asInput(batch: unknown, { precision, quantization }: NetworkInput): Tensor {
  if (precision === 'float32' && batch instanceof Float32Array) return batch;
  if (precision === 'uint8' && batch instanceof Uint8Array) return batch;
  if (precision === 'int8' && batch instanceof Int8Array) return batch;
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

/** `given`, checked, or a new array for count x classes probabilities. @throws MobileNetError INVALID_ARGUMENT. */
export function outputFor(given: unknown, count: number, classes: number): Float32Array {
  const length = count * classes;
  if (given === undefined) return new Float32Array(length);
  if (given instanceof Float32Array && given.length === length) return given;
  throw new MobileNetError(
    'INVALID_ARGUMENT',
    `output: expected a Float32Array of ${count} x ${classes} = ${length} values, got ${describe(given)}`,
  );
}
