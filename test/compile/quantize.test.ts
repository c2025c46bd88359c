/** Fixed-point factors and activation ranges: cases worked out by hand, and TFLite's definitions over many values. */
import { describe, expect, it } from 'vitest';
import { activationRange, quantizeMultiplier, roundHalfAway, toUnsigned } from '../../lib/compile/quantize.js';
import { seededRandom } from './seeded-input.js';

/** C's frexp on the bits of a normal double. */
function frexp(x: number): { mantissa: bigint; exponent: number } {
  const bits = new BigUint64Array(new Float64Array([x]).buffer)[0] as bigint;
  return { mantissa: (1n << 52n) | (bits & ((1n << 52n) - 1n)), exponent: Number((bits >> 52n) & 0x7ffn) - 1022 };
}

/** round(fraction * 2^31) in integers: the mantissa has 53 bits, 31 are kept. */
function expected(x: number): { multiplier: number; shift: number } {
  const { mantissa, exponent } = frexp(x);
  const rounded = (mantissa + (1n << 21n)) >> 22n;
  const [multiplier, shift] = rounded === 1n << 31n ? [1n << 30n, exponent + 1] : [rounded, exponent];
  return shift < -31 ? { multiplier: 0, shift: 0 } : { multiplier: Number(multiplier), shift };
}

describe('quantizeMultiplier', () => {
  it.each([
    [0, 0, 0],
    [0.5, 2 ** 30, 0],
    [1, 2 ** 30, 1],
    [0.75, 1610612736, 0],
    [0.1, 1717986918, -3], // 0.8 * 2^31 = 1717986918.4
    [3, 1610612736, 2],
    [2 ** 20, 2 ** 30, 21],
    [2 ** -32, 2 ** 30, -31], // the smallest power of two that is not zero
    [2 ** -33, 0, 0],
    [0.9999 * 2 ** -32, 0, 0],
    [Number.MIN_VALUE, 0, 0],
    [2 ** 62, 2 ** 30, 63],
    // One less than a power of two by less than half a step: up to 2^31, which is 2^30 one place further.
    [1 - 2 ** -33, 2 ** 30, 1],
    [1 - 2 ** -32, 2 ** 30, 1], // exactly half a step
    [1 - 2 ** -31, 2 ** 31 - 1, 0],
    // ... and where that decides between zero and not.
    [(1 - 2 ** -33) * 2 ** -32, 2 ** 30, -31],
  ])('%d is %d * 2^(%d - 31)', (real, multiplier, shift) => {
    expect(quantizeMultiplier(real)).toEqual({ multiplier, shift });
  });

  it('agrees with the definition on 20000 factors of all sizes', () => {
    const random = seededRandom(7);
    for (let i = 0; i < 20_000; i++) {
      const real = (0.5 + random() / 2 + random() * 2 ** -33) * 2 ** Math.floor(random() * 90 - 45);
      expect(quantizeMultiplier(real)).toEqual(expected(real));
    }
  });

  it('agrees next to every power of two', () => {
    for (let e = -40; e <= 40; e++) {
      for (const real of [2 ** e * (1 - 2 ** -53), 2 ** e, 2 ** e * (1 + 2 ** -52)]) {
        expect(quantizeMultiplier(real)).toEqual(expected(real));
      }
    }
  });
});

it('roundHalfAway is C round()', () => {
  expect([0.5, 1.5, -0.5, -1.5, 2.4, -2.4, 0, 1e9 + 0.5].map(roundHalfAway)).toEqual([1, 2, -1, -2, 2, -2, 0, 1e9 + 1]);
});

describe('activationRange', () => {
  it.each([
    ['linear', 0.02, 77, 0, 255],
    ['relu', 0.02, 77, 77, 255],
    ['relu6', 0.05, 10, 10, 130],
    ['relu6', 6 / 255, 0, 0, 255],
    ['relu6', 0.01, 3, 3, 255], // 6 is beyond the type
    ['relu', 0.02, 0, 0, 255],
    ['relu6', 48, 5, 5, 5], // 0.125 of a step rounds to none
    ['relu6', 12, 5, 5, 6], // half a step rounds away from zero
  ] as const)('%s at scale %d, zero point %d: %d ... %d', (activation, scale, zeroPoint, min, max) => {
    expect(activationRange(activation, { scale: Math.fround(scale), zeroPoint })).toEqual({ min, max });
  });

  it('rounds the quotient 6 / scale to float32 before rounding it to an integer', () => {
    // In double 6 / scale is a little below 62.5, in float32 it is 62.5, and TFLite goes on with that: 63.
    const scale = 0.09600000083446503;
    expect(Math.fround(scale)).toBe(scale);
    expect(6 / scale).toBeLessThan(62.5);
    expect(Math.fround(6 / scale)).toBe(62.5);
    expect(activationRange('relu6', { scale, zeroPoint: 0 }).max).toBe(63);
  });
});

it('toUnsigned moves the zero points of signed files by 128 and nothing else', () => {
  expect(toUnsigned({ scale: 0.1, zeroPoint: -128 }, true)).toEqual({ scale: 0.1, zeroPoint: 0 });
  expect(toUnsigned({ scale: 0.1, zeroPoint: 127 }, true)).toEqual({ scale: 0.1, zeroPoint: 255 });
  expect(toUnsigned({ scale: 0.1, zeroPoint: 3 }, false)).toEqual({ scale: 0.1, zeroPoint: 3 });
});
