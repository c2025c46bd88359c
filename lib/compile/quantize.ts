import type { Activation, Quantization } from '../model-spec.js';

/** A real factor as `multiplier * 2^(shift - 31)`; shift > 0 is to the left. */
export interface FixedPoint {
  readonly multiplier: number;
  readonly shift: number;
}

/** Which 32-bit half of a double in memory holds its sign and exponent. */
const HIGH_WORD = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1 ? 1 : 0;

/**
 * TFLite's QuantizeMultiplier of many factors: real >= 0 to a 31-bit mantissa, rounded to nearest with halves up.
 * Factors below 2^-32 become zero. One loop over the doubles' bits, in 32-bit integers: a network has thousands of
 * channels, and this runs once, before the JavaScript engine has warmed up.
 */
export function quantizeMultipliers(reals: Float64Array): { multipliers: Int32Array; shifts: Int32Array } {
  const words = new Int32Array(reals.buffer, reals.byteOffset, 2 * reals.length);
  const multipliers = new Int32Array(reals.length);
  const shifts = new Int32Array(reals.length);
  for (let i = 0; i < reals.length; i++) {
    const high = words[2 * i + HIGH_WORD] as number;
    const low = words[2 * i + 1 - HIGH_WORD] as number;
    // real = mantissa * 2^(shift - 53) with 2^52 <= mantissa < 2^53; denormals are zero here anyway.
    let shift = (high >>> 20) - 1022;
    // The mantissa's upper 31 bits, and the next one, which rounds.
    let multiplier = ((((high & 0xfffff) | 0x100000) << 10) | (low >>> 22)) + ((low >>> 21) & 1);
    if (multiplier === 2 ** 31) {
      multiplier = 2 ** 30;
      shift += 1;
    }
    if (shift < -31) continue;
    multipliers[i] = multiplier;
    shifts[i] = shift;
  }
  return { multipliers, shifts };
}

/** The same of one factor. */
export function quantizeMultiplier(real: number): FixedPoint {
  const { multipliers, shifts } = quantizeMultipliers(Float64Array.of(real));
  return { multiplier: multipliers[0] as number, shift: shifts[0] as number };
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
