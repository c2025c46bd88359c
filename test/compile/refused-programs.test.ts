/**
 * Native trusts no program: thousands of seeded damages to valid ones are refused, or harmless. A crash ends this
 * file's process and shows as a failure; a byte outside the arena is looked for.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { allocateArena, type NativeOp, native, type Program, type ProgramHandle } from '../../lib/native.js';
import { seededModel } from '../../lib/tools/seeded-model.js';
import { elementBytes, type PackedNetwork, packNetwork } from './planned.js';
import { seededRandom } from './seeded-input.js';

const GUARD = 4096;
const MAX_RUN_BYTES = 1 << 26;
const isas = native().isas();

const networks = (['float32', 'int8'] as const).map((precision) =>
  packNetwork(seededModel({ family: 'mobilenet_v2', width: 0.35, size: 32, classes: 10, precision }), isas.best),
);

type Holder = Record<string | number, unknown>;

/** Every place in a plain object that holds something: the object and the key. */
function places(value: unknown, found: [Holder, string | number][] = []): [Holder, string | number][] {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return found;
  const holder = value as Holder;
  for (const key of Array.isArray(value) ? value.keys() : Object.keys(value)) {
    found.push([holder, key]);
    places(holder[key], found);
  }
  return found;
}

const NUMBERS = [0, 1, -1, 2, 3, 63, 64, 1 << 15, 2 ** 31 - 1, -(2 ** 31), 2 ** 32, 2 ** 53, 2 ** 62, 1e300];
const OTHERS: unknown[] = [Number.NaN, Number.POSITIVE_INFINITY, 0.5, null, undefined, 'x', true, [], {}, 1n];

function damage(root: Program | NativeOp[], random: () => number): void {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const [holder, key] = pick(places(root));
  const value = holder[key];
  const roll = random();
  if (Array.isArray(value) && roll < 0.7) {
    const i = Math.floor(random() * value.length);
    if (roll < 0.25) value.splice(i, 1);
    else if (roll < 0.45) value.push(structuredClone(value[i]));
    else if (roll < 0.6) [value[0], value[i]] = [value[i], value[0]];
    else value.length = 0;
  } else if (typeof value === 'number' && roll < 0.9) {
    if (roll < 0.35) holder[key] = value + pick([1, -1, 2, -2, 64, -64, 128]);
    else if (roll < 0.5) holder[key] = pick([value * 2, Math.floor(value / 2), -value]);
    else holder[key] = pick(NUMBERS);
  } else if (roll < 0.95) {
    holder[key] = pick(OTHERS);
  } else {
    delete holder[key];
  }
}

/** Runs between guards that must stay as they are. */
function runGuarded(handle: ProgramHandle, program: Program): void {
  const shape = program.steps[0]?.stages[0]?.shape;
  if (shape === undefined) return;
  const input = new Uint8Array(shape.inHeight * shape.inWidth * shape.inChannels * elementBytes(program)).fill(0x3c);
  const memory = new Uint8Array(program.arenaBytes + 64 + 2 * GUARD).fill(0xa5);
  const arenas = [memory.subarray(GUARD, GUARD + program.arenaBytes + 64)];
  const outputs = program.outputs.map(({ count }) => new Float32Array(count));
  native().runSync(handle, { input, count: 1, arenas, outputs });
  const before = memory.subarray(0, GUARD);
  const after = memory.subarray(GUARD + program.arenaBytes + 64);
  expect(before.every((b) => b === 0xa5) && after.every((b) => b === 0xa5), 'guards are untouched').toBe(true);
}

