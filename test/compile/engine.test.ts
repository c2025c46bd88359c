/**
 * Whole networks of odd sizes on every instruction set and thread count: int8 equals the scalar reference bit for bit,
 * float within a tolerance, and neither depends on how the work is shared.
 */
import { describe, expect, it } from 'vitest';
import { Engine } from '../../lib/engine.js';
import type { ModelSpec } from '../../lib/model-spec.js';
import { type Isa, native } from '../../lib/native.js';
import { seededModel } from '../../lib/tools/seeded-model.js';
import { type InputTensor, seededImages } from './seeded-input.js';

const CLASSES = 37;
const { available, best } = native().isas();
const faster = available.filter((isa) => isa !== 'scalar');

interface Case {
  readonly family: 'mobilenet_v1' | 'mobilenet_v2';
  readonly width: number;
  readonly height: number;
  readonly imageWidth: number;
  readonly padding?: 'same' | 'symmetric';
}

const CASES: Case[] = [
  { family: 'mobilenet_v2', width: 0.35, height: 96, imageWidth: 96 },
  { family: 'mobilenet_v2', width: 0.5, height: 33, imageWidth: 57, padding: 'symmetric' },
  { family: 'mobilenet_v2', width: 0.75, height: 61, imageWidth: 32 },
  { family: 'mobilenet_v2', width: 1.4, height: 35, imageWidth: 64 },
  { family: 'mobilenet_v2', width: 0.1, height: 32, imageWidth: 32 }, // a skip in the block without expansion
  { family: 'mobilenet_v2', width: 0.35, height: 1, imageWidth: 1 },
  { family: 'mobilenet_v2', width: 0.35, height: 2, imageWidth: 131 },
  { family: 'mobilenet_v1', width: 0.25, height: 64, imageWidth: 41 },
  { family: 'mobilenet_v1', width: 0.5, height: 47, imageWidth: 47, padding: 'symmetric' },
];

const name = (c: Case) => `${c.family} ${c.width} ${c.height}x${c.imageWidth} ${c.padding ?? 'same'}`;

function modelOf(c: Case, precision: ModelSpec['precision']): ModelSpec {
  const { family, width, padding = 'same' } = c;
  return seededModel({ family, width, size: 32, classes: CLASSES, precision, padding, seed: 5 });
}

async function run(engine: Engine, c: Case, input: InputTensor, count: number) {
  const probabilities = new Float32Array(count * CLASSES).fill(Number.NaN);
  const logits = new Float32Array(count * CLASSES).fill(Number.NaN);
  const size = { height: c.height, width: c.imageWidth };
  expect(await engine.run({ ...size, input, count, outputs: [probabilities, logits] })).toBe(true);
  return { probabilities, logits };
}

const logitsOn = async (spec: ModelSpec, c: Case, isa: Isa, threads: number, input: InputTensor, count = 1) =>
  (await run(new Engine(spec, { isa, threads }), c, input, count)).logits;

const worst = (a: Float32Array, b: Float32Array) =>
  a.reduce((max, v, i) => Math.max(max, Math.abs(v - (b[i] as number))), 0);

