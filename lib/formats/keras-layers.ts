import type { Activation } from '../model-spec.js';
import { corrupt, Unfit } from './failures.js';
import { type BatchNormNode, type ConvNode, checkChannels, type GraphNode, noPads, type Pads } from './graph.js';
import { array, integer, isObject, type JsonObject, number, pair } from './json.js';
import type { KerasLayer } from './keras-topology.js';
import { MAX_CHANNELS, MAX_FILE_SIDE } from './limits.js';
import type { TfjsWeights } from './tfjs-weights.js';

type Base = Pick<GraphNode, 'where' | 'name' | 'inputs' | 'output' | 'shape' | 'quantization'>;
/** `channels`: of the input; Keras' layers do not repeat them, and the shapes of weights follow from them. */
type Maker = (layer: KerasLayer, base: Base, weights: TfjsWeights, channels: number) => GraphNode;

type KerasActivation = Activation | 'softmax';

/** A name, or a registered function such as MobileNet's own `relu6`. */
function activation(value: unknown): KerasActivation {
  const name = isObject(value) ? (value.config ?? value.registered_name) : value;
  if (name === undefined || name === null || name === 'linear') return 'linear';
  if (name === 'relu' || name === 'relu6' || name === 'softmax') return name;
  throw new Unfit(`activation ${JSON.stringify(name)?.slice(0, 60)}; linear, relu, relu6 and softmax are known`);
}

function checkChannelsLast(config: JsonObject): void {
  if (config.data_format === 'channels_first') throw new Unfit('data_format channels_first');
}

/** out[j * rows + i] = in[i * columns + j] */
function transpose(values: Float32Array, rows: number, columns: number): Float32Array {
  const result = new Float32Array(values.length);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) result[j * rows + i] = values[i * columns + j] as number;
  }
  return result;
}

function bias(layer: KerasLayer, weights: TfjsWeights, channels: number): Float32Array {
  return layer.config.use_bias === false ? new Float32Array(channels) : weights.get(layer.name, 'bias', [channels]);
}

function spatial(layer: KerasLayer): Pick<ConvNode, 'kernel' | 'stride' | 'padding'> {
  const { config, where } = layer;
  checkChannelsLast(config);
  const dilation = pair(config.dilation_rate ?? 1, `${where}: dilation_rate`, 1, MAX_FILE_SIDE);
  if (dilation.some((rate) => rate !== 1)) throw new Unfit(`dilation ${dilation.join('x')}`);
  if ((config.groups ?? 1) !== 1) throw new Unfit('grouped convolution');
  const { padding } = config;
  if (padding !== 'same' && padding !== 'valid') throw new Unfit(`padding ${JSON.stringify(padding)?.slice(0, 60)}`);
  return {
    kernel: pair(config.kernel_size, `${where}: kernel_size`, 1, MAX_FILE_SIDE),
    stride: pair(config.strides ?? 1, `${where}: strides`, 1, MAX_FILE_SIDE),
    padding: padding === 'same' ? 'same' : noPads,
  };
}

/** The softmax of a layer's `activation` field becomes a node of its own; see {@link makeKerasNodes}. */
function fusedActivation(layer: KerasLayer): Activation {
  const fused = activation(layer.config.activation);
  return fused === 'softmax' ? 'linear' : fused;
}

const conv2d: Maker = (layer, base, weights, inChannels) => {
  const { kernel, stride, padding } = spatial(layer);
  const outChannels = integer(layer.config.filters, `${layer.where}: filters`, 1, MAX_CHANNELS);
  const taps = kernel[0] * kernel[1] * inChannels;
  const values = weights.get(layer.name, 'kernel', [...kernel, inChannels, outChannels]);
  return {
    ...base,
    ...{ kind: 'conv', dense: false, depthwise: false, inChannels, outChannels, kernel, stride, padding },
    activation: fusedActivation(layer),
    weights: {
      kind: 'float32',
      values: transpose(values, taps, outChannels),
      bias: bias(layer, weights, outChannels),
    },
    rounding: 'double',
  };
};

