/** Plans of seeded networks over sizes, widths, thread counts and instruction sets: what must hold for every one. */
import { describe, expect, it } from 'vitest';
import { alignUp, peakLiveBytes } from '../../lib/compile/arena.js';
import type { Plan } from '../../lib/compile/program.js';
import { type Isa, native, type Program, type Stage, type Step } from '../../lib/native.js';
import { seededModel } from '../../lib/tools/seeded-model.js';
import { elementBytes, findOverlap, type PackedNetwork, packNetwork, spansOf } from './planned.js';

const SIZES = [96, 128, 192, 224, 320, 448].map((side) => [side, side] as const);
const ODD_SIZES = [
  [97, 131],
  [448, 96],
  [96, 448],
  [1, 1],
  [33, 2],
] as const;
const LANES = [1, 2, 3, 4];
const WIDTHS = [0.35, 0.75, 1, 1.4];
const PRECISIONS = ['float32', 'int8'] as const;

/** One instruction set for each choice of kernels; the others plan the same. */
function distinctIsas(precision: (typeof PRECISIONS)[number]): Isa[] {
  const kernelsOf = (isa: Isa) =>
    native()
      .modelFacts(network(0.35, precision, isa).model)
      .kernels.join(' ');
  return [
    ...new Map(
      native()
        .isas()
        .available.map((isa) => [kernelsOf(isa), isa]),
    ).values(),
  ];
}

/** The narrow-tensor peak of MobileNetV2 1.0 at 224: what the paper says inference needs, in values. */
const PAPER_PEAK = 200_704;

function network(width: number, precision: (typeof PRECISIONS)[number], isa = native().isas().best): PackedNetwork {
  return packNetwork(seededModel({ family: 'mobilenet_v2', width, size: 224, classes: 1000, precision }), isa);
}

/** Rings and scratch: of a lane, or common to lanes that are slices of channels. */
function isOfOneStep(name: string): boolean {
  return /\((ring|scratch), (lane \d+|shared)\)$/.test(name);
}

/** Values of the largest tensor that the paper counts: block outputs and the head's, not the stem's. */
function largestNarrow(packed: PackedNetwork, program: Program): number {
  const stages = program.steps.flatMap((step) => step.stages);
  const counted = stages.filter(({ op }) =>
    ['invertedResidual', 'pointwise'].includes(packed.compiled.ops[op]?.op.kind ?? ''),
  );
  return Math.max(...counted.map(({ shape }) => shape.outHeight * shape.outWidth * shape.outChannels));
}

/** Soundness from the program alone, without what the planner says about live ranges. */
function expectDisjoint(packed: PackedNetwork, program: Program): void {
  program.steps.forEach((step, s) => {
    const spans = spansOf(packed, program, step);
    for (const { name, end } of spans) expect(end, name).toBeLessThanOrEqual(program.arenaBytes);
    // What the caller gets stays where it is until the last step.
    for (const output of program.outputs) {
      const end = output.offset + output.count * (output.dtype === 'f32' ? 4 : 1);
      const made = program.steps.findIndex(
        (one) => one.lanes[0]?.places.at(-1)?.outputOffset === output.offset && outputCount(one) === output.count,
      );
      expect(made).toBeGreaterThanOrEqual(0);
      if (s > made + 1) spans.push({ name: 'kept output', begin: output.offset, end });
    }
    const overlap = findOverlap(spans);
    if (overlap) expect.fail(`step ${s}: ${JSON.stringify(overlap)}`);
    // The input is what the step before made.
    if (s > 0) expect(step.inputOffset).toBe(program.steps[s - 1]?.lanes[0]?.places.at(-1)?.outputOffset);
  });
}

function outputCount(step: Step): number {
  const { outHeight, outWidth, outChannels } = (step.stages.at(-1) as Stage).shape;
  return outHeight * outWidth * outChannels;
}

function expectWithinBounds({ program, ranges, offsets }: Plan): void {
  expect(offsets.length).toBe(ranges.length);
  const linear = ranges.reduce((sum, { bytes }) => sum + alignUp(bytes), 0);
  const peak = peakLiveBytes(ranges);
  expect(program.arenaBytes).toBeLessThanOrEqual(linear);
  expect(program.arenaBytes).toBe(peak); // no plan can need less
}