describe(`networks on ${available.join(', ')}`, () => {
  for (const c of CASES) {
    for (const precision of ['uint8', 'int8'] as const) {
      it(`${name(c)} ${precision}: every instruction set and thread count equals the scalar reference bit for bit`, async () => {
        const spec = modelOf(c, precision);
        const input = seededImages(spec, c.height, c.imageWidth);
        const want = await logitsOn(spec, c, 'scalar', 1, input);
        expect(new Set(want).size).toBeGreaterThan(CLASSES / 3); // something that could differ
        for (const isa of available) {
          for (const threads of isa === best ? [1, 2, 3, 4] : [1, 3]) {
            const got = await logitsOn(spec, c, isa, threads, input);
            expect(got, `${isa}, ${threads} threads`).toEqual(want);
          }
        }
      });
    }

    it(`${name(c)} float32: within tolerance of the scalar reference, and the same for every thread count`, async () => {
      const spec = modelOf(c, 'float32');
      const input = seededImages(spec, c.height, c.imageWidth);
      const want = await logitsOn(spec, c, 'scalar', 1, input);
      for (const isa of available) {
        const alone = await logitsOn(spec, c, isa, 1, input);
        // Logits are of size 3 to 10: some rounding of sums in another order, through 50 layers.
        expect(worst(alone, want), isa).toBeLessThan(1e-3);
        for (const threads of [2, 3, 4]) {
          expect(await logitsOn(spec, c, isa, threads, input), `${isa}, ${threads} threads`).toEqual(alone);
        }
      }
    });
  }

  for (const precision of ['float32', 'uint8', 'int8'] as const) {
    it(`${precision}: a batch gives what its images give alone, on any number of threads`, async () => {
      const c: Case = { family: 'mobilenet_v2', width: 0.35, height: 40, imageWidth: 48 };
      const spec = modelOf(c, precision);
      const count = 7;
      const values = c.height * c.imageWidth * 3;
      const input = seededImages(spec, c.height, c.imageWidth, count, 9);
      const single = new Engine(spec, { threads: 1 });
      const alone = [];
      for (let i = 0; i < count; i++) {
        alone.push(await run(single, c, input.subarray(i * values, (i + 1) * values), 1));
      }
      for (const threads of [1, 2, 3, 8, 16]) {
        const batch = await run(new Engine(spec, { threads }), c, input, count);
        alone.forEach(({ probabilities, logits }, i) => {
          expect(batch.logits.subarray(i * CLASSES, (i + 1) * CLASSES)).toEqual(logits);
          expect(batch.probabilities.subarray(i * CLASSES, (i + 1) * CLASSES)).toEqual(probabilities);
        });
      }
    });
  }

  it('probabilities are the softmax of the logits', async () => {
    for (const precision of ['float32', 'int8'] as const) {
      const c: Case = { family: 'mobilenet_v2', width: 0.35, height: 32, imageWidth: 32 };
      const spec = modelOf(c, precision);
      const { probabilities, logits } = await run(new Engine(spec, { threads: 1 }), c, seededImages(spec, 32, 32), 1);
      const top = Math.max(...logits);
      const exp = logits.map((v) => Math.exp(v - top));
      const sum = exp.reduce((a, b) => a + b, 0);
      // An 8-bit softmax gives multiples of 1/256.
      expect(
        worst(
          probabilities,
          exp.map((e) => e / sum),
        ),
      ).toBeLessThan(precision === 'float32' ? 1e-6 : 1 / 256 + 1e-3);
    }
  });
});

it.skipIf(faster.length === 0)(
  `each faster instruction set runs kernels of its own${faster.length === 0 ? ' (skipped: this CPU offers scalar alone)' : ''}`,
  () => {
    const rows = native().kernels();
    for (const isa of faster) {
      if (!rows.some((row) => row.isa === isa)) continue;
      const used = (['float32', 'int8'] as const).flatMap((precision) => {
        const spec = seededModel({ family: 'mobilenet_v2', width: 0.35, size: 32, precision });
        return new Engine(spec, { threads: 1, isa }).facts.kernels;
      });
      expect(
        used.some((kernel) => kernel.endsWith(`__${isa}`)),
        `${isa}: ${used.join(' ')}`,
      ).toBe(true);
    }
  },
);

describe('packing', () => {
  it.each(['int8', 'uint8', 'float32'] as const)('gives the same bytes on any number of threads: %s', (precision) => {
    const spec = modelOf(CASES[0]!, precision);
    const keys = [1, 2, 3, 8].map((threads) => {
      const engine = new Engine(spec, { threads });
      engine.release(); // before the next, so that nothing is shared
      return engine.facts.contentKey;
    });
    expect(new Set(keys).size).toBe(1);
  });
});
