/**
 * CompiledModel + input size + the kernels' tile facts -> Program: which ops run as one row chain, which rows each
 * thread makes, and where everything lies in the arena. Pure.
 */
import type {
  Dtype,
  Lane,
  NativeOp,
  Program,
  ProgramOutput,
  RowBand,
  Stage,
  StageFacts,
  StageShape,
  Step,
} from '../native.js';
import { type LiveRange, placeRanges } from './arena.js';
import { stageShapes } from './geometry.js';
import type { CompiledModel, CompiledOp, Path } from './ops.js';

/** What planning asks of the packed model. */
export interface Kernels {
  /** What the kernel that will run op `op` needs when `lanes` threads share it. */
  stageFacts(op: number, shape: StageShape, lanes: number): StageFacts;
  /** Rows that each stage's output must keep when the stages run as one chain, for each of these bands. */
  ringRows(stages: Omit<Stage, 'outputRows'>[], bands: RowBand[]): number[];
}

/** A program and, for people and tests, the buffers its arena is made of. */
export interface Plan {
  readonly program: Program;
  readonly ranges: readonly LiveRange[];
  readonly offsets: readonly number[];
}

/** An op with its geometry, facts and position. */
interface PlannedOp {
  readonly index: number;
  readonly name: string;
  readonly op: NativeOp;
  readonly shape: StageShape;
  readonly facts: StageFacts;
  readonly outputRowBytes: number;
  readonly output: CompiledOp['output'];
}

/** Ops [begin, end) that run as one step. */
interface Cut {
  readonly begin: number;
  readonly end: number;
}

/**
 * @param path which ops run.
 * @param lanes threads that share one image, at least 1.
 * @throws MobileNetError INVALID_ARGUMENT for an impossible input size.
 */
export function planProgram(
  model: CompiledModel,
  path: Path,
  { height, width }: { readonly height: number; readonly width: number },
  lanes: number,
  kernels: Kernels,
): Plan {
  const compiled = path.ops.map((index) => model.ops[index] as CompiledOp);
  const shapes = stageShapes(compiled, height, width);
  const ops = compiled.map((op, k) =>
    plannedOp(op, path.ops[k] as number, shapes[k] as StageShape, model.dtype, lanes, kernels),
  );
  return new Layout(model.dtype, ops, path.outputs, lanes, kernels).plan(chooseCuts(ops, lanes, kernels));
}

function plannedOp(
  { op, name, output }: CompiledOp,
  index: number,
  shape: StageShape,
  dtype: Dtype,
  lanes: number,
  kernels: Kernels,
): PlannedOp {
  const facts = kernels.stageFacts(index, shape, lanes);
  const elementBytes = op.kind === 'softmax' || dtype === 'f32' ? 4 : 1;
  const outputRowBytes = shape.outWidth * shape.outChannels * elementBytes;
  return { index, name, op, shape, facts, outputRowBytes, output };
}

function outputBytes(op: PlannedOp): number {
  return op.outputRowBytes * op.shape.outHeight;
}

/** Pooling and what follows it see the whole image at once; only convolutions chain by rows. */
function chains(op: PlannedOp): boolean {
  return op.op.kind === 'stem' || op.op.kind === 'invertedResidual' || op.op.kind === 'pointwise';
}

/** How far behind the last op that is too large as a plain step chains are tried: longer ones never won (measured). */
const CHAIN_REACH = 3;

/**
 * Which neighbours to chain. A step's cost is its input, output, rings and scratch; the arena is as large as the largest
 * cost. Chaining saves memory, but a plain step has no turns to take, and at the border of two lanes a chain repeats more
 * rows. So of the cuts whose peak is the smallest possible, or no more than the largest narrow tensor (which somebody
 * who ran block by block would need anyway), those with the most steps are taken.
 */
