/** A seeded network, packed and planned, without the engine around it. */
import { type CompiledModel, compileOps } from '../../lib/compile/ops.js';
import { type Plan, planProgram } from '../../lib/compile/program.js';
import { kernelsOf } from '../../lib/engine.js';
import type { ModelSpec } from '../../lib/model-spec.js';
import { type Isa, type ModelHandle, native, type Program, type Stage, type Step } from '../../lib/native.js';

export interface PackedNetwork {
  readonly compiled: CompiledModel;
  readonly model: ModelHandle;
  plan(height: number, width: number, lanes?: number): Plan;
}

export function packNetwork(spec: ModelSpec, isa: Isa): PackedNetwork {
  const compiled = compileOps(spec);
  const model = native().packModel(
    compiled.ops.map(({ op }) => op),
    isa,
    1,
  );
  return {
    compiled,
    model,
    plan: (height, width, lanes = 1) =>
      planProgram(compiled, compiled.classify, { height, width }, lanes, kernelsOf(native(), model)),
  };
}

export function elementBytes(program: Program): number {
  return program.dtype === 'f32' ? 4 : 1;
}

/** [begin, end) in an arena, and what lies there. */
export interface Span {
  readonly name: string;
  readonly begin: number;
  readonly end: number;
}

function outputSpan(name: string, network: PackedNetwork, stage: Stage, offset: number): Span {
  const { outWidth, outChannels } = stage.shape;
  const op = network.compiled.ops[stage.op]?.op;
  const element = op?.kind === 'softmax' || op?.dtype === 'f32' ? 4 : 1;
  return { name, begin: offset, end: offset + stage.outputRows * outWidth * outChannels * element };
}

/** What a step reads and writes, from the program alone; the output that lanes share is listed once. */
export function spansOf(network: PackedNetwork, program: Program, step: Step): Span[] {
  const spans: Span[] = [];
  const first = step.stages[0] as Stage;
  if (step.inputOffset !== null) {
    const { inHeight, inWidth, inChannels } = first.shape;
    const bytes = inHeight * inWidth * inChannels * elementBytes(program);
    spans.push({ name: 'input', begin: step.inputOffset, end: step.inputOffset + bytes });
  }
  step.lanes.forEach((lane, l) => {
    step.stages.forEach((stage, k) => {
      const { outputOffset = -1, scratchOffset = -1 } = lane.places[k] ?? {};
      if (k < step.stages.length - 1 || l === 0) {
        spans.push(outputSpan(`lane ${l} stage ${k} output`, network, stage, outputOffset));
      }
      const facts = native().stageFacts(network.model, stage.op, stage.shape, step.lanes.length);
      const scratchBytes = step.sliced ? (facts.slicedScratchBytes ?? 0) : facts.scratchBytes;
      if (scratchBytes > 0 && (l === 0 || !step.sliced)) {
        spans.push({ name: `lane ${l} stage ${k} scratch`, begin: scratchOffset, end: scratchOffset + scratchBytes });
      }
    });
  });
  return spans;
}

/** The first two spans that share a byte. */
export function findOverlap(spans: readonly Span[]): [Span, Span] | null {
  const sorted = spans.filter(({ begin, end }) => end > begin).sort((a, b) => a.begin - b.begin);
  for (const [i, span] of sorted.slice(1).entries()) {
    const before = sorted[i] as Span;
    if (before.end > span.begin) return [before, span];
  }
  return null;
}