for (const precision of PRECISIONS) {
  describe.each(distinctIsas(precision))(`${precision} plans for %s`, (isa) => {
    it(`no two live buffers share a byte, arenas are the peak, and native accepts every plan`, () => {
      for (const width of WIDTHS) {
        const packed = network(width, precision, isa);
        for (const [height, imageWidth] of [...(width === 1 ? SIZES : []), ...ODD_SIZES]) {
          for (const lanes of LANES) {
            const plan = packed.plan(height, imageWidth, lanes);
            expectWithinBounds(plan);
            expectDisjoint(packed, plan.program);
            native().bindProgram(packed.model, plan.program);
          }
        }
      }
    });

    it(`one thread at 224 needs no more than the largest narrow tensor of the paper`, () => {
      const { program } = network(1, precision, isa).plan(224, 224);
      expect(program.arenaBytes).toBeLessThanOrEqual(PAPER_PEAK * elementBytes(program));
    });

    it(`nor does any square image need more than that, or than its own largest narrow tensor`, () => {
      for (const width of WIDTHS) {
        const packed = network(width, precision, isa);
        for (const [height, imageWidth] of SIZES) {
          const { program } = packed.plan(height, imageWidth);
          const bound = Math.max(PAPER_PEAK, largestNarrow(packed, program)) * elementBytes(program);
          expect(program.arenaBytes, `${width} at ${height}`).toBeLessThanOrEqual(bound);
        }
      }
    });
  });
}

describe('lanes', () => {
  const packed = network(1, 'int8');

  it('cover the rows of each step in order, or all of them if they are slices, and share its output', () => {
    for (const lanes of LANES) {
      const { program, ranges } = packed.plan(224, 224, lanes);
      for (const step of program.steps) {
        const rows = (step.stages.at(-1) as Stage).shape.outHeight;
        expect(new Set(step.lanes.map(({ places }) => places.at(-1)?.outputOffset)).size).toBe(1);
        if (step.sliced) {
          for (const { rowBegin, rowEnd } of step.lanes) expect([rowBegin, rowEnd]).toEqual([0, rows]);
          continue;
        }
        let row = 0;
        for (const { rowBegin, rowEnd } of step.lanes) {
          expect(rowBegin).toBe(row);
          expect(rowEnd).toBeGreaterThan(rowBegin);
          row = rowEnd;
        }
        expect(row).toBe(rows);
      }
      // Rings and scratch live in one step; all others are one tensor per step.
      expect(ranges.filter(({ name }) => !isOfOneStep(name)).length).toBe(program.steps.length);
      for (const { name, from, to } of ranges) if (isOfOneStep(name)) expect(to).toBe(from);
    }
  });

  it('add at most what one lane keeps for itself', () => {
    const own = (plan: Plan) => {
      const sums = plan.program.steps.map((_, step) =>
        plan.ranges.reduce(
          (sum, { name, bytes, from }) => sum + (isOfOneStep(name) && from === step ? alignUp(bytes) : 0),
          0,
        ),
      );
      return Math.max(...sums);
    };
    for (const lanes of LANES) {
      const plan = packed.plan(224, 224, lanes);
      const tensors = plan.ranges.filter(({ name }) => !isOfOneStep(name));
      expect(plan.program.arenaBytes).toBeLessThanOrEqual((peakLiveBytes(tensors) + own(plan)) * 1.05);
    }
  });

  it('are never more than the rows', () => {
    const { program } = packed.plan(64, 64, 16);
    for (const step of program.steps) {
      const { outHeight } = (step.stages.at(-1) as Stage).shape;
      expect(step.lanes.length).toBeLessThanOrEqual(step.sliced ? 16 : Math.min(16, outHeight));
    }
    expect(Math.max(...program.steps.map(({ lanes }) => lanes.length))).toBe(16);
  });
});

it('rings are as small as they can be: native refuses one row less', () => {
  for (const precision of PRECISIONS) {
    const packed = network(0.35, precision);
    let rings = 0;
    for (const lanes of [1, 3]) {
      const { program } = packed.plan(128, 128, lanes);
      program.steps.forEach((step, s) => {
        step.stages.slice(0, -1).forEach((stage, k) => {
          if (stage.outputRows === 1) return;
          const smaller = structuredClone(program);
          (smaller.steps[s]?.stages[k] as Stage).outputRows = stage.outputRows - 1;
          expect(() => native().bindProgram(packed.model, smaller)).toThrow(/ring is too small/);
          rings++;
        });
      });
    }
    expect(rings).toBeGreaterThan(0); // else nothing was shown
  }
});

it.each(['float32', 'int8'] as const)('planning takes less time than packing (%s)', (precision) => {
  const least = (work: () => void) => {
    const times = Array.from({ length: 5 }, () => {
      const started = performance.now();
      work();
      return performance.now() - started;
    });
    return Math.min(...times);
  };
  const spec = seededModel({ family: 'mobilenet_v2', width: 1, size: 224, precision });
  const packing = least(() => packNetwork(spec, native().isas().best));
  const packed = packNetwork(spec, native().isas().best);
  for (const lanes of [1, 2, 3, 4]) expect(least(() => packed.plan(224, 224, lanes))).toBeLessThan(packing);
});
