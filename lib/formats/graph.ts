import type { Activation, FloatWeights, ModelSpec, Precision, Quantization, QuantizedWeights } from '../model-spec.js';
import { corrupt } from './failures.js';
import { MAX_CHANNELS } from './limits.js';

/*
 * What every format's reader makes: a list of nodes in order of execution, before anybody asks whether it is a MobileNet.
 */

/** Identifies an activation tensor within one file. */
export type TensorId = number;

/** Rows or columns of zeros (real value 0) around an image. */
export interface Pads {
  readonly top: number;
  readonly bottom: number;
  readonly left: number;
  readonly right: number;
}

interface NodeBase {
  /** For messages: position, kind and name, such as `operator 3 (CONV_2D "conv_1")`. */
  readonly where: string;
  /** The file's name for the output. */
  readonly name: string;
  readonly inputs: readonly TensorId[];
  readonly output: TensorId;
  /** The output's shape as the file declares it, batch included; null: the format declares none. */
  readonly shape: readonly number[] | null;
  /** Of the output tensor; null when it is float. */
  readonly quantization: Quantization | null;
}

/** A convolution, depthwise convolution or fully connected layer (then `dense`: kernel 1x1, stride 1). */
export interface ConvNode extends NodeBase {
  readonly kind: 'conv';
  readonly dense: boolean;
  readonly depthwise: boolean;
  readonly inChannels: number;
  readonly outChannels: number;
  /** [height, width], as `stride`. */
  readonly kernel: readonly [number, number];
  readonly stride: readonly [number, number];
  /** TensorFlow's SAME, or explicit (all zero: VALID). */
  readonly padding: 'same' | Pads;
  readonly activation: Activation;
  readonly weights: FloatWeights | QuantizedWeights;
  /** Of requantisation; see DenseSpec. */
  readonly rounding: 'double' | 'single';
}

/** y = x * scale + shift, per channel. */
export interface BatchNormNode extends NodeBase {
  readonly kind: 'batch-norm';
  readonly scale: Float64Array;
  readonly shift: Float64Array;
}

export interface PadNode extends NodeBase {
  readonly kind: 'pad';
  readonly pads: Pads;
}

export interface ActivationNode extends NodeBase {
  readonly kind: 'activation';
  readonly activation: Activation;
}

export interface AddNode extends NodeBase {
  readonly kind: 'add';
  readonly activation: Activation;
}

/** Average over the whole image, or over `window` = [height, width], which the matcher requires to be all of it. */
export interface PoolNode extends NodeBase {
  readonly kind: 'pool';
  readonly pool: 'average' | 'mean';
  readonly window: readonly [number, number] | null;
}

export interface SoftmaxNode extends NodeBase {
  readonly kind: 'softmax';
  readonly beta: number;
}

/** `identity` leaves values and shape alone; `reshape` keeps the values in order. */
export interface PassNode extends NodeBase {
  readonly kind: 'identity' | 'reshape' | 'quantize' | 'dequantize';
}

/** Anything else; `problem` says why, when it is a known operator used in an unknown way. */
export interface OtherNode extends NodeBase {
  readonly kind: 'other';
  readonly problem: string | null;
}

export type GraphNode =
  | ConvNode
  | BatchNormNode
  | PadNode
  | ActivationNode
  | AddNode
  | PoolNode
  | SoftmaxNode
  | PassNode
  | OtherNode;

export interface Graph extends Pick<ModelSpec, 'format' | 'source' | 'labels' | 'preprocess'> {
  readonly precision: Precision;
  /** Channels are 3: the reader checked. `quantization` is null for a float input. */
  readonly input: {
    readonly tensor: TensorId;
    readonly height: number;
    readonly width: number;
    readonly quantization: Quantization | null;
  };
  readonly output: TensorId;
  readonly nodes: readonly GraphNode[];
}

export const noPads: Pads = { top: 0, bottom: 0, left: 0, right: 0 };

/** Refuses a channel count that no memory should be allocated for. */
export function checkChannels(count: number, what: string): number {
  if (count >= 1 && count <= MAX_CHANNELS) return count;
  return corrupt(`${what}: ${count} channels, expected 1 ... ${MAX_CHANNELS}`);
}

/** The index of the first value that is not between `low` and `high`, as neither of these and no NaN is; else -1. */
export type FirstOutside = (values: Float32Array, low: number, high: number) => number;

export const firstOutside: FirstOutside = (values, low, high) => {
  for (let i = 0; i < values.length; i++) {
    if (!((values[i] as number) > low && (values[i] as number) < high)) return i;
  }
  return -1;
};

/** NaN and infinities in weights are damage: nothing sensible comes out of them. */
export function checkFinite(values: Float32Array, what: string, find = firstOutside): Float32Array {
  const i = find(values, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY);
  if (i >= 0) corrupt(`${what}: element ${i} is ${values[i]}, expected a finite number`);
  return values;
}

/**
 * Bounds what the weights of all layers take together. Every stored weight takes at least one byte, so more weights
 * than the file has bytes (and some slack for small shared or absent ones) means that tensors share their bytes: a tiny
 * file could then ask for gigabytes.
 */
export class WeightBudget {
  private left: number;

  constructor(fileBytes: number) {
    this.left = fileBytes + 2 ** 20;
  }

  /** @param of what takes them; its name is put together only for the message. */
  take(count: number, of: { readonly what: string }): void {
    this.left -= count;
    if (this.left < 0) corrupt(`${of.what}: the layers use more weights than the file has bytes`);
  }
}
