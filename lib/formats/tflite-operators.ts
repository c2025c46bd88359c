import { describe } from '../errors.js';
import type { Activation, FloatWeights, QuantizedWeights } from '../model-spec.js';
import { corrupt, Unfit } from './failures.js';
import type { Table } from './flatbuffer.js';
import { type ConvNode, checkChannels, type GraphNode, noPads } from './graph.js';
import { MAX_CHANNELS } from './limits.js';
import { FusedActivation, Op, OptionsType, operatorName, Padding, TensorType, typeName } from './tflite-schema.js';
import { activationQuantization, elementCount, type TfliteTensor, type TfliteTensors } from './tflite-tensors.js';

/** One operator of the file, its numbers looked up but not judged. */
export interface TfliteOperator {
  readonly code: number;
  readonly where: string;
  readonly inputs: readonly number[];
  readonly output: TfliteTensor;
  readonly optionsType: number;
  readonly options: Table | null;
}

type Base = Pick<GraphNode, 'where' | 'name' | 'inputs' | 'output' | 'shape' | 'quantization'>;
type Maker = (operator: TfliteOperator, tensors: TfliteTensors, base: Base) => GraphNode | null;

function options(operator: TfliteOperator, type: number): Table {
  const table = operator.options;
  if (table === null || operator.optionsType !== type) return corrupt(`${operator.where}: its options are missing`);
  return table;
}

function activation(code: number): Activation {
  if (code === FusedActivation.NONE) return 'linear';
  if (code === FusedActivation.RELU) return 'relu';
  if (code === FusedActivation.RELU6) return 'relu6';
  throw new Unfit(`fused activation ${code}; NONE, RELU and RELU6 are known`);
}

function input(operator: TfliteOperator, tensors: TfliteTensors, position: number): TfliteTensor {
  const index = operator.inputs[position];
  if (index === undefined || index < 0) return corrupt(`${operator.where}: input ${position} is missing`);
  return tensors.get(index);
}

function floatWeights(tensors: TfliteTensors, weights: TfliteTensor, bias: TfliteTensor | null, outChannels: number) {
  const result: FloatWeights = {
    kind: 'float32',
    values: tensors.floats(weights),
    bias: bias === null ? new Float32Array(outChannels) : tensors.floats(bias),
  };
  return result;
}

/** `axis`: along which the file must have laid per-channel scales. */
function quantizedWeights(
  tensors: TfliteTensors,
  weights: TfliteTensor,
  bias: TfliteTensor | null,
  outChannels: number,
  axis: number,
): QuantizedWeights {
  const { quantization } = weights;
  if (quantization === null) return corrupt(`${weights.what}: has no scale`);
  const { scales, zeroPoint } = quantization;
  if (scales.length !== 1 && (scales.length !== outChannels || quantization.axis !== axis)) {
    corrupt(
      `${weights.what}: ${scales.length} scales along axis ${quantization.axis}, expected 1, or ${outChannels} along axis ${axis}`,
    );
  }
  if (weights.type === TensorType.UINT8 && scales.length !== 1)
    throw new Unfit('uint8 weights with a scale per channel');
  if (weights.type === TensorType.INT8 && zeroPoint !== 0) {
    throw new Unfit('int8 weights with a zero point other than 0');
  }
  return {
    kind: 'quantized',
    values: tensors.eightBit(weights),
    bias: bias === null ? new Int32Array(outChannels) : tensors.int32(bias),
    scales,
    zeroPoint: zeroPoint ?? 0, // uint8 weights have one scale and one zero point
  };
}

/** Checks the types of input, weights and output together and reads the weights. */
function readWeights(operator: TfliteOperator, tensors: TfliteTensors, outChannels: number, axis: number) {
  const x = input(operator, tensors, 0);
  const weights = input(operator, tensors, 1);
  const biasIndex = operator.inputs[2] ?? -1;
  const bias = biasIndex < 0 ? null : tensors.get(biasIndex);
  if (bias !== null && elementCount(bias) !== outChannels) {
    corrupt(`${bias.what}: shape [${bias.shape.join(', ')}], expected ${outChannels} biases`);
  }
  const eightBit = weights.type === TensorType.INT8 || weights.type === TensorType.UINT8;
  if (x.type === TensorType.FLOAT32 && eightBit) {
    throw new Unfit(
      'dynamic-range quantisation: float activations and 8-bit weights; convert the model again either with a ' +
        'representative data set (full integer quantisation) or without optimisations (float32)',
    );
  }
  if (x.type === TensorType.FLOAT32) return floatWeights(tensors, weights, bias, outChannels);
  if (weights.type !== x.type || !eightBit) {
    throw new Unfit(`activations are ${typeName(x.type)}, weights ${typeName(weights.type)}`);
  }
  return quantizedWeights(tensors, weights, bias, outChannels, axis);
}

