/** Activation ranges and the engine's domain: cases worked out by hand. */
import { describe, expect, it } from 'vitest';
import { activationRange, roundHalfAway, toUnsigned } from '../../lib/compile/quantize.js';

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