function chooseCuts(ops: readonly PlannedOp[], lanes: number, kernels: Kernels): Cut[] {
  const costs = new Map<number, number>();
  const cost = (begin: number, end: number) => {
    const key = begin * (ops.length + 1) + end;
    const known =
      costs.get(key) ?? stepBytes(ops.slice(begin, end), begin === 0 ? null : ops[begin - 1], lanes, kernels);
    costs.set(key, known);
    return known;
  };
  const narrow = Math.max(0, ...ops.filter(({ op }) => op.kind === 'invertedResidual').map(outputBytes));
  // Only a chain that holds an op too large for a plain step can help; the large ops are the first ones.
  const tooLarge = ops.map((_, i) => cost(i, i + 1) > narrow);
  const last = tooLarge.lastIndexOf(true) + CHAIN_REACH;
  const chain = (begin: number, end: number) => end <= last + 1 && tooLarge.slice(begin, end).includes(true);
  const candidates = ops.map((_, i) =>
    [...beginnings(ops, i + 1)].filter((begin) => begin === i || chain(begin, i + 1)),
  );
  return mostSteps(candidates, cost, Math.max(smallestPeak(candidates, cost), narrow));
}

type StepCost = (begin: number, end: number) => number;

/** Where a step that ends before `end` may begin, nearest first. */
function* beginnings(ops: readonly PlannedOp[], end: number): Generator<number> {
  yield end - 1;
  if (!chains(ops[end - 1] as PlannedOp)) return;
  for (let begin = end - 2; begin >= 0 && chains(ops[begin] as PlannedOp); begin--) yield begin;
}

/** `candidates[i]`: where a step that ends with op i may begin. */
function smallestPeak(candidates: readonly (readonly number[])[], cost: StepCost): number {
  const peaks = [0]; // of the ops below an index
  candidates.forEach((begins, i) => {
    peaks.push(Math.min(...begins.map((begin) => Math.max(peaks[begin] as number, cost(begin, i + 1)))));
  });
  return peaks[candidates.length] as number;
}

function mostSteps(candidates: readonly (readonly number[])[], cost: StepCost, bound: number): Cut[] {
  const best: (readonly Cut[] | null)[] = [[]]; // null: not within the bound
  candidates.forEach((begins, i) => {
    const end = i + 1;
    let winner: readonly Cut[] | null = null;
    for (const begin of begins) {
      const before = best[begin];
      if (!before || cost(begin, end) > bound) continue;
      if (winner === null || before.length + 1 > winner.length) winner = [...before, { begin, end }];
    }
    best.push(winner);
  });
  return [...(best[candidates.length] ?? [])];
}

function stepBytes(
  stages: readonly PlannedOp[],
  producer: PlannedOp | null | undefined,
  lanes: number,
  kernels: Kernels,
): number {
  const last = stages[stages.length - 1] as PlannedOp;
  const whole = (producer ? outputBytes(producer) : 0) + outputBytes(last);
  const sliced = stages.length === 1 ? last.facts.slicedScratchBytes : null;
  if (sliced !== null) return whole + sliced;
  const rows = laneRows(stages, lanes, kernels);
  const perLane = stages.reduce((sum, stage, k) => {
    const ring = k === stages.length - 1 ? 0 : stage.outputRowBytes * (rows.rings[k] as number);
    return sum + ring + stage.facts.scratchBytes;
  }, 0);
  return whole + perLane * rows.bounds.length;
}

/** The rows each lane makes of the last stage, and the rings that suffice for all of them. */
function laneRows(stages: readonly PlannedOp[], lanes: number, kernels: Kernels) {
  const last = stages[stages.length - 1] as PlannedOp;
  const height = last.shape.outHeight;
  const count = chains(last) ? Math.min(lanes, height) : 1;
  const bounds: RowBand[] = [];
  for (let i = 0; i < count; i++) {
    bounds.push({ rowBegin: Math.floor((i * height) / count), rowEnd: Math.floor(((i + 1) * height) / count) });
  }
  if (stages.length === 1) return { bounds, rings: [height] };
  const chain = stages.map(({ index, shape }) => ({ op: index, shape }));
  return { bounds, rings: kernels.ringRows(chain, bounds) };
}

/** Turns cuts into steps with every buffer placed. */
class Layout {
  private readonly ranges: LiveRange[] = [];

  constructor(
    private readonly dtype: Dtype,
    private readonly ops: readonly PlannedOp[],
    /** Positions of the ops whose outputs the caller gets. */
    private readonly wanted: readonly number[],
    private readonly lanes: number,
    private readonly kernels: Kernels,
  ) {}

