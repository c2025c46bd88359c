/**
 * The one normalised description of a network that every file format is parsed into.
 *
 * Activations are NHWC with N = 1. A quantised tensor holds integers q that stand for real = scale * (q - zeroPoint).
 * All integers are the file's own (an int8 file's zero points are in -128 ... 127); lib/compile moves them to the
 * engine's domain. Weight arrays may be views of the file's bytes: treat them as read-only.
 */

export type Precision = 'float32' | 'uint8' | 'int8';

export type Activation = 'linear' | 'relu' | 'relu6';

/**
 * How a 3x3 convolution pads. `same`: TensorFlow's SAME (the odd row or column goes after the image: bottom, right).
 * `symmetric`: one row or column on each side (PyTorch). 1x1 convolutions need none and say `same`.
 */
export type Padding = 'same' | 'symmetric';

export interface Quantization {
  readonly scale: number;
  readonly zeroPoint: number;
}

export interface FloatWeights {
  readonly kind: 'float32';
  /** Conv: [out][ky][kx][in]. Depthwise: [ky][kx][channel]. Batch normalisation is already folded in. */
  readonly values: Float32Array;
  /** [out] */
  readonly bias: Float32Array;
}

export interface QuantizedWeights {
  readonly kind: 'quantized';
  /** Same layouts as {@link FloatWeights}. */
  readonly values: Uint8Array | Int8Array;
  /** [out] */
  readonly bias: Int32Array;
  /** One scale for all output channels (length 1) or one per output channel. Float32 values. */
  readonly scales: Float32Array;
  /** Of the weights, common to all channels; 0 for int8. */
  readonly zeroPoint: number;
}

export interface ConvSpec {
  /** The file's name for the output, for messages and profiles. */
  readonly name: string;
  readonly inChannels: number;
  readonly outChannels: number;
  readonly kernel: 1 | 3;
  readonly stride: 1 | 2;
  readonly padding: Padding;
  readonly depthwise: boolean;
  readonly activation: Activation;
  readonly weights: FloatWeights | QuantizedWeights;
  /** Of the output tensor; null in a float network. */
  readonly output: Quantization | null;
}

/** 1x1 expansion, 3x3 depthwise, 1x1 projection, and the skip. MobileNetV1's separable block has no expansion and an
 * activation on its projection. */
export interface BlockSpec {
  readonly expand: ConvSpec | null;
  readonly depthwise: ConvSpec;
  readonly project: ConvSpec;
  /** The skip between the narrow tensors: present or null. `output` as in {@link ConvSpec}. */
  readonly residual: { readonly name: string; readonly output: Quantization | null } | null;
}

export interface PoolSpec {
  readonly name: string;
  /** `average`: AVERAGE_POOL_2D's integer rounding; `mean`: MEAN's. The same thing in float. */
  readonly kind: 'average' | 'mean';
  readonly output: Quantization | null;
}

/**
 * A fully connected layer on the pooled vector, as a 1x1 ConvSpec. `rounding` matters to quantised networks only:
 * TFLite's FULLY_CONNECTED on uint8 rounds once (`single`), everything else twice (`double`).
 */
export interface DenseSpec {
  readonly conv: ConvSpec;
  readonly rounding: 'double' | 'single';
}

/**
 * `float`: exp and division on real logits. `fixed-point`: TFLite's 8-bit SOFTMAX, whose output is quantised as
 * `output` says (scale 1/256). A file without a softmax gets one of kind `float`; {@link ModelSpec.logitsOnly} says so.
 */
export type SoftmaxSpec =
  | { readonly kind: 'float'; readonly beta: number }
  | { readonly kind: 'fixed-point'; readonly beta: number; readonly output: Quantization };

/** A named recipe, from the image to the input tensor; `preprocessRecipes` says what each does. */
export type PreprocessRecipeName = 'tf' | 'torchvision' | 'keras' | 'teachable-machine' | 'nsfwjs' | 'stretch';

export interface ModelSpec {
  readonly family: 'mobilenet_v1' | 'mobilenet_v2';
  readonly format: 'tflite' | 'tfjs-layers' | 'seeded';
  /** One line for people: file or package it came from. */
  readonly source: string;
  readonly precision: Precision;
  /** Height and width the file was made for. Channels are always 3 (RGB). */
  readonly input: { readonly height: number; readonly width: number; readonly quantization: Quantization | null };
  readonly stem: ConvSpec;
  readonly blocks: readonly BlockSpec[];
  /** The last 1x1 convolution before pooling; MobileNetV1 has none. */
  readonly head: ConvSpec | null;
  readonly pool: PoolSpec;
  /** At least one; the last gives the logits. */
  readonly classifier: readonly DenseSpec[];
  readonly softmax: SoftmaxSpec;
  /** Whether the file itself ends in logits. */
  readonly logitsOnly: boolean;
  /** Labels by output index, when the file carries them. */
  readonly labels: readonly string[] | null;
  /** What the format implies; the caller may override it. Null: the format says nothing. */
  readonly preprocess: PreprocessRecipeName | null;
}

/** Number of classes: the length of the logits. */
export function classCount(spec: ModelSpec): number {
  const last = spec.classifier.at(-1);
  return last === undefined ? 0 : last.conv.outChannels;
}

/** All layers with weights, in order of execution. */
export function* weightedLayers(spec: ModelSpec): Generator<ConvSpec> {
  yield spec.stem;
  for (const block of spec.blocks) {
    if (block.expand) yield block.expand;
    yield block.depthwise;
    yield block.project;
  }
  if (spec.head) yield spec.head;
  for (const dense of spec.classifier) yield dense.conv;
}