describe('bindProgram', () => {
  it.each([
    ['float32', 0, 1],
    ['int8', 1, 1],
    ['int8 on three lanes', 1, 3],
  ] as const)('refuses or survives 1500 damaged programs, %s', (_, which, lanes) => {
    const network = networks[which] as PackedNetwork;
    const valid = network.plan(64, 48, lanes).program;
    const seed = Number(process.env.MOBILENETV2_TEST_SEED ?? 1);
    const random = seededRandom(seed + lanes);
    let [refused, ran] = [0, 0];
    for (let i = 0; i < 1500; i++) {
      const program = structuredClone(valid);
      for (let n = random() < 0.7 ? 1 : 3; n > 0; n--) damage(program, random);
      let handle: ProgramHandle;
      try {
        handle = native().bindProgram(network.model, program);
      } catch (error) {
        expect(error).toBeInstanceOf(Error);
        expect((error as Error).message).not.toBe('');
        refused++;
        continue;
      }
      // Numbers that were missing or strange but of no consequence leave a program that can be run.
      if (program.arenaBytes > MAX_RUN_BYTES || !Array.isArray(program.outputs)) continue;
      runGuarded(handle, program);
      ran++;
    }
    expect(refused, `seed ${seed}`).toBeGreaterThan(700);
    expect(ran, `seed ${seed}`).toBeGreaterThan(20); // offsets that moved within the arena
  });

  it('refuses what is no program or no model', () => {
    const [network] = networks as [PackedNetwork];
    const valid = network.plan(32, 32).program;
    const bind = (model: unknown, program: unknown) => () => native().bindProgram(model as never, program as never);
    for (const value of [null, undefined, 1, 'x', [], {}]) {
      expect(bind(network.model, value)).toThrow();
      expect(bind(value, valid)).toThrow(/not a model/);
    }
    const program = native().bindProgram(network.model, valid);
    expect(bind(program, valid)).toThrow(/not a model/);
    // A program of another network: its ops have other shapes.
    const wide = packNetwork(seededModel({ family: 'mobilenet_v2', width: 0.5, size: 32, classes: 10 }), isas.best);
    expect(bind(network.model, wide.plan(32, 32).program)).toThrow(/shapes do not fit/);
    expect(bind((networks[1] as PackedNetwork).model, valid)).toThrow(/dtype/);
  });

  it('plans no rings for what is no chain', () => {
    const [network] = networks as [PackedNetwork];
    const [{ stages }] = network.plan(32, 32).program.steps as [Program['steps'][number]];
    const rings = (chain: unknown) => () => native().ringRows(network.model, chain as never);
    const height = stages.at(-1)!.shape.outHeight;
    const whole = { rowBegin: 0, rowEnd: height };
    expect(rings({ stages, lanes: [whole] })().at(-1)).toBe(height);
    expect(rings({ stages, lanes: [] })).toThrow(/needs stages and lanes/);
    expect(rings({ stages: [], lanes: [whole] })).toThrow(/needs stages and lanes/);
    expect(rings({ stages: Array(33).fill(stages[0]), lanes: [whole] })).toThrow(/too long/);
    expect(rings({ stages: [stages[0], stages[0]], lanes: [whole] })).toThrow(/does not fit the one before/);
    expect(rings({ stages: [{ ...stages[0], op: 1000 }], lanes: [whole] })).toThrow(/no such op/);
    for (const [rowBegin, rowEnd] of [
      [-1, 1],
      [0, 0],
      [2, 1],
      [0, height + 1],
    ] as const) {
      expect(rings({ stages, lanes: [{ rowBegin, rowEnd }] })).toThrow(/leaves the rows/);
    }
    for (const value of [null, 1, {}, { stages, lanes: [{}] }]) expect(rings(value)).toThrow();
  });

  const cases: [string, RegExp, (program: Program) => void][] = [
    ['an offset beyond the arena', /outside the arena/, (p) => (lane(p).places[0]!.outputOffset = p.arenaBytes)],
    ['an unaligned offset', /outside the arena/, (p) => (lane(p).places[0]!.outputOffset += 1)],
    ['an arena one byte short', /outside the arena/, (p) => (p.arenaBytes -= 64)],
    [
      'a stage that does not fit its op',
      /shapes do not fit/,
      (p) => (p.steps.at(-1)!.stages[0]!.shape.inChannels += 1),
    ],
    ['an op that does not exist', /no such op/, (p) => (p.steps[0]!.stages[0]!.op = 1000)],
    ['rows left out', /every row|in order/, (p) => (lane(p).rowEnd -= 1)],
    [
      'scratch on the input',
      /buffers overlap/,
      (p) => (p.steps[1]!.lanes[0]!.places[0]!.scratchOffset = p.steps[1]!.inputOffset!),
    ],
    [
      'an output on the input',
      /buffers overlap/,
      (p) => (p.steps.at(-2)!.lanes[0]!.places[0]!.outputOffset = p.steps.at(-2)!.inputOffset!),
    ],
    ['no lanes', /needs stages and lanes/, (p) => (p.steps[0]!.lanes = [])],
    ['an image read twice', /only it, reads the image/, (p) => (p.steps[1]!.inputOffset = null)],
    ['an output beyond the arena', /output lies outside/, (p) => (p.outputs[0]!.count = p.arenaBytes)],
    ['padding that nothing needs', /shapes do not fit/, (p) => (p.steps[0]!.stages[0]!.shape.padTop = 7)],
  ];
  const lane = (program: Program) => program.steps[0]!.lanes[0]!;

  it.each(cases)('refuses %s', (_, message, change) => {
    for (const network of networks) {
      const { program } = network.plan(64, 64);
      change(program);
      expect(() => native().bindProgram(network.model, program)).toThrow(message);
    }
  });
});