function weightShape(operator: TfliteOperator, tensors: TfliteTensors, rank: number): readonly number[] {
  const weights = input(operator, tensors, 1);
  if (weights.shape.length !== rank) {
    return corrupt(`${weights.what}: shape [${weights.shape.join(', ')}], expected ${rank} sides`);
  }
  for (const side of weights.shape) {
    if (side < 1 || side > MAX_CHANNELS) checkChannels(side, weights.what);
  }
  return weights.shape;
}

/** CONV_2D and DEPTHWISE_CONV_2D. Fields of their options: padding, stride_w, stride_h, ... */
function convolution(depthwise: boolean): Maker {
  return (operator, tensors, base): ConvNode => {
    const table = options(operator, depthwise ? OptionsType.DEPTHWISE_CONV_2D : OptionsType.CONV_2D);
    const [outer = 0, height = 0, width = 0, inner = 0] = weightShape(operator, tensors, 4);
    const inChannels = depthwise ? (input(operator, tensors, 0).shape[3] ?? 0) : inner;
    if (depthwise && (outer !== 1 || inChannels !== inner)) {
      throw new Unfit(`depth multiplier: ${inChannels} channels in, weights for ${outer} x ${inner}`);
    }
    const afterStride = depthwise ? 4 : 3;
    const dilation = [table.i32(afterStride + 2, 'dilation_h', 1), table.i32(afterStride + 1, 'dilation_w', 1)];
    if (dilation[0] !== 1 || dilation[1] !== 1) throw new Unfit(`dilation ${dilation.join('x')}`);
    const padding = table.u8(0, 'padding');
    if (padding !== Padding.SAME && padding !== Padding.VALID) corrupt(`${operator.where}: padding ${padding}`);
    const outChannels = depthwise ? inner : outer;
    return {
      ...base,
      kind: 'conv',
      dense: false,
      depthwise,
      inChannels,
      outChannels,
      kernel: [height, width],
      stride: [table.i32(2, 'stride_h'), table.i32(1, 'stride_w')],
      padding: padding === Padding.SAME ? 'same' : noPads,
      activation: activation(table.u8(afterStride, 'fused_activation_function')),
      weights: readWeights(operator, tensors, outChannels, depthwise ? 3 : 0),
      rounding: 'double',
    };
  };
}

const fullyConnected: Maker = (operator, tensors, base): ConvNode => {
  const table = options(operator, OptionsType.FULLY_CONNECTED);
  if (table.u8(1, 'weights_format') !== 0) throw new Unfit('shuffled weights');
  const [outChannels = 0, inChannels = 0] = weightShape(operator, tensors, 2);
  const weights = readWeights(operator, tensors, outChannels, 0);
  return {
    ...base,
    kind: 'conv',
    dense: true,
    depthwise: false,
    inChannels,
    outChannels,
    kernel: [1, 1],
    stride: [1, 1],
    padding: 'same',
    activation: activation(table.u8(0, 'fused_activation_function')),
    weights,
    // The reference kernel for uint8 requantises in double precision, once.
    rounding: weights.kind === 'quantized' && weights.values instanceof Uint8Array ? 'single' : 'double',
  };
};

const add: Maker = (operator, tensors, base) => {
  const table = options(operator, OptionsType.ADD);
  const other = operator.inputs[1];
  if (other === undefined || tensors.isConstant(tensors.get(other))) throw new Unfit('addition of a constant');
  const [a, b] = [input(operator, tensors, 0), input(operator, tensors, 1)];
  if (a.shape.join() !== b.shape.join() || a.type !== b.type) throw new Unfit('operands of different shapes or types');
  return {
    ...base,
    kind: 'add',
    inputs: operator.inputs.slice(0, 2),
    activation: activation(table.u8(0, 'fused_activation_function')),
  };
};

const averagePool: Maker = (operator, _tensors, base) => {
  const table = options(operator, OptionsType.POOL_2D);
  if (table.u8(5, 'fused_activation_function') !== FusedActivation.NONE) throw new Unfit('a fused activation');
  const window = [table.i32(4, 'filter_height'), table.i32(3, 'filter_width')] as const;
  return { ...base, kind: 'pool', pool: 'average', window };
};

const mean: Maker = (operator, tensors, base) => {
  const rank = input(operator, tensors, 0).shape.length;
  const axes = tensors.smallIntegers(input(operator, tensors, 1)).map((axis) => (axis < 0 ? axis + rank : axis));
  if (rank !== 4 || axes.toSorted().join() !== '1,2') throw new Unfit(`mean over the axes [${axes.join(', ')}]`);
  return { ...base, kind: 'pool', pool: 'mean', window: null };
};

