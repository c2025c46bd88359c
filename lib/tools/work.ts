/** What each operator of a network computes and moves at its input size. */
import { stageShapes } from '../compile/geometry.js';
import type { CompiledModel } from '../compile/ops.js';
import type { Dtype, NativeConv, NativeOp, StageShape } from '../native.js';

export interface OpWork {
  readonly name: string;
  /** For people: `14x14x96, t 6, stride 2`, the input first. */
  readonly what: string;
  readonly shape: StageShape;
  readonly macs: number;
  /** Biases, of 32 bits in either dtype, included. */
  readonly weightBytes: number;
  /** Input and output tensors. */
  readonly activationBytes: number;
}

export function valueBytes(dtype: Dtype): number {
  return dtype === 'f32' ? 4 : 1;
}

export function workOf(compiled: CompiledModel, height: number, width: number): OpWork[] {
  const shapes = stageShapes(compiled.ops, height, width);
  return compiled.ops.map(({ name, op }, i) => {
    const shape = shapes[i] as StageShape;
    const bytes = valueBytes(compiled.dtype);
    const input = shape.inHeight * shape.inWidth * shape.inChannels * bytes;
    const output = shape.outHeight * shape.outWidth * shape.outChannels * (op.kind === 'softmax' ? 4 : bytes);
    return {
      name,
      what: describeOp(op, shape),
      shape,
      macs: convsOf(op).reduce((sum, { conv, at }) => sum + macsOf(conv, shape, at), 0),
      weightBytes: convsOf(op).reduce((sum, { conv }) => sum + weightsOf(conv) * bytes + conv.outChannels * 4, 0),
      activationBytes: input + output,
    };
  });
}

/** The convolutions of an op, and whether each makes one value per input or per output pixel. */
function convsOf(op: NativeOp): { conv: NativeConv; at: 'input' | 'output' }[] {
  if (op.kind === 'invertedResidual') {
    return [
      ...(op.expand ? [{ conv: op.expand, at: 'input' as const }] : []),
      { conv: op.depthwise, at: 'output' },
      { conv: op.project, at: 'output' },
    ];
  }
  return 'conv' in op ? [{ conv: op.conv, at: 'output' }] : [];
}

/** Their number, from the sizes: the arrays are gone once they are packed. */
function weightsOf(conv: NativeConv): number {
  return conv.kernel ** 2 * conv.outChannels * (conv.depthwise ? 1 : conv.inChannels);
}

function macsOf(conv: NativeConv, shape: StageShape, at: 'input' | 'output'): number {
  const pixels = at === 'input' ? shape.inHeight * shape.inWidth : shape.outHeight * shape.outWidth;
  return pixels * weightsOf(conv);
}

function describeOp(op: NativeOp, shape: StageShape): string {
  const input = `${shape.inHeight}x${shape.inWidth}x${shape.inChannels}`;
  switch (op.kind) {
    case 'stem':
      return `${input} conv 3x3 /${op.conv.stride} -> ${shape.outChannels}`;
    case 'invertedResidual': {
      const t = op.depthwise.outChannels / shape.inChannels;
      const stride = op.depthwise.stride === 2 ? ' /2' : '';
      return `${input} t${Number(t.toFixed(2))}${stride} -> ${shape.outChannels}${op.residual ? ' +' : ''}`;
    }
    case 'pointwise':
      return `${input} conv 1x1 -> ${shape.outChannels}`;
    case 'globalAveragePool':
      return `${input} average`;
    case 'dense':
      return `${shape.inChannels} dense -> ${shape.outChannels}`;
    case 'softmax':
      return `${shape.outChannels} softmax`;
  }
}