describe('packModel', () => {
  it('refuses or survives 1500 damaged descriptions', () => {
    const random = seededRandom(3);
    const plain = networks.map(({ compiled }) => compiled.ops.slice(0, 4).map(({ op }) => op));
    let refused = 0;
    for (let i = 0; i < 1500; i++) {
      const ops = shallowClone(plain[i % 2]) as NativeOp[];
      damage(ops, random);
      try {
        native().packModel(ops, isas.best, 1 + (i % 3));
      } catch (error) {
        expect((error as Error).message).not.toBe('');
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(700);
  });

  it('refuses a thread count that is none', () => {
    const ops = networks[0]!.compiled.ops.map(({ op }) => op);
    expect(() => native().packModel(ops, isas.best, '2' as never)).toThrow(/threads is not a number/);
  });

  it('refuses an instruction set that does not exist', () => {
    const ops = networks[0]!.compiled.ops.map(({ op }) => op);
    expect(() => native().packModel(ops, 'sse9' as never, 1)).toThrow(/isa is unknown/);
  });
});

/** Objects are copied, weights are not. */
function shallowClone(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shallowClone);
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, shallowClone(inner)]));
}

describe('run', () => {
  let program: Program;
  let handle: ProgramHandle;
  beforeAll(() => {
    const [network] = networks as [PackedNetwork];
    program = network.plan(32, 32).program;
    handle = native().bindProgram(network.model, program);
  });

  it.each([
    ['an arena that is too small', /arena is too small/, { arenas: [new Uint8Array(64)] }],
    ['no arena', /needs an arena/, { arenas: [] }],
    ['an arena that is none', /arena/, { arenas: [5] }],
    ['input of another size', /input is not a view of 12288 bytes/, { input: new Float32Array(7) }],
    ['a count that is not the input', /input is not a view of 24576 bytes/, { count: 2 }],
    ['a count far beyond the input', /input is not a view/, { count: 2 ** 31 - 1 }],
    ['a count of none', /count/, { count: 0 }],
    ['outputs of another size', /outputs is not a view of 40 bytes/, { outputs: [new Float32Array(9), null] }],
    ['too few outputs', /an entry for each output/, { outputs: [] }],
    ['a cancel flag that is none', /cancel/, { cancel: new Int32Array(2) }],
  ] as const)('refuses %s', (_, message, change) => {
    const valid = {
      input: new Float32Array(32 * 32 * 3),
      count: 1,
      arenas: [allocateArena(program.arenaBytes)],
      outputs: [new Float32Array(10), null],
    };
    expect(native().runSync(handle, valid)).toBe(true);
    const run = { ...valid, ...change } as never;
    expect(() => native().runSync(handle, run)).toThrow(message);
    expect(() => native().run(handle, run, 1)).toThrow(message);
  });

  it('refuses buffers that were transferred', () => {
    const input = new Float32Array(32 * 32 * 3);
    structuredClone(input, { transfer: [input.buffer] });
    const run = { input, count: 1, arenas: [allocateArena(program.arenaBytes)], outputs: [null, null] };
    expect(() => native().runSync(handle, run)).toThrow(/input is not a view/);
  });
});