const depthwise: Maker = (layer, base, weights, channels) => {
  const { kernel, stride, padding } = spatial(layer);
  if ((layer.config.depth_multiplier ?? 1) !== 1) throw new Unfit('depth_multiplier other than 1');
  const shape = [...kernel, channels, 1];
  const values = weights.find(layer.name, 'depthwise_kernel', shape) ?? weights.get(layer.name, 'kernel', shape);
  return {
    ...base,
    ...{ kind: 'conv', dense: false, depthwise: true, kernel, stride, padding },
    inChannels: channels,
    outChannels: channels,
    activation: fusedActivation(layer),
    weights: { kind: 'float32', values, bias: bias(layer, weights, channels) },
    rounding: 'double',
  };
};

const dense: Maker = (layer, base, weights, inChannels) => {
  const outChannels = integer(layer.config.units, `${layer.where}: units`, 1, MAX_CHANNELS);
  const values = weights.get(layer.name, 'kernel', [inChannels, outChannels]);
  return {
    ...base,
    ...{ kind: 'conv', dense: true, depthwise: false, inChannels, outChannels, padding: 'same' },
    kernel: [1, 1],
    stride: [1, 1],
    activation: fusedActivation(layer),
    weights: {
      kind: 'float32',
      values: transpose(values, inChannels, outChannels),
      bias: bias(layer, weights, outChannels),
    },
    rounding: 'double',
  };
};

/** (x - mean) / sqrt(variance + epsilon) * gamma + beta; gamma and beta may be left out. */
const batchNorm: Maker = (layer, base, weights, channels): BatchNormNode => {
  const { config, name, where } = layer;
  const axis = Array.isArray(config.axis) ? config.axis[0] : (config.axis ?? -1);
  if (axis !== -1 && axis !== 3) throw new Unfit(`axis ${JSON.stringify(axis)?.slice(0, 60)}, expected the last`);
  const epsilon = number(config.epsilon ?? 1e-3, `${where}: epsilon`);
  const mean = weights.get(name, 'moving_mean', [channels]);
  const variance = weights.get(name, 'moving_variance', [channels]);
  const gamma = config.scale === false ? null : weights.get(name, 'gamma', [channels]);
  const beta = config.center === false ? null : weights.get(name, 'beta', [channels]);
  const scale = new Float64Array(channels);
  const shift = new Float64Array(channels);
  for (let c = 0; c < channels; c++) {
    const spread = (variance[c] as number) + epsilon;
    if (!(spread > 0))
      corrupt(`${where}: variance ${variance[c]} plus epsilon ${epsilon} of channel ${c} is not above 0`);
    scale[c] = (gamma?.[c] ?? 1) / Math.sqrt(spread);
    shift[c] = (beta?.[c] ?? 0) - (mean[c] as number) * (scale[c] as number);
  }
  return { ...base, kind: 'batch-norm', scale, shift };
};

/** `padding`: n, [rows, columns] or [[top, bottom], [left, right]]. */
const zeroPadding: Maker = (layer, base) => {
  checkChannelsLast(layer.config);
  const what = `${layer.where}: padding`;
  const sides = Array.isArray(layer.config.padding)
    ? layer.config.padding
    : [layer.config.padding, layer.config.padding];
  if (sides.length !== 2) corrupt(`${what}: expected rows and columns`);
  const [top, bottom] = pair(sides[0], what, 0, MAX_FILE_SIDE);
  const [left, right] = pair(sides[1], what, 0, MAX_FILE_SIDE);
  const pads: Pads = { top, bottom, left, right };
  return { ...base, kind: 'pad', pads };
};

const relu: Maker = (layer, base) => {
  const { max_value: max, negative_slope: slope, threshold } = layer.config;
  if ((slope ?? 0) !== 0 || (threshold ?? 0) !== 0) throw new Unfit('a slope or threshold other than 0');
  if (max !== undefined && max !== null && max !== 6) throw new Unfit(`max_value ${JSON.stringify(max)?.slice(0, 60)}`);
  return { ...base, kind: 'activation', activation: max === 6 ? 'relu6' : 'relu' };
};

const activationLayer: Maker = (layer, base) => {
  const kind = activation(layer.config.activation);
  if (kind === 'softmax') return { ...base, kind: 'softmax', beta: 1 };
  return kind === 'linear' ? { ...base, kind: 'identity' } : { ...base, kind: 'activation', activation: kind };
};

