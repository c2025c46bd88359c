/** What a loaded network is, for people and programs. */

import { stageShapes } from './compile/geometry.js';
import { type CompiledModel, compileOps } from './compile/ops.js';
import type { ModelSpec, Precision } from './model-spec.js';
import type { Isa, NativeConv, NativeOp, StageShape } from './native.js';

/** One inverted residual block (or MobileNetV1 separable block: t = 1, no expansion). */
export interface BlockInfo {
  readonly name: string;
  /** Expansion factor: expanded channels / input channels. */
  readonly t: number;
  readonly inChannels: number;
  readonly expandedChannels: number;
  readonly outChannels: number;
  readonly stride: 1 | 2;
  readonly residual: boolean;
  /** Output size at the network's own input size. */
  readonly height: number;
  readonly width: number;
  /** Multiply-accumulate operations at that size. */
  readonly macs: number;
}

/** What `info` of a model tells. */
export interface ModelInfo {
  /** File, package or name it was loaded from. */
  readonly source: string;
  /** Of the file it was read from. */
  readonly format: ModelSpec['format'];
  readonly family: ModelSpec['family'];
  /** Of weights and activations. */
  readonly precision: Precision;
  /** The input size images are resized to. */
  readonly input: { readonly width: number; readonly height: number };
  /** Length of the logits and of the probabilities. */
  readonly classes: number;
  /** Whether classifications carry labels. */
  readonly hasLabels: boolean;
  /** Name of the preprocessing recipe used unless a call says otherwise. */
  readonly preprocess: string;
  /** Weights and biases, after batch normalisation is folded in. */
  readonly parameters: number;
  /** Multiply-accumulate operations for one image. */
  readonly macs: number;
  /** In order of execution. */
  readonly blocks: readonly BlockInfo[];
  /** The strongest instruction set among the kernels in use. */
  readonly isa: Isa;
  /** Most threads this model uses at a time. */
  readonly threads: number;
  /** Bytes of packed weights. */
  readonly weightBytes: number;
  readonly arena: ArenaInfo;
}

/** The memory that activations live in while an image runs: everything the engine writes. */
export interface ArenaInfo {
  /** One arena, as planned for one image on one thread. */
  readonly bytes: number;
  /** Most arena bytes this model has held at a time, over all arenas. */
  readonly highWaterBytes: number;
}

/** Everything that follows from the network alone. */
export type NetworkInfo = Omit<ModelInfo, 'isa' | 'threads' | 'weightBytes' | 'arena' | 'preprocess' | 'hasLabels'>;

/** What describing a network needs besides its operators, whose weights may be gone. */
export type NetworkFacts = Pick<ModelSpec, 'source' | 'format' | 'family' | 'precision' | 'input'>;

export function describeSpec(spec: ModelSpec): NetworkInfo {
  return describeNetwork(spec, compileOps(spec));
}

export function describeNetwork(facts: NetworkFacts, { ops, classes }: CompiledModel): NetworkInfo {
  const { source, format, family, precision } = facts;
  const { height, width } = facts.input;
  const shapes = stageShapes(ops, height, width);
  const blocks: BlockInfo[] = [];
  let parameters = 0;
  let macs = 0;
  ops.forEach(({ name, op }, i) => {
    const shape = shapes[i] as StageShape;
    const layers = convsOf(op, shape);
    const ownMacs = layers.reduce((sum, { conv, pixels }) => sum + pixels * weightCount(conv), 0);
    macs += ownMacs;
    parameters += layers.reduce((sum, { conv }) => sum + weightCount(conv) + conv.outChannels, 0);
    if (op.kind === 'invertedResidual') blocks.push(describeBlock(name, op, shape, ownMacs));
  });
  return { source, format, family, precision, input: { width, height }, classes, parameters, macs, blocks };
}

function describeBlock(
  name: string,
  { depthwise, residual }: NativeOp & { kind: 'invertedResidual' },
  shape: StageShape,
  macs: number,
): BlockInfo {
  return {
    name,
    t: depthwise.inChannels / shape.inChannels,
    inChannels: shape.inChannels,
    expandedChannels: depthwise.inChannels,
    outChannels: shape.outChannels,
    stride: depthwise.stride as 1 | 2,
    residual: residual !== null,
    height: shape.outHeight,
    width: shape.outWidth,
    macs,
  };
}

/** The convolutions of an operator, each with how many pixels it makes. */
function convsOf(op: NativeOp, shape: StageShape): { readonly conv: NativeConv; readonly pixels: number }[] {
  const pixels = shape.outHeight * shape.outWidth;
  if (op.kind === 'globalAveragePool' || op.kind === 'softmax') return [];
  if (op.kind !== 'invertedResidual') return [{ conv: op.conv, pixels }];
  const expand = op.expand ? [{ conv: op.expand, pixels: shape.inHeight * shape.inWidth }] : [];
  return [...expand, { conv: op.depthwise, pixels }, { conv: op.project, pixels }];
}

function weightCount({ kernel, inChannels, outChannels, depthwise }: NativeConv): number {
  return kernel ** 2 * outChannels * (depthwise ? 1 : inChannels);
}
