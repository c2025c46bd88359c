/** Output sizes and padding of every stage. */
import { describe, expect, it } from 'vitest';
import { MAX_INPUT_SIDE, stageShapes } from '../../lib/compile/geometry.js';
import { compileOps } from '../../lib/compile/ops.js';
import { seededModel } from '../../lib/tools/seeded-model.js';

function opsOf(padding: 'same' | 'symmetric') {
  return compileOps(seededModel({ family: 'mobilenet_v2', width: 0.35, size: 32, classes: 7, padding })).ops;
}

const ops = { same: opsOf('same'), symmetric: opsOf('symmetric') };

function shapesOf(padding: 'same' | 'symmetric', height: number, width = height) {
  return stageShapes(ops[padding], height, width);
}

/** [out, before] of the stem. */
function stem(padding: 'same' | 'symmetric', size: number) {
  const [shape] = shapesOf(padding, size);
  return [shape?.outHeight, shape?.padTop];
}

describe('3x3 at stride 2', () => {
  it.each([
    [1, 1, 1], // one pixel: the window (3) leaves two to pad, one of them before
    [2, 1, 0], // ((1 - 1) * 2 + 3 - 2) = 1 to pad: after the image
    [3, 2, 1],
    [4, 2, 0],
    [224, 112, 0],
    [225, 113, 1],
  ])('SAME on %d: %d, %d before', (size, out, before) => expect(stem('same', size)).toEqual([out, before]));

  it.each([
    [1, 1],
    [2, 1],
    [3, 2],
    [4, 2],
    [224, 112],
    [225, 113],
  ])('symmetric on %d: %d, 1 before', (size, out) => expect(stem('symmetric', size)).toEqual([out, 1]));
});

describe('3x3 at stride 1', () => {
  it.each(['same', 'symmetric'] as const)('%s keeps the size and pads 1 before', (padding) => {
    for (const size of [1, 2, 3, 16, 17]) {
      const block = shapesOf(padding, size * 2)[1];
      expect(block).toMatchObject({ inHeight: size, outHeight: size, padTop: 1, padLeft: 1 });
    }
  });
});

it('every window has a pixel of the image in it, and together they reach the last', () => {
  for (const padding of ['same', 'symmetric'] as const) {
    for (let size = 1; size <= 70; size++) {
      const [shape] = shapesOf(padding, size);
      const { outHeight = 0, padTop = 0 } = shape ?? {};
      const first = -padTop;
      const last = (outHeight - 1) * 2 - padTop; // first tap of the last window
      expect(first + 2).toBeGreaterThanOrEqual(0);
      expect(last).toBeLessThan(size);
      expect(last + 3).toBeGreaterThanOrEqual(size);
    }
  }
});

it('height and width are independent, and shapes follow from each other', () => {
  const shapes = shapesOf('same', 97, 130);
  expect(shapes[0]).toMatchObject({ inHeight: 97, inWidth: 130, outHeight: 49, outWidth: 65, padTop: 1, padLeft: 0 });
  for (const [i, shape] of shapes.slice(1).entries()) {
    const before = shapes[i];
    expect([shape.inHeight, shape.inWidth, shape.inChannels]).toEqual([
      before?.outHeight,
      before?.outWidth,
      before?.outChannels,
    ]);
  }
  expect(shapes.at(-1)).toMatchObject({ outHeight: 1, outWidth: 1, outChannels: 7 });
  expect(shapesOf('same', 224)[17]).toMatchObject({ outHeight: 7, outWidth: 7 });
});

it.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, MAX_INPUT_SIDE + 1])('refuses the side %d', (side) => {
  const error = expect.objectContaining({ code: 'INVALID_ARGUMENT' });
  expect(() => shapesOf('same', side, 32)).toThrow(error);
  expect(() => shapesOf('same', side, 32)).toThrow(/input height must be an integer in 1 \.\.\. 8192/);
  expect(() => shapesOf('same', 32, side)).toThrow(/input width/);
});
