/** The low-level door: batches of preprocessed images. */
import { describe, expect, it } from 'vitest';
import { MobileNetV2 } from '../../lib/index.js';
import type { Precision } from '../../lib/model-spec.js';
import { seededModel } from '../../lib/tools/seeded-model.js';
import { type InputTensor, seededImages } from '../compile/seeded-input.js';

const SIZE = 32;
const CLASSES = 12;
const VALUES = SIZE * SIZE * 3;
const specOf = (precision: Precision) =>
  seededModel({ family: 'mobilenet_v2', width: 0.35, size: SIZE, classes: CLASSES, precision });
const load = (precision: Precision) => MobileNetV2.fromSpec(specOf(precision), { threads: 2 });
const imagesFor = (precision: Precision, count: number) => seededImages(specOf(precision), SIZE, SIZE, count);

describe.each(['float32', 'uint8', 'int8'] as const)('%s', (precision) => {
  it('gives N x classes probabilities, image by image', async () => {
    await using model = await load(precision);
    const batch = imagesFor(precision, 3);
    const got = await model.infer(batch);
    expect(got).toBeInstanceOf(Float32Array);
    expect(got).toHaveLength(3 * CLASSES);
    for (let i = 0; i < 3; i++) {
      const alone = await model.infer(batch.slice(i * VALUES, (i + 1) * VALUES));
      expect(got.subarray(i * CLASSES, (i + 1) * CLASSES)).toEqual(alone);
      expect(alone.reduce((a, b) => a + b)).toBeGreaterThan(0.9);
    }
  });

  it('writes into the output that is given, and nowhere else', async () => {
    await using model = await load(precision);
    const batch = imagesFor(precision, 2);
    const memory = new Float32Array(2 * CLASSES + 2).fill(-1);
    const output = memory.subarray(1, 2 * CLASSES + 1);
    expect(await model.infer(batch, { output })).toBe(output);
    expect(output).toEqual(await model.infer(batch));
    expect([memory[0], memory.at(-1)]).toEqual([-1, -1]);
  });

  it('keeps calls apart that are under way at the same time or come after a cancelled one', async () => {
    await using model = await load(precision);
    const batches = [1, 2, 1].map((count) => imagesFor(precision, count));
    const expected = await Promise.all(batches.map((batch) => model.infer(batch)));
    for (let round = 0; round < 5; round++) {
      const cancelled = new AbortController();
      const refused = model.infer(imagesFor(precision, 64), { signal: cancelled.signal });
      const outputs = batches.map((batch) => new Float32Array((batch.length / VALUES) * CLASSES));
      const calls = batches.map((batch, i) => model.infer(batch, { output: outputs[i] as Float32Array }));
      cancelled.abort();
      await expect(refused).rejects.toMatchObject({ code: 'ABORTED' });
      expect(await Promise.all(calls)).toEqual(expected);
      expect(outputs).toEqual(expected);
    }
  });

  it('takes views at any place of their buffer', async () => {
    await using model = await load(precision);
    const batch = imagesFor(precision, 1);
    const type = batch.constructor as new (length: number) => InputTensor;
    const moved = new type(VALUES + 5);
    moved.set(batch, 3);
    expect(await model.infer(moved.subarray(3, 3 + VALUES))).toEqual(await model.infer(batch));
  });

  it.each([
    ['no values', 0],
    ['too few', VALUES - 1],
    ['one and a half images', VALUES * 1.5],
  ])('refuses %s', async (_, length) => {
    await using model = await load(precision);
    const type = imagesFor(precision, 1).constructor as new (length: number) => InputTensor;
    await expect(model.infer(new type(length))).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: `batch: expected a multiple of 32 x 32 x 3 = 3072 values, got ${length}`,
    });
  });

  it.each([
    [
      'outputs of another length',
      { output: new Float32Array(CLASSES + 1) },
      /output: expected a Float32Array of 1 x 12 = 12 values, got Float32Array/,
    ],
    ['outputs of another type', { output: new Float64Array(CLASSES) }, /output: .*got Float64Array/],
    ['outputs that are none', { output: [] }, /output: .*got array/],
    ['an option of another name', { out: 1 }, /no option is called "out"; known: output/],
  ])('refuses %s', async (_, options, message) => {
    await using model = await load(precision);
    await expect(model.infer(imagesFor(precision, 1), options as never)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(message),
    });
  });
});

describe('types of batches', () => {
  it.each([
    ['float32', new Uint8Array(VALUES), 'batch: expected a Float32Array, got Uint8Array(3072 bytes)'],
    ['uint8', new Int8Array(VALUES), 'batch: expected a Float32Array or a Uint8Array, got Int8Array(3072 bytes)'],
    ['int8', new Uint8Array(VALUES), 'batch: expected a Float32Array or an Int8Array, got Uint8Array(3072 bytes)'],
    ['float32', new Float64Array(VALUES), 'batch: expected a Float32Array, got Float64Array(24576 bytes)'],
    ['float32', 'x', 'batch: expected a Float32Array, got "x"'],
    ['int8', undefined, 'batch: expected a Float32Array or an Int8Array, got undefined'],
  ] as const)('%s refuses %s', async (precision, batch, message) => {
    await using model = await load(precision);
    await expect(model.infer(batch as never)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', message });
  });

  it.each(['uint8', 'int8'] as const)('float values are quantised for %s as the file says', async (precision) => {
    await using model = await load(precision);
    const { quantization } = specOf(precision).input;
    const { scale, zeroPoint } = quantization as { scale: number; zeroPoint: number };
    const bytes = imagesFor(precision, 2);
    const floats = Float32Array.from(bytes, (q) => scale * (q - zeroPoint));
    expect(await model.infer(floats)).toEqual(await model.infer(bytes));
    // Beyond the range: its ends. Nothing at all: some value of the range, but no crash.
    const [low, high] = precision === 'int8' ? [-128, 127] : [0, 255];
    const type = bytes.constructor as unknown as { from(values: Iterable<number>): InputTensor };
    const ends = type.from(Array.from({ length: VALUES }, (_, i) => (i % 2 ? low : high)));
    const beyond = new Float32Array(VALUES).map((_, i) => (i % 2 ? -1e9 : Number.POSITIVE_INFINITY));
    expect(await model.infer(beyond)).toEqual(await model.infer(ends));
    expect(await model.infer(new Float32Array(VALUES).fill(Number.NaN))).toHaveLength(CLASSES);
  });
});
