/**
 * ModelSpec -> the operators the engine runs, with the real factors between their scales. Independent of the input size.
 */
import { MobileNetError } from '../errors.js';
import type { BlockSpec, ConvSpec, DenseSpec, ModelSpec, PoolSpec, Quantization } from '../model-spec.js';
import { classCount } from '../model-spec.js';
import type { Dtype, NativeConv, NativeOp, NativePool, NativeResidual, NativeSoftmax } from '../native.js';
import { activationRange, toUnsigned } from './quantize.js';

/** An operator, what it is called, and how its 3x3 convolution pads. */
export interface CompiledOp {
  readonly name: string;
  readonly op: NativeOp;
  readonly padding: 'same' | 'symmetric';
  /** Of its output, in the engine's unsigned bytes; null for float values (a softmax's always are). */
  readonly output: Quantization | null;
}

/** Ops in the order they run, each on the output of the one before, and what the caller gets of them. */
export interface Path {
  readonly name: string;
  /** Indices into {@link CompiledModel.ops}. */
  readonly ops: readonly number[];
  /** Positions in `ops` whose outputs the caller gets, as float32. */
  readonly outputs: readonly number[];
}

export interface CompiledModel {
  readonly dtype: Dtype;
  readonly ops: readonly CompiledOp[];
  readonly classes: number;
  /** From an image to its probabilities and its logits, in this order. */
  readonly classify: Path;
}

/** @throws MobileNetError MODEL_UNSUPPORTED when a quantised tensor lacks its scale. */
export function compileOps(spec: ModelSpec): CompiledModel {
  const dtype: Dtype = spec.precision === 'float32' ? 'f32' : 'qu8';
  const lowering = new Lowering(spec.precision === 'int8', dtype);
  const ops: CompiledOp[] = [];
  let input = spec.input.quantization;
  const push = (name: string, op: NativeOp, output: Quantization | null, padding: 'same' | 'symmetric' = 'same') => {
    ops.push({ name, op, padding, output: dtype === 'f32' ? null : lowering.unsigned(output, name) });
    input = output;
  };

  const stem = lowering.conv(spec.stem, input);
  if (dtype === 'qu8') stem.inputSigned = spec.precision === 'int8';
  push(spec.stem.name, { kind: 'stem', dtype, conv: stem }, spec.stem.output, spec.stem.padding);
  for (const block of spec.blocks) {
    const op = lowering.block(block, input);
    push(block.project.name, op, block.residual?.output ?? block.project.output, block.depthwise.padding);
  }
  if (spec.head)
    push(spec.head.name, { kind: 'pointwise', dtype, conv: lowering.conv(spec.head, input) }, spec.head.output);
  const channels = spec.head?.outChannels ?? spec.blocks.at(-1)?.project.outChannels ?? spec.stem.outChannels;
  push(
    spec.pool.name,
    { kind: 'globalAveragePool', dtype, pool: lowering.pool(spec.pool, channels, input) },
    spec.pool.output,
  );
  for (const dense of spec.classifier) push(dense.conv.name, lowering.dense(dense, input), dense.conv.output);

  const classes = classCount(spec);
  const softmax = lowering.softmax(spec, classes, input);
  ops.push({ name: 'softmax', op: { kind: 'softmax', dtype, softmax }, padding: 'same', output: null });
  const last = ops.length - 1;
  const classify = { name: 'classify', ops: ops.map((_, i) => i), outputs: [last, last - 1] };
  return { dtype, ops, classes, classify };
}

class Lowering {
  constructor(
    private readonly signed: boolean,
    private readonly dtype: Dtype,
  ) {}

  unsigned(q: Quantization | null, name: string, role = ''): Quantization {
    if (q === null)
      throw new MobileNetError(
        'MODEL_UNSUPPORTED',
        `${name}${role}: a quantised network needs a scale for this tensor`,
      );
    return toUnsigned(q, this.signed);
  }

