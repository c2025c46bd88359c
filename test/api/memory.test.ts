/** Buffers that are shared with other threads, resizable, or taken away: before a call, and in the middle of it. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { MobileNetV2 } from '../../lib/index.js';
import type { Precision } from '../../lib/model-spec.js';
import { allocateArena, native } from '../../lib/native.js';
import { seededModel } from '../../lib/tools/seeded-model.js';
import { type InputTensor, seededImages } from '../compile/seeded-input.js';
import { tinyKeras } from '../formats/tfjs-writer.js';
import { tinyTflite } from '../formats/tflite-writer.js';

const SIZE = 32;
const CLASSES = 12;
const specOf = (precision: Precision, size = SIZE) =>
  seededModel({ family: 'mobilenet_v2', width: 0.35, size, classes: CLASSES, precision });
const load = (precision: Precision, size = SIZE) => MobileNetV2.fromSpec(specOf(precision, size), { threads: 2 });
const imagesFor = (precision: Precision, count: number, size = SIZE) =>
  seededImages(specOf(precision, size), size, size, count);

type Typed = InputTensor | Uint8ClampedArray;

/** The same values in memory of another kind, not at its beginning. */
function inside<T extends Typed>(values: T, memory: (bytes: number) => ArrayBufferLike): T {
  const type = values.constructor as new (buffer: ArrayBufferLike, offset: number, length: number) => T;
  const view = new type(memory(values.byteLength + 64), 16, values.length);
  view.set(values);
  return view;
}

/** Node 20's types do not know resizable buffers. */
const Resizable = ArrayBuffer as unknown as new (
  bytes: number,
  options: { maxByteLength: number },
) => ArrayBuffer & { resize(bytes: number): void };
const shared = (bytes: number) => new SharedArrayBuffer(bytes);
const resizable = (bytes: number) => new Resizable(bytes, { maxByteLength: bytes * 2 });
const kinds = [
  ['shared', shared],
  ['resizable', resizable],
] as const;

describe.each(kinds)('%s memory', (_, memory) => {
  it.each(['float32', 'uint8', 'int8'] as const)('infer reads and writes there (%s)', async (precision) => {
    await using model = await load(precision);
    const batch = imagesFor(precision, 2);
    const want = await model.infer(batch);
    const output = inside(new Float32Array(2 * CLASSES), memory);
    expect(await model.infer(inside(batch, memory), { output })).toBe(output);
    expect(Array.from(output)).toEqual(Array.from(want));
  });

  it('classify and embed take raw pixels and image files from there', async () => {
    await using model = await load('int8');
    const bytes = imagesFor('uint8', 1) as Uint8Array;
    const of = (data: Uint8Array | Uint8ClampedArray) => ({ data, width: SIZE, height: SIZE, channels: 3 }) as const;
    const want = await model.classify(of(bytes));
    expect(await model.classify(of(inside(bytes, memory)))).toEqual(want);
    expect(await model.classify(of(inside(new Uint8ClampedArray(bytes), memory)))).toEqual(want);
    const file = fileURLToPath(new URL('../../node_modules/baboon-image/baboon.png', import.meta.url));
    expect(existsSync(file)).toBe(true);
    const png = new Uint8Array(readFileSync(file));
    expect(await model.embed(inside(png, memory))).toEqual(await model.embed(png));
  });

  it('load takes models from there', async () => {
    const image = { data: new Uint8Array(32 * 32 * 3).fill(99), width: 32, height: 32, channels: 3 } as const;
    const classify = async (source: Parameters<typeof MobileNetV2.load>[0]) => {
      await using model = await MobileNetV2.load(source);
      return await model.classify(image);
    };
    for (const kind of ['float32', 'int8'] as const) {
      const bytes = new Uint8Array(tinyTflite({ kind }));
      expect(await classify(inside(bytes, memory))).toEqual(await classify(bytes));
    }
    const { modelJson, weights } = tinyKeras();
    const json = new Uint8Array(Buffer.from(JSON.stringify(modelJson)));
    const want = await classify({ modelJson, weights });
    expect(await classify({ modelJson: inside(json, memory), weights: inside(weights, memory) })).toEqual(want);
  });
});

