import type { Activation, Quantization } from '../model-spec.js';

/** C's round(): halves away from zero. */
export function roundHalfAway(x: number): number {
  return x < 0 ? -Math.floor(-x + 0.5) : Math.floor(x + 0.5);
}

/**
 * Moves a file's integers to the engine's unsigned bytes: int8 tensors by 128, uint8 tensors not at all. Zero points
 * and values move together, so that no product changes.
 */
export function toUnsigned(q: Quantization, signed: boolean): Quantization {
  return signed ? { scale: q.scale, zeroPoint: q.zeroPoint + 128 } : q;
}

/** The clamp of a fused activation, in the output's unsigned bytes; the quotient is a float32, as in TFLite. */
export function activationRange(activation: Activation, output: Quantization): { min: number; max: number } {
  const quantized = (value: number) => output.zeroPoint + roundHalfAway(Math.fround(value / output.scale));
  const min = activation === 'linear' ? 0 : Math.max(0, quantized(0));
  const max = activation === 'relu6' ? Math.min(255, quantized(6)) : 255;
  return { min, max };
}