const averagePool: Maker = (layer, base) => {
  checkChannelsLast(layer.config);
  const window = pair(layer.config.pool_size ?? 2, `${layer.where}: pool_size`, 1, MAX_FILE_SIDE);
  // A window of the whole image gives one pixel, except when SAME padding lets smaller steps go on.
  const stride = pair(layer.config.strides ?? window, `${layer.where}: strides`, 1, MAX_FILE_SIDE);
  const steps = stride[0] < window[0] || stride[1] < window[1];
  if (layer.config.padding !== 'valid' && steps) throw new Unfit('overlapping windows with padding');
  return { ...base, kind: 'pool', pool: 'mean', window };
};

const globalPool: Maker = (layer, base) => {
  checkChannelsLast(layer.config);
  return { ...base, kind: 'pool', pool: 'mean', window: null };
};

/** Only to (1, 1, c) or (c): the matcher allows it where the image is 1x1. */
const reshape: Maker = (layer, base, _weights, channels) => {
  const target = array(layer.config.target_shape, `${layer.where}: target_shape`);
  const size = target.reduce((product: number, side) => product * (side === -1 ? 1 : Number(side)), 1);
  const open = target.filter((side) => side === -1).length;
  if (open > 1 || size !== (open === 1 ? 1 : channels)) throw new Unfit('a reshape that is not of the pooled vector');
  return { ...base, kind: 'reshape' };
};

const identity: Maker = (_layer, base) => ({ ...base, kind: 'identity' });

const makers = new Map<string, Maker>([
  ['Conv2D', conv2d],
  ['Convolution2D', conv2d],
  ['DepthwiseConv2D', depthwise],
  ['Dense', dense],
  ['BatchNormalization', batchNorm],
  ['BatchNormalizationV1', batchNorm],
  ['ZeroPadding2D', zeroPadding],
  ['ReLU', relu],
  ['Activation', activationLayer],
  ['Softmax', (_layer, base) => ({ ...base, kind: 'softmax', beta: 1 })],
  ['Add', (_layer, base) => ({ ...base, kind: 'add', activation: 'linear' })],
  ['AveragePooling2D', averagePool],
  ['GlobalAveragePooling2D', globalPool],
  ['Reshape', reshape],
  ['Flatten', (_layer, base) => ({ ...base, kind: 'reshape' })],
  ['Dropout', identity],
  ['SpatialDropout2D', identity],
  ['GaussianNoise', identity],
  ['ActivityRegularization', identity],
]);

function outputChannels(node: GraphNode, before: number): number {
  return node.kind === 'conv' ? node.outChannels : before;
}

/**
 * Nodes of the layers of a float network, their weights read. A layer that is unknown, or known but used in an unknown
 * way, becomes a node of kind `other`; layers behind it are left out, for the shapes of their weights are unknown.
 *
 * @param firstTensor a number above all the layers' tensors, for outputs this makes up
 */
export function makeKerasNodes(layers: readonly KerasLayer[], weights: TfjsWeights, firstTensor: number): GraphNode[] {
  const nodes: GraphNode[] = [];
  const channels = new Map<number, number>([[0, 3]]);
  let spare = firstTensor;
  for (const layer of layers) {
    const base: Base = {
      where: layer.where,
      name: layer.name,
      inputs: layer.inputs,
      output: layer.output,
      shape: null,
      quantization: null,
    };
    try {
      const maker = makers.get(layer.className);
      if (maker === undefined) throw new Unfit('');
      const before = checkChannels(channels.get(layer.inputs[0] ?? -1) ?? 0, layer.where);
      let node = maker(layer, base, weights, before);
      channels.set(layer.output, outputChannels(node, before));
      if (node.kind === 'conv' && activation(layer.config.activation) === 'softmax') {
        node = { ...node, output: spare++ };
        nodes.push(node, { ...base, kind: 'softmax', beta: 1, inputs: [node.output] });
      } else nodes.push(node);
    } catch (error) {
      if (!(error instanceof Unfit)) throw error;
      nodes.push({ ...base, kind: 'other', problem: error.message || null });
      return nodes;
    }
  }
  return nodes;
}