  conv(spec: ConvSpec, input: Quantization | null): NativeConv {
    const { inChannels, outChannels, kernel, stride, depthwise, weights, name } = spec;
    if (weights.kind === 'float32') {
      const size = { inChannels, outChannels, kernel, stride, depthwise };
      return { ...size, weights: weights.values, bias: weights.bias, ...floatRange(spec.activation) };
    }
    const from = this.unsigned(input, name, ' (input)');
    const to = this.unsigned(spec.output, name);
    const { min, max } = activationRange(spec.activation, to);
    // Without spreads: V8 makes a dictionary of so large an object, which takes five kilobytes.
    return {
      inChannels,
      outChannels,
      kernel,
      stride,
      depthwise,
      weights: weights.values,
      bias: weights.bias,
      weightSigned: weights.values instanceof Int8Array,
      weightZeroPoint: weights.zeroPoint,
      inputScale: from.scale,
      weightScales: perChannel(weights.scales, outChannels),
      outputScale: to.scale,
      floatProduct: !this.signed, // int8 files compute in double throughout
      inputZeroPoint: from.zeroPoint,
      outputZeroPoint: to.zeroPoint,
      inputSigned: false,
      min,
      max,
    };
  }

  block(block: BlockSpec, input: Quantization | null): NativeOp {
    const wide = block.expand ? block.expand.output : input;
    return {
      kind: 'invertedResidual',
      dtype: this.dtype,
      expand: block.expand ? this.conv(block.expand, input) : null,
      depthwise: this.conv(block.depthwise, wide),
      project: this.conv(block.project, block.depthwise.output),
      residual: block.residual ? this.residual(block, block.residual, input) : null,
    };
  }

  /** TFLite's 8-bit ADD: both inputs to the common scale 2 max(sa, sb) with 20 more bits, added, and back. */
  private residual(
    block: BlockSpec,
    residual: NonNullable<BlockSpec['residual']>,
    input: Quantization | null,
  ): NativeResidual {
    if (this.dtype === 'f32') return floatRange('linear');
    const a = this.unsigned(input, residual.name, ' (input)');
    const b = this.unsigned(block.project.output, block.project.name);
    const to = this.unsigned(residual.output, residual.name);
    const twiceMax = 2 * Math.max(a.scale, b.scale);
    return {
      aZeroPoint: a.zeroPoint,
      aFactor: a.scale / twiceMax,
      bZeroPoint: b.zeroPoint,
      bFactor: b.scale / twiceMax,
      outputZeroPoint: to.zeroPoint,
      outputFactor: twiceMax / (2 ** 20 * to.scale),
      min: 0,
      max: 255,
    };
  }

  pool(spec: PoolSpec, channels: number, input: Quantization | null): NativePool {
    if (this.dtype === 'f32') return { channels };
    const from = this.unsigned(input, spec.name, ' (input)');
    const to = this.unsigned(spec.output, spec.name);
    return {
      channels,
      mean: spec.kind === 'mean',
      bias: this.signed ? 128 : 0,
      inputZeroPoint: from.zeroPoint,
      outputZeroPoint: to.zeroPoint,
      factor: from.scale / to.scale,
      min: 0,
      max: 255,
    };
  }

  dense(spec: DenseSpec, input: Quantization | null): NativeOp {
    const conv = this.conv(spec.conv, input);
    let realMultiplier = 0;
    if (spec.conv.weights.kind === 'quantized') {
      const from = this.unsigned(input, spec.conv.name);
      const to = this.unsigned(spec.conv.output, spec.conv.name);
      realMultiplier = (from.scale * (spec.conv.weights.scales[0] ?? 0)) / to.scale;
    }
    return { kind: 'dense', dtype: this.dtype, conv, singleRounding: spec.rounding === 'single', realMultiplier };
  }

  softmax(spec: ModelSpec, classes: number, input: Quantization | null): NativeSoftmax {
    const beta = spec.softmax.beta;
    if (this.dtype === 'f32') return { classes, beta };
    const logits = this.unsigned(input, 'logits');
    if (spec.softmax.kind === 'float') {
      return { classes, beta, dequantize: true, logitScale: logits.scale, logitZeroPoint: logits.zeroPoint };
    }
    // Q5.26: five integer bits are what exp can still tell from zero.
    const factor = Math.min(Math.fround(beta) * logits.scale * 2 ** 26, 2 ** 31 - 1);
    return { classes, beta, dequantize: false, factor };
  }
}

function perChannel(scales: Float32Array, channels: number): Float32Array {
  return scales.length === channels ? scales : new Float32Array(channels).fill(scales[0] as number);
}

function floatRange(activation: 'linear' | 'relu' | 'relu6'): { min: number; max: number } {
  return {
    min: activation === 'linear' ? Number.NEGATIVE_INFINITY : 0,
    max: activation === 'relu6' ? 6 : Number.POSITIVE_INFINITY,
  };
}
