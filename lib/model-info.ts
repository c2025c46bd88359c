/** What a loaded network is, for people and programs. */

import { stageShapes } from './compile/geometry.js';
import { type CompiledModel, compileOps } from './compile/ops.js';
import type { ConvSpec, ModelSpec, Precision } from './model-spec.js';
import { classCount, weightedLayers } from './model-spec.js';
import type { Isa, StageShape } from './native.js';

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

export function describeNetwork(spec: ModelSpec, compiled: CompiledModel = compileOps(spec)): NetworkInfo {
  const shapes = stageShapes(compiled.ops, spec.input.height, spec.input.width);
  const blocks = spec.blocks.map((block, i): BlockInfo => {
    const shape = shapes[i + 1] as StageShape; // after the stem
    const expandedChannels = block.depthwise.inChannels;
    const layers = [block.depthwise, block.project];
    return {
      name: block.residual?.name ?? block.project.name,
      t: expandedChannels / shape.inChannels,
      inChannels: shape.inChannels,
      expandedChannels,
      outChannels: shape.outChannels,
      stride: block.depthwise.stride,
      residual: block.residual !== null,
      height: shape.outHeight,
      width: shape.outWidth,
      macs:
        (block.expand ? convMacs(block.expand, shape.inHeight * shape.inWidth) : 0) +
        layers.reduce((sum, conv) => sum + convMacs(conv, shape.outHeight * shape.outWidth), 0),
    };
  });
  const pixelsOf = (shape: StageShape | undefined) => (shape ? shape.outHeight * shape.outWidth : 0);
  const macs =
    convMacs(spec.stem, pixelsOf(shapes[0])) +
    blocks.reduce((sum, block) => sum + block.macs, 0) +
    (spec.head ? convMacs(spec.head, pixelsOf(shapes[spec.blocks.length + 1])) : 0) +
    spec.classifier.reduce((sum, dense) => sum + convMacs(dense.conv, 1), 0);
  return {
    source: spec.source,
    format: spec.format,
    family: spec.family,
    precision: spec.precision,
    input: { width: spec.input.width, height: spec.input.height },
    classes: classCount(spec),
    parameters: [...weightedLayers(spec)].reduce(
      (sum, conv) => sum + conv.weights.values.length + conv.weights.bias.length,
      0,
    ),
    macs,
    blocks,
  };
}

function convMacs(conv: ConvSpec, outputPixels: number): number {
  return outputPixels * conv.kernel ** 2 * conv.outChannels * (conv.depthwise ? 1 : conv.inChannels);
}
