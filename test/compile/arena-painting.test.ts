/** What a run writes: nothing outside its arena, nothing outside the buffers that the plan names, whatever was there. */
import { describe, expect, it } from 'vitest';
import { native, type Program, type ProgramHandle } from '../../lib/native.js';
import { seededModel } from '../../lib/tools/seeded-model.js';
import { packNetwork } from './planned.js';
import { type InputTensor, seededImages, seededRandom } from './seeded-input.js';

const CLASSES = 10;
const GUARD = 1024;
const PATTERNS: [string, (i: number) => number][] = [
  ['zeros', () => 0],
  ['ones, which are NaN as floats', () => 0xff],
  ['infinities', (i) => [0, 0, 0x80, 0x7f][i % 4] as number],
  ['denormals', (i) => (i % 4 === 0 ? 1 : 0)],
  ['noise', () => 0],
];

interface Painted {
  /** The arena as it was, and as it is. */
  readonly before: Uint8Array;
  readonly after: Uint8Array;
  /** Where the aligned part begins. */
  readonly start: number;
  readonly results: Float32Array[];
}

function runOn(
  handle: ProgramHandle,
  program: Program,
  input: InputTensor,
  paint: (i: number) => number,
  skew: number,
): Painted {
  const length = program.arenaBytes + 64;
  const memory = new Uint8Array(length + 2 * GUARD).map((_, i) => paint(i));
  const before = memory.slice();
  const results = program.outputs.map(({ count }) => new Float32Array(count));
  const arena = memory.subarray(GUARD + skew, GUARD + skew + length);
  expect(native().runSync(handle, { input, count: 1, arenas: [arena], outputs: results })).toBe(true);
  return { before, after: memory, start: findStart(memory, GUARD + skew, program, results), results };
}

/** Native aligns inside the buffer; the probabilities, which are floats as they are given out, tell where. */
function findStart(memory: Uint8Array, from: number, program: Program, results: Float32Array[]): number {
  const [output] = program.outputs;
  const wanted = Buffer.from((results[0] as Float32Array).buffer);
  const starts = Array.from({ length: 64 }, (_, i) => from + i).filter((start) => {
    const at = start + (output?.offset ?? 0);
    return Buffer.compare(memory.subarray(at, at + wanted.length), wanted) === 0;
  });
  expect(starts.length).toBe(1);
  return starts[0] as number;
}

describe.each(native().isas().available)('%s', (isa) => {
  for (const precision of ['float32', 'uint8', 'int8'] as const) {
    it.each([1, 3])(`${precision} on %d lanes`, (lanes) => {
      const spec = seededModel({ family: 'mobilenet_v2', width: 0.35, size: 32, classes: CLASSES, precision });
      const network = packNetwork(spec, isa);
      for (const [height, width] of [
        [64, 64],
        [33, 47],
      ] as const) {
        const { program, ranges, offsets } = network.plan(height, width, lanes);
        const handle = native().bindProgram(network.model, program);
        const planned = new Uint8Array(program.arenaBytes);
        for (const [i, { bytes }] of ranges.entries()) planned.fill(1, offsets[i], (offsets[i] as number) + bytes);
        const input = seededImages(spec, height, width);
        const random = seededRandom(2);
        const touched = new Uint8Array(program.arenaBytes);
        const runs = PATTERNS.map(([name, paint], i) => {
          const run = runOn(
            handle,
            program,
            input,
            name === 'noise' ? () => random() * 256 : paint,
            [0, 1, 17, 40, 63][i] ?? 0,
          );
          for (const [at, byte] of run.after.entries()) {
            if (byte === run.before[at]) continue;
            const offset = at - run.start;
            if (offset < 0 || offset >= program.arenaBytes || planned[offset] === 0) {
              expect.fail(`${name}: byte ${offset} of an arena of ${program.arenaBytes} was written`);
            }
            touched[offset] = 1;
          }
          return run.results;
        });
        for (const results of runs) expect(results).toEqual(runs[0]);
        expect(touched.filter((t) => t === 1).length).toBeGreaterThan(program.arenaBytes / 4);
      }
    });
  }
});