  plan(cuts: readonly Cut[]): Plan {
    // First everything is listed, with indices into `ranges` where offsets will be; then placed; then filled in.
    const outputs = cuts.map(({ end }, step) => this.tensor(end - 1, step, cuts.length));
    const drafts = cuts.map((cut, step) => this.draft(cut, step, outputs));
    const { offsets, bytes } = placeRanges(this.ranges);
    const at = (range: number) => offsets[range] as number;
    const steps: Step[] = drafts.map((draft) => ({
      inputOffset: draft.input === null ? null : at(draft.input),
      sliced: draft.sliced,
      stages: draft.stages,
      lanes: draft.lanes.map(
        ({ rowBegin, rowEnd, places }): Lane => ({
          rowBegin,
          rowEnd,
          places: places.map((p) => ({
            outputOffset: at(p.output),
            scratchOffset: p.scratch === null ? 0 : at(p.scratch),
          })),
        }),
      ),
    }));
    const results = this.wanted.map((position): ProgramOutput => {
      const op = this.ops[position] as PlannedOp;
      const step = cuts.findIndex(({ end }) => end === position + 1);
      const { outHeight, outWidth, outChannels } = op.shape;
      return {
        offset: at(outputs[step] as number),
        count: outHeight * outWidth * outChannels,
        dtype: op.output === null ? 'f32' : 'qu8',
        scale: op.output?.scale ?? 1,
        zeroPoint: op.output?.zeroPoint ?? 0,
      };
    });
    const program: Program = { dtype: this.dtype, arenaBytes: bytes, outputs: results, steps };
    return { program, ranges: this.ranges, offsets };
  }

  /** A whole tensor, live from the step that makes it to the next, or to the end if the caller gets it. */
  private tensor(position: number, step: number, steps: number): number {
    const op = this.ops[position] as PlannedOp;
    const to = this.wanted.includes(position) ? steps - 1 : Math.min(step + 1, steps - 1);
    return this.range(op.name, 'tensor', outputBytes(op), step, to);
  }

  private draft({ begin, end }: Cut, step: number, outputs: readonly number[]) {
    const stages = this.ops.slice(begin, end);
    const input = step === 0 ? null : (outputs[step - 1] as number);
    const output = outputs[step] as number;
    const last = stages[stages.length - 1] as PlannedOp;
    const scratchBytes = stages.length === 1 ? last.facts.slicedScratchBytes : null;
    if (scratchBytes !== null) {
      const scratch = this.scratch(last, scratchBytes, step, 'shared');
      const rows = last.shape.outHeight;
      const lane = { rowBegin: 0, rowEnd: rows, places: [{ output, scratch }] };
      const stage: Stage = { op: last.index, shape: last.shape, outputRows: rows };
      return { input, sliced: true, stages: [stage], lanes: new Array<typeof lane>(this.lanes).fill(lane) };
    }
    const { bounds, rings } = laneRows(stages, this.lanes, this.kernels);
    const lanes = bounds.map((rows, lane) => ({
      ...rows,
      places: stages.map((stage, k) => ({
        output:
          stage === last
            ? output
            : this.range(
                `${stage.name} (ring, lane ${lane})`,
                'ring',
                stage.outputRowBytes * (rings[k] as number),
                step,
                step,
              ),
        scratch: this.scratch(stage, stage.facts.scratchBytes, step, `lane ${lane}`),
      })),
    }));
    const planned = stages.map(
      (stage, k): Stage => ({ op: stage.index, shape: stage.shape, outputRows: rings[k] as number }),
    );
    return { input, sliced: false, stages: planned, lanes };
  }

  private scratch(stage: PlannedOp, bytes: number, step: number, of: string): number | null {
    return bytes === 0 ? null : this.range(`${stage.name} (scratch, ${of})`, 'scratch', bytes, step, step);
  }

  private range(name: string, kind: LiveRange['kind'], bytes: number, from: number, to: number): number {
    return this.ranges.push({ name, kind, bytes, from, to }) - 1;
  }
}
