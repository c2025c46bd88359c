/** The memory of a network's activations: layer by layer, block by block, and as planned. */
import type { LiveRange } from '../compile/arena.js';
import { dequantize } from '../compile/dequantize.js';
import { type CompiledModel, compileOps } from '../compile/ops.js';
import { Engine } from '../engine.js';
import type { BlockSpec, ConvSpec, ModelSpec, Quantization } from '../model-spec.js';
import { isaCeiling, native } from '../native.js';
import { valueBytes, workOf } from './work.js';

/** Bytes of everything that is written while one image runs on one thread. */
export interface ActivationMemory {
  /** Each layer's output whole, the expanded tensors included: the largest set that is alive at one time. */
  readonly unfused: number;
  /** Each block as one kernel: input, output and the kernel's own rows. */
  readonly fused: number;
  /** What the engine really takes: the first blocks chained row by row as well. */
  readonly chained: number;
}

/** In use in the steps `from` to `to`, both included. */
export interface PlannedRange extends LiveRange {
  readonly offset: number;
}

export interface PlannedMemory {
  readonly arenaBytes: number;
  /** The operators that each step runs; more than one: chained by rows. */
  readonly steps: readonly (readonly { readonly name: string; readonly what: string }[])[];
  readonly ranges: readonly PlannedRange[];
}

/** The arena as the engine plans it for one image on `threads` threads. */
export function plannedMemory(spec: ModelSpec, threads = 1): PlannedMemory {
  const engine = new Engine(spec, { threads });
  try {
    const { program, ranges, offsets } = engine.plan(spec.input.height, spec.input.width, threads);
    const work = workOf(engine.compiled, spec.input.height, spec.input.width);
    const described = (op: number) => ({ name: work[op]?.name ?? '', what: work[op]?.what ?? '' });
    return {
      arenaBytes: program.arenaBytes,
      steps: program.steps.map(({ stages }) => stages.map(({ op }) => described(op))),
      ranges: ranges.map((range, i) => ({ ...range, offset: offsets[i] as number })),
    };
  } finally {
    engine.release();
  }
}

export function activationMemory(spec: ModelSpec): {
  readonly int8: ActivationMemory;
  readonly fp32: ActivationMemory;
} {
  const float = spec.precision === 'float32';
  return { int8: memoryOf(float ? eightBitTwin(spec) : spec), fp32: memoryOf(float ? spec : dequantize(spec)) };
}

function memoryOf(spec: ModelSpec): ActivationMemory {
  const compiled = compileOps(spec);
  return {
    unfused: unfusedBytes(compiled, spec),
    fused: fusedBytes(compiled, spec),
    chained: plannedMemory(spec).arenaBytes,
  };
}

function unfusedBytes(compiled: CompiledModel, spec: ModelSpec): number {
  const element = valueBytes(compiled.dtype);
  let peak = 0;
  for (const [i, { shape }] of workOf(compiled, spec.input.height, spec.input.width).entries()) {
    const op = compiled.ops[i]?.op;
    const inPixels = shape.inHeight * shape.inWidth;
    const outPixels = shape.outHeight * shape.outWidth;
    const input = i === 0 ? 0 : inPixels * shape.inChannels; // the image is the caller's
    const output = outPixels * shape.outChannels;
    const live = (...values: number[]) => {
      peak = Math.max(peak, values.reduce((sum, v) => sum + v, 0) * element);
    };
    if (op?.kind !== 'invertedResidual') {
      live(input, output);
      continue;
    }
    const kept = op.residual ? input : 0;
    const expanded = op.expand ? inPixels * op.expand.outChannels : input;
    const filtered = outPixels * op.depthwise.outChannels;
    if (op.expand) live(input, expanded);
    live(op.expand ? kept : 0, expanded, filtered);
    live(kept, filtered, output);
    if (op.residual) live(input, output, output);
  }
  return peak;
}

function fusedBytes(compiled: CompiledModel, spec: ModelSpec): number {
  const binding = native();
  const model = binding.packModel(
    compiled.ops.map(({ op }) => op),
    isaCeiling(),
    1,
  );
  try {
    const steps = workOf(compiled, spec.input.height, spec.input.width).map(({ shape, activationBytes }, i) => {
      const image = i === 0 ? shape.inHeight * shape.inWidth * shape.inChannels * valueBytes(compiled.dtype) : 0;
      return activationBytes - image + binding.stageFacts(model, i, shape, 1).scratchBytes;
    });
    return Math.max(...steps);
  } finally {
    binding.releaseModel(model);
  }
}

/** The same shapes with 8-bit values. Its weights are zeros: only its memory means anything. */
function eightBitTwin(spec: ModelSpec): ModelSpec {
  const range: Quantization = { scale: 6 / 255, zeroPoint: -128 };
  const twin = (conv: ConvSpec): ConvSpec => ({
    ...conv,
    output: range,
    weights: {
      kind: 'quantized',
      values: new Int8Array(conv.weights.values.length),
      bias: new Int32Array(conv.outChannels),
      scales: Float32Array.of(1 / 128),
      zeroPoint: 0,
    },
  });
  const block = ({ expand, depthwise, project, residual }: BlockSpec): BlockSpec => ({
    expand: expand && twin(expand),
    depthwise: twin(depthwise),
    project: twin(project),
    residual: residual && { ...residual, output: range },
  });
  return {
    ...spec,
    precision: 'int8',
    input: { ...spec.input, quantization: range },
    stem: twin(spec.stem),
    blocks: spec.blocks.map(block),
    head: spec.head && twin(spec.head),
    pool: { ...spec.pool, output: range },
    classifier: spec.classifier.map((dense) => ({ ...dense, conv: twin(dense.conv) })),
    softmax: { kind: 'float', beta: spec.softmax.beta },
  };
}
