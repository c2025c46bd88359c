/** Sizes and padding of every stage at one input size. */
import { MobileNetError } from '../errors.js';
import type { NativeConv, NativeOp, StageShape } from '../native.js';
import type { CompiledOp } from './ops.js';

/**
 * Largest input side, which callers of class maps choose freely: more than a file may declare. Beyond it nothing a
 * classifier does makes sense, and sizes stay far from overflow.
 */
export const MAX_INPUT_SIDE = 8192;

/** What a 3x3 (or 1x1) convolution makes of `size` rows or columns, and how many it pads before them. */
function convolve(size: number, conv: NativeConv, padding: 'same' | 'symmetric'): { out: number; before: number } {
  if (conv.kernel === 1) return { out: size, before: 0 };
  if (padding === 'symmetric') return { out: Math.floor((size - 1) / conv.stride) + 1, before: 1 };
  const out = Math.ceil(size / conv.stride);
  const total = Math.max((out - 1) * conv.stride + conv.kernel - size, 0);
  return { out, before: Math.floor(total / 2) };
}

function spatialConv(op: NativeOp): NativeConv | null {
  if (op.kind === 'stem' || op.kind === 'pointwise') return op.conv;
  return op.kind === 'invertedResidual' ? op.depthwise : null;
}

function outChannels(op: NativeOp): number {
  switch (op.kind) {
    case 'invertedResidual':
      return op.project.outChannels;
    case 'globalAveragePool':
      return op.pool.channels;
    case 'softmax':
      return op.softmax.classes;
    default:
      return op.conv.outChannels;
  }
}

/**
 * One shape per op, each beginning where the one before it ends.
 *
 * @throws MobileNetError INVALID_ARGUMENT for an input size that is no integer in 1 ... {@link MAX_INPUT_SIDE}.
 */
export function stageShapes(ops: readonly CompiledOp[], height: number, width: number): StageShape[] {
  for (const [name, side] of [
    ['height', height],
    ['width', width],
  ] as const) {
    if (!Number.isInteger(side) || side < 1 || side > MAX_INPUT_SIDE) {
      throw new MobileNetError(
        'INVALID_ARGUMENT',
        `input ${name} must be an integer in 1 ... ${MAX_INPUT_SIDE}, not ${side}`,
      );
    }
  }
  let flow = { height, width, channels: 3 };
  return ops.map((compiled) => {
    const shape = stageShape(compiled, flow);
    flow = { height: shape.outHeight, width: shape.outWidth, channels: shape.outChannels };
    return shape;
  });
}

function stageShape(
  { op, padding }: CompiledOp,
  flow: { height: number; width: number; channels: number },
): StageShape {
  const conv = spatialConv(op);
  const rows = conv ? convolve(flow.height, conv, padding) : { out: 1, before: 0 };
  const columns = conv ? convolve(flow.width, conv, padding) : { out: 1, before: 0 };
  return {
    inHeight: flow.height,
    inWidth: flow.width,
    inChannels: flow.channels,
    outHeight: rows.out,
    outWidth: columns.out,
    outChannels: outChannels(op),
    padTop: rows.before,
    padLeft: columns.before,
  };
}

/**
 * Where the middle of what each row of the last op's output sees lies, in rows of the input (0 is the first row's own
 * middle); `columns` likewise. Ops are convolutions.
 */
export function receptiveCentres(ops: readonly CompiledOp[], shapes: readonly StageShape[]) {
  const axis = (outputs: number, padding: (shape: StageShape) => number): number[] => {
    let step = 1;
    let first = 0;
    ops.forEach(({ op }, k) => {
      const { kernel, stride } = spatialConv(op) ?? { kernel: 1, stride: 1 };
      first += step * ((kernel - 1) / 2 - padding(shapes[k] as StageShape));
      step *= stride;
    });
    return Array.from({ length: outputs }, (_, i) => first + i * step);
  };
  const last = shapes.at(-1);
  return {
    rows: axis(last?.outHeight ?? 0, ({ padTop }) => padTop),
    columns: axis(last?.outWidth ?? 0, ({ padLeft }) => padLeft),
  };
}