/** paddings: [4][2], before and after each of batch, height, width, channels. */
const pad: Maker = (operator, tensors, base) => {
  const paddings = input(operator, tensors, 1);
  const [n0, n1, top = 0, bottom = 0, left = 0, right = 0, c0, c1, ...more] = tensors.smallIntegers(paddings);
  if ([n0, n1, c0, c1].some((n) => n !== 0) || more.length > 0)
    throw new Unfit('padding other than of height and width');
  const [x, y] = [activationQuantization(input(operator, tensors, 0)), base.quantization];
  // Zeros are the zero point, so they survive only between equal scales.
  if (x?.scale !== y?.scale || x?.zeroPoint !== y?.zeroPoint) throw new Unfit('input and output scales differ');
  return { ...base, kind: 'pad', pads: { top, bottom, left, right } };
};

const softmax: Maker = (operator, _tensors, base) => {
  const beta = options(operator, OptionsType.SOFTMAX).f32(0, 'beta');
  if (!(beta > 0 && Number.isFinite(beta)))
    corrupt(`${operator.where}: beta ${beta}, expected a finite number above 0`);
  const q = base.quantization;
  const lowest = operator.output.type === TensorType.INT8 ? -128 : 0;
  if (q !== null && (Math.abs(q.scale * 256 - 1) > 1e-3 || q.zeroPoint !== lowest)) {
    throw new Unfit(`output scale ${q.scale} and zero point ${q.zeroPoint}, expected 1/256 and ${lowest}`);
  }
  return { ...base, kind: 'softmax', beta };
};

const dequantize: Maker = (operator, tensors, base) => {
  const x = input(operator, tensors, 0);
  if (x.type === TensorType.FLOAT16 && tensors.isConstant(x) && operator.output.type === TensorType.FLOAT32) {
    if (x.shape.join() !== operator.output.shape.join()) corrupt(`${operator.where}: input and output shapes differ`);
    tensors.addHalf(operator.output, x);
    return null;
  }
  if (tensors.isConstant(x)) throw new Unfit(`${typeName(x.type)} weights dequantised at run time`);
  if (activationQuantization(x) === null || base.quantization !== null)
    throw new Unfit('expected 8 bits in, FLOAT32 out');
  return { ...base, kind: 'dequantize' };
};

const quantize: Maker = (operator, tensors, base) => {
  const { type } = input(operator, tensors, 0);
  if (base.quantization === null) throw new Unfit(`${typeName(type)} in, ${typeName(operator.output.type)} out`);
  return { ...base, kind: 'quantize' };
};

function standalone(kind: 'relu' | 'relu6'): Maker {
  return (_operator, _tensors, base) => ({ ...base, kind: 'activation', activation: kind });
}

const makers = new Map<number, Maker>([
  [Op.CONV_2D, convolution(false)],
  [Op.DEPTHWISE_CONV_2D, convolution(true)],
  [Op.FULLY_CONNECTED, fullyConnected],
  [Op.ADD, add],
  [Op.AVERAGE_POOL_2D, averagePool],
  [Op.MEAN, mean],
  [Op.SOFTMAX, softmax],
  [Op.RESHAPE, (_operator, _tensors, base) => ({ ...base, kind: 'reshape' })],
  [Op.SQUEEZE, (_operator, _tensors, base) => ({ ...base, kind: 'reshape' })],
  [Op.PAD, pad],
  [Op.QUANTIZE, quantize],
  [Op.DEQUANTIZE, dequantize],
  [Op.RELU, standalone('relu')],
  [Op.RELU6, standalone('relu6')],
]);

/**
 * Makes the node of one operator, or none when it only converts a constant. An operator that is known but used in an
 * unknown way becomes a node of kind `other` that says so.
 */
export function makeNode(operator: TfliteOperator, tensors: TfliteTensors): GraphNode | null {
  const { where, output } = operator;
  const unjudged = { where, name: output.name, output: output.index, inputs: operator.inputs, shape: output.shape };
  try {
    const maker = makers.get(operator.code);
    if (maker === undefined) throw new Unfit('');
    const x = input(operator, tensors, 0);
    const converts = operator.code === Op.QUANTIZE || operator.code === Op.DEQUANTIZE;
    if (!converts && x.type !== output.type) throw new Unfit(`${typeName(x.type)} in, ${typeName(output.type)} out`);
    const base: Base = {
      ...unjudged,
      inputs: operator.inputs.slice(0, 1),
      quantization: activationQuantization(output),
    };
    return maker(operator, tensors, base);
  } catch (error) {
    if (!(error instanceof Unfit)) throw error;
    return { ...unjudged, kind: 'other', quantization: null, problem: error.message || null };
  }
}

export function operatorLabel(position: number, code: number, customName: string, output: string): string {
  const name = code === Op.CUSTOM ? `custom operator ${describe(customName)}` : operatorName(code);
  return `operator ${position} (${name} ${describe(output)})`;
}
