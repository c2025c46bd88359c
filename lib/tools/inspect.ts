/** What was understood of a model. */
import { compileOps } from '../compile/ops.js';
import { describeNetwork, type NetworkInfo } from '../model-info.js';
import type { ModelSpec, Quantization } from '../model-spec.js';
import { type ActivationMemory, activationMemory, type PlannedMemory, plannedMemory } from './memory.js';
import { type ComparedNetwork, comparedNetworks, type Resolution, resolutionsOf } from './networks-compared.js';
import { type NetworkSource, type PrecisionName, readNetwork } from './read-network.js';
import { type OpWork, workOf } from './work.js';

/** A row of the network's table: `n` blocks in a row with expansion t and c output channels, the first with stride s. */
export interface Stage {
  readonly t: number;
  readonly c: number;
  readonly n: number;
  readonly s: 1 | 2;
  /** Size before the stride. */
  readonly height: number;
  readonly width: number;
  readonly inChannels: number;
  readonly macs: number;
}

/** Documented in the help of `inspect`. Additions are allowed, changes are not. */
export interface Inspection {
  readonly network: Omit<NetworkInfo, 'blocks'>;
  readonly stem: { readonly channels: number; readonly stride: number };
  readonly stages: readonly Stage[];
  /** The last 1x1 convolution before pooling; null where the network has none. */
  readonly head: { readonly channels: number } | null;
  /** Fully connected layers, the last giving the logits. */
  readonly classifier: readonly { readonly inputs: number; readonly outputs: number }[];
  readonly softmax: { readonly inFile: boolean; readonly beta: number };
  readonly inputQuantization: Quantization | null;
  /** What the format implies; null: it says nothing, and `tf` is used. */
  readonly preprocess: string | null;
  readonly labels: { readonly count: number; readonly first: readonly string[] } | null;
  readonly memory?: MemoryInspection;
}

export interface MemoryInspection {
  /** Largest tensor between blocks at each resolution, 16-bit values. */
  readonly perResolution: readonly Resolution[];
  readonly compared: readonly ComparedNetwork[];
  readonly int8: ActivationMemory;
  readonly fp32: ActivationMemory;
  readonly plan: PlannedMemory;
}

export async function inspectModel(
  source: NetworkSource,
  precision: PrecisionName | undefined,
  withMemory: boolean,
): Promise<Inspection> {
  const spec = await readNetwork(source, precision);
  const compiled = compileOps(spec);
  const { blocks, ...network } = describeNetwork(spec, compiled);
  const work = workOf(compiled, spec.input.height, spec.input.width).slice(1); // after the stem
  return {
    network,
    stem: { channels: spec.stem.outChannels, stride: spec.stem.stride },
    stages: stagesOf(blocks, work),
    head: spec.head && { channels: spec.head.outChannels },
    classifier: spec.classifier.map(({ conv }) => ({ inputs: conv.inChannels, outputs: conv.outChannels })),
    softmax: { inFile: !spec.logitsOnly, beta: spec.softmax.beta },
    inputQuantization: spec.input.quantization,
    preprocess: spec.preprocess,
    labels: spec.labels && { count: spec.labels.length, first: spec.labels.slice(0, 3) },
    ...(withMemory && { memory: memoryOf(spec) }),
  };
}

function stagesOf(blocks: NetworkInfo['blocks'], work: readonly OpWork[]): Stage[] {
  const stages: Stage[] = [];
  for (const [i, block] of blocks.entries()) {
    const { shape } = work[i] as OpWork;
    const last = stages.at(-1);
    if (last && last.t === block.t && last.c === block.outChannels && block.stride === 1) {
      stages[stages.length - 1] = { ...last, n: last.n + 1, macs: last.macs + block.macs };
      continue;
    }
    stages.push({
      ...{ t: block.t, c: block.outChannels, n: 1, s: block.stride, inChannels: block.inChannels, macs: block.macs },
      ...{ height: shape.inHeight, width: shape.inWidth },
    });
  }
  return stages;
}

function memoryOf(spec: ModelSpec): MemoryInspection {
  return {
    perResolution: resolutionsOf(spec),
    compared: comparedNetworks(),
    ...activationMemory(spec),
    plan: plannedMemory(spec),
  };
}
