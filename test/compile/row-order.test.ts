/** Ring sizes of row chains, worked out by hand for two and three stages. */
import { describe, expect, it } from 'vitest';
import { type ChainStage, ringRows } from '../../lib/compile/row-order.js';
import type { NativeConv, NativeOp } from '../../lib/native.js';

const HEIGHT = 16;

interface Kind {
  readonly expand?: boolean;
  readonly residual?: boolean;
  readonly stride?: 1 | 2;
}

function conv(kernel: number, stride: number): NativeConv {
  const none = new Float32Array();
  return { inChannels: 1, outChannels: 1, kernel, stride, depthwise: false, weights: none, bias: none, min: 0, max: 0 };
}

function stage(op: NativeOp, inHeight: number, outHeight: number, padTop: number, stripRows: number): ChainStage {
  const one = { inWidth: 1, inChannels: 1, outWidth: 1, outChannels: 1, padLeft: 0 };
  return { op, stripRows, shape: { ...one, inHeight, outHeight, padTop } };
}

function pointwise(stripRows: number, height = HEIGHT): ChainStage {
  return stage({ kind: 'pointwise', dtype: 'f32', conv: conv(1, 1) }, height, height, 0, stripRows);
}

/** padTop 1 at stride 1; 0 at stride 2, as SAME has it on even sizes. */
function block(stripRows: number, { expand = false, residual = false, stride = 1 }: Kind = {}): ChainStage {
  const op: NativeOp = {
    kind: 'invertedResidual',
    dtype: 'f32',
    expand: expand ? conv(1, 1) : null,
    depthwise: conv(3, stride),
    project: conv(1, 1),
    residual: residual ? { min: 0, max: 0 } : null,
  };
  return stage(op, HEIGHT, HEIGHT / stride, stride === 1 ? 1 : 0, stripRows);
}

function ringOf(producerStrip: number, consumer: ChainStage): number | undefined {
  return ringRows([pointwise(producerStrip), consumer], 0, consumer.shape.outHeight)[0];
}

describe('ringRows', () => {
  it('keeps the whole output of the last stage, whatever part of it is made', () => {
    expect(ringRows([pointwise(4)], 3, 5)).toEqual([HEIGHT]);
  });

  it('of a 3x3 window: its three rows, and one more for each further row of a strip', () => {
    expect(ringOf(1, block(1))).toBe(3);
    expect(ringOf(1, block(2))).toBe(4);
    expect(ringOf(1, block(5))).toBe(7);
  });

  it('has room for the rows a producer makes ahead', () => {
    // For row 1 the window is rows 0 ... 2, but strips of two come to row 3.
    expect(ringOf(2, block(1))).toBe(4);
    // At stride 2 the window of row 1 begins at 2 when rows up to 5 exist.
    expect(ringOf(2, block(1, { stride: 2 }))).toBe(4);
  });

  it('at stride 2 moves on by two rows', () => {
    expect(ringOf(1, block(1, { stride: 2 }))).toBe(3);
    expect(ringOf(1, block(2, { stride: 2 }))).toBe(5);
  });

  it('forgets rows once they are expanded', () => {
    // Row 0 asks for rows 0 and 1; every further row for one that is not expanded yet.
    expect(ringOf(1, block(1, { expand: true }))).toBe(2);
    expect(ringOf(1, block(2, { expand: true }))).toBe(3);
    expect(ringOf(1, block(1, { expand: true, stride: 2 }))).toBe(3);
  });

  it('keeps the rows that a skip adds again', () => {
    // Row y is added when row y + 1 has been expanded.
    expect(ringOf(1, block(1, { expand: true, residual: true }))).toBe(2);
    expect(ringOf(1, block(2, { expand: true, residual: true }))).toBe(3);
    // Strips of two end at y + 2, while y is still to be added.
    expect(ringOf(2, block(1, { expand: true, residual: true }))).toBe(3);
  });

  it('of a 1x1 consumer: its strip', () => {
    expect(ringOf(1, pointwise(1))).toBe(1);
    expect(ringOf(1, pointwise(3))).toBe(3);
    expect(ringOf(4, pointwise(3))).toBe(6); // rows 6, 7 and 8 are asked for when 8 is not made: four more, to 12
  });

  it('never exceeds the tensor', () => {
    expect(ringOf(100, block(1))).toBe(HEIGHT);
    expect(ringOf(1, block(100))).toBe(HEIGHT);
  });

  it('goes through all stages of a chain, for a band as for the whole', () => {
    const chain = [pointwise(1), block(1), block(1)];
    expect(ringRows(chain, 0, HEIGHT)).toEqual([3, 3, HEIGHT]);
    expect(ringRows(chain, 8, HEIGHT)).toEqual([3, 3, HEIGHT]);
    expect(ringRows(chain, 8, 9)).toEqual([3, 3, HEIGHT]);
    // The first row alone needs two rows of the stage before, which need three of theirs.
    expect(ringRows(chain, 0, 1)).toEqual([3, 2, HEIGHT]);
  });
});