describe('memory that is taken away', () => {
  afterEach(() => vi.restoreAllMocks());
  const gone = (name: string) => ({
    code: 'INVALID_ARGUMENT',
    message: expect.stringMatching(`^${name}: its buffer was transferred or resized`),
  });
  /** Calls `act` once as soon as pixels are being resized on another thread. */
  const onceResizing = (act: () => void) => {
    const { preprocess } = native();
    vi.spyOn(native(), 'preprocess').mockImplementationOnce((...args) => {
      const resized = preprocess(...args);
      act();
      return resized;
    });
  };
  const transfer = (view: Typed) => structuredClone(view.buffer, { transfer: [view.buffer as ArrayBuffer] });

  it('before a call is an argument of no bytes', async () => {
    await using model = await load('float32');
    const batch = imagesFor('float32', 1);
    transfer(batch);
    await expect(model.infer(batch)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(/got 0$/),
    });
    const output = new Float32Array(CLASSES);
    transfer(output);
    const given = model.infer(imagesFor('float32', 1), { output });
    await expect(given).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(/^output: expected/),
    });
    const data = new Uint8Array(SIZE * SIZE * 3);
    transfer(data);
    const image = { data, width: SIZE, height: SIZE, channels: 3 } as const;
    await expect(model.classify(image)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(/^image\.data/),
    });
  });

  it('by a transfer is told, before native runs and while it does', async () => {
    await using model = await load('float32', 96);
    const waiting = imagesFor('float32', 4, 96);
    const call = model.infer(waiting);
    transfer(waiting);
    await expect(call).rejects.toMatchObject(gone('batch'));
    const running = imagesFor('float32', 4, 96);
    const { run } = native();
    const kept: ArrayBuffer[] = [];
    vi.spyOn(native(), 'run').mockImplementationOnce((...args) => {
      const ended = run(...args);
      kept.push(transfer(running) as ArrayBuffer); // the memory lives on in it
      return ended;
    });
    await expect(model.infer(running)).rejects.toMatchObject(gone('batch'));
    expect(kept[0]?.byteLength).toBe(4 * 96 * 96 * 3 * 4);
  });

  it('of the output, in the middle of infer, is told and not written', async () => {
    await using model = await load('float32', 96);
    const output = new Float32Array(40 * CLASSES).fill(-1);
    const call = model.infer(imagesFor('float32', 40, 96), { output });
    const failed = expect(call).rejects.toMatchObject(gone('output'));
    const kept = new Float32Array(transfer(output));
    await failed;
    expect(kept.every((value) => value === -1)).toBe(true);
  });

  it('of raw pixels, in the middle of classify, is told', async () => {
    await using model = await load('float32');
    const [width, height] = [4000, 3000];
    const data = new Uint8Array(width * height * 3);
    const kept: unknown[] = []; // the memory lives on in it
    onceResizing(() => kept.push(transfer(data)));
    const call = model.classify({ data, width, height, channels: 3 });
    const failed = expect(call).rejects.toMatchObject(gone('image.data'));
    await failed;
    expect(data.byteLength).toBe(0);
    expect(kept).toHaveLength(1);
  });

  // The pages go back to the system at once: a thread that reads there would crash this process.
  it('by shrinking a resizable buffer in the middle changes nothing', async () => {
    await using model = await load('float32', 96);
    const batch = imagesFor('float32', 40, 96);
    const want = await model.infer(batch);
    const shrinking = inside(batch, resizable);
    const output = inside(new Float32Array(40 * CLASSES), resizable);
    const call = model.infer(shrinking, { output });
    (shrinking.buffer as unknown as { resize(bytes: number): void }).resize(0);
    expect(await call).toEqual(want);

    const shrunken = inside(new Float32Array(40 * CLASSES), resizable);
    const second = model.infer(batch, { output: shrunken });
    const failed = expect(second).rejects.toMatchObject(gone('output'));
    (shrunken.buffer as unknown as { resize(bytes: number): void }).resize(0);
    await failed;

    const data = inside(new Uint8Array(4000 * 3000 * 3).fill(99), resizable);
    onceResizing(() => (data.buffer as unknown as { resize(bytes: number): void }).resize(0));
    expect(await model.classify({ data, width: 4000, height: 3000, channels: 3 })).toHaveLength(5);
    expect(data.byteLength).toBe(0);
  });
});

describe('native', () => {
  it('throws, and does not abort, on views that it cannot use', async () => {
    const binding = native();
    const { program, run } = await tinyProgram();
    const wrong = [
      new Uint8Array(0),
      new Uint8Array(new SharedArrayBuffer(8)),
      new DataView(new ArrayBuffer(8)),
      {},
      5,
    ];
    for (const view of wrong as Uint8Array[]) {
      expect(() => binding.runSync(program, { ...run, input: view })).toThrow(/input is not a view of/);
      expect(() => binding.runSync(program, { ...run, arenas: [view] })).toThrow(/an arena is too small/);
      expect(() => binding.runSync(program, { ...run, cancel: view as never })).toThrow(/cancel is not a view of/);
      expect(() => binding.runSync(program, { ...run, outputs: [view as never] })).toThrow(/outputs is not a/);
    }
    expect(binding.runSync(program, run)).toBe(true);
  });

  it('flushes denormals while it runs on this thread, and JavaScript has its own afterwards', async () => {
    const { program, run } = await tinyProgram();
    const input = new Float32Array(16).fill(1e-40);
    const [output] = run.outputs as [Float32Array];
    const halved = (value: number) => value * 0.5;
    const check = () => expect(halved(4 * Number.MIN_VALUE)).toBe(2 * Number.MIN_VALUE);
    check();
    output.fill(1);
    expect(native().runSync(program, { ...run, input })).toBe(true);
    if (process.arch === 'x64' || process.arch === 'arm64') expect(Array.from(output)).toEqual(new Array(8).fill(0));
    check();
    native().trace(program, { ...run, input }, check);
    check();
    native().profile(program, { ...run, input });
    check();
  });

  /** A program of one pooling op on two pixels. */
  async function tinyProgram() {
    const binding = native();
    const model = binding.packModel([{ dtype: 'f32', kind: 'globalAveragePool', pool: { channels: 8 } }], 'scalar', 1);
    const shape = { inHeight: 1, inWidth: 2, inChannels: 8, outHeight: 1, outWidth: 1, outChannels: 8 };
    const stage = { op: 0, shape: { ...shape, padTop: 0, padLeft: 0 }, outputRows: 1 };
    const scratch = binding.stageFacts(model, 0, stage.shape, 1).scratchBytes;
    const lane = { rowBegin: 0, rowEnd: 1, places: [{ outputOffset: 0, scratchOffset: 64 }] };
    const arenaBytes = 64 + scratch;
    const program = binding.bindProgram(model, {
      dtype: 'f32',
      arenaBytes,
      outputs: [{ offset: 0, count: 8, dtype: 'f32', scale: 1, zeroPoint: 0 }],
      steps: [{ inputOffset: null, sliced: false, stages: [stage], lanes: [lane] }],
    });
    const run = {
      input: inside(new Float32Array(16).fill(1), shared),
      count: 1,
      arenas: [allocateArena(arenaBytes)],
      outputs: [inside(new Float32Array(8), shared)],
    };
    return { model, program, run };
  }
});
