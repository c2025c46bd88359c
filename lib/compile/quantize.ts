import type { Activation, Quantization } from '../model-spec.js';

/** A real factor as `multiplier * 2^(shift - 31)`; shift > 0 is to the left. */
export interface FixedPoint {
  readonly multiplier: number;
  readonly shift: number;
}

/**
 * TFLite's QuantizeMultiplier: real >= 0 to a 31-bit mantissa, rounded to nearest with halves up. Factors below 2^-32
 * become zero.
 */
export function quantizeMultiplier(real: number): FixedPoint {
  if (real === 0) return { multiplier: 0, shift: 0 };
  let { fraction, exponent } = frexp(real);
  let multiplier = Math.floor(fraction * 2 ** 31 + 0.5);
  if (multiplier === 2 ** 31) {
    multiplier = 2 ** 30;
    exponent += 1;
  }
  return exponent < -31 ? { multiplier: 0, shift: 0 } : { multiplier, shift: exponent };
}

/** x > 0 as fraction * 2^exponent with 0.5 <= fraction < 1. */
function frexp(x: number): { fraction: number; exponent: number } {
  let exponent = Math.max(-1023, Math.floor(Math.log2(x)) + 1);
  let fraction = x * 2 ** -exponent;
  // log2 may be off by one next to a power of two.
  while (fraction < 0.5) {
    fraction *= 2;
    exponent -= 1;
  }
  while (fraction >= 1) {
    fraction /= 2;
    exponent += 1;
  }
  return { fraction, exponent };
}

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
