/** What load refuses, and says so; damaged files; labels and facts of models that were loaded. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type LoadOptions, MobileNetError, MobileNetV2, type ModelSource } from '../../lib/index.js';
import { seededModel } from '../../lib/tools/seeded-model.js';
import { tinyKeras } from '../formats/tfjs-writer.js';
import { tinyTflite } from '../formats/tflite-writer.js';

const CLASSES = 5; // tinyTflite's and tinyKeras'
const image = {
  data: new Uint8Array(32 * 32 * 3).map((_, i) => (i * 37) & 255),
  width: 32,
  height: 32,
  channels: 3,
} as const;

let directory = '';
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mobilenetv2-api-'));
});
afterAll(() => rm(directory, { recursive: true }));

async function write(name: string, data: string | Uint8Array): Promise<string> {
  const path = join(directory, name);
  await writeFile(path, data);
  return path;
}

async function classifyWith(source: ModelSource, options: LoadOptions = {}) {
  await using model = await MobileNetV2.load(source, options);
  return await model.classify(image, { topK: 1000 });
}

const fails = (source: unknown, options: unknown, code: string, message: RegExp) =>
  expect(MobileNetV2.load(source as ModelSource, options as LoadOptions)).rejects.toMatchObject({
    name: 'MobileNetError',
    code,
    message: expect.stringMatching(message),
  });

describe('sources', () => {
  it.each(['float32', 'uint8', 'int8'] as const)('a path, a URL and bytes are the same model (%s)', async (kind) => {
    const bytes = tinyTflite({ kind });
    const path = await write(`${kind}.tflite`, bytes);
    const result = await classifyWith(path);
    expect(result).toHaveLength(CLASSES);
    for (const source of [pathToFileURL(path), bytes, Buffer.from(bytes), bytes.slice().buffer]) {
      expect(await classifyWith(source as ModelSource)).toEqual(result);
    }
  });

  it('a TensorFlow.js model in memory', async () => {
    const { modelJson, weights } = tinyKeras({ style: 'teachable-machine' });
    const source = { modelJson, weights, metadata: { labels: ['x', 'y', 'z'] }, name: 'mine' };
    await using model = await MobileNetV2.load(source);
    expect(model.info).toMatchObject({
      source: 'mine',
      format: 'tfjs-layers',
      preprocess: 'teachable-machine',
      hasLabels: true,
    });
    const labels = (await model.classify(image)).map(({ label }) => label);
    expect(labels.sort()).toEqual(['x', 'y', 'z']);
  });

  it('nsfwjs by name, with its classes', async () => {
    await using model = await MobileNetV2.load('nsfwjs');
    expect(model.info).toMatchObject({
      family: 'mobilenet_v2',
      classes: 5,
      preprocess: 'nsfwjs',
      precision: 'float32',
      hasLabels: true,
    });
    expect(model.info.source).toMatch(/^nsfwjs /);
    expect(model.info.parameters).toBe(2_619_461 - 3 * 17_056); // of four per channel, folding leaves a bias
    expect(model.labels).toEqual(['Drawing', 'Hentai', 'Neutral', 'Porn', 'Sexy']);
  });

  it('a quantised file in float32 when asked', async () => {
    const bytes = tinyTflite({ kind: 'int8' });
    await using model = await MobileNetV2.load(bytes, { precision: 'float32' });
    expect(model.info.precision).toBe('float32');
    const [float, quantized] = [await model.classify(image, { topK: 9 }), await classifyWith(bytes)];
    const by = (list: typeof float) => [...list].sort((a, b) => a.index - b.index).map((c) => c.probability);
    for (const [i, p] of by(float).entries()) expect(Math.abs(p - (by(quantized)[i] as number))).toBeLessThan(0.1);
  });
});

describe('labels', () => {
  const names = (n: number) => Array.from({ length: n }, (_, i) => `class ${i}`);
  const background = (n: number) => ['background', ...names(n)];

  it('are null without any', async () => {
    const result = await classifyWith(tinyTflite());
    expect(result.map(({ label }) => label)).toEqual(result.map(() => null));
    await using model = await MobileNetV2.load(tinyTflite());
    expect(model.labels).toBe(null);
    expect(model.info.hasLabels).toBe(false);
  });

  it('belong to the raw output index', async () => {
    const result = await classifyWith(tinyTflite(), { labels: names(CLASSES) });
    for (const { index, label } of result) expect(label).toBe(`class ${index}`);
  });

  it('of 1000 and of 1001 lines name the same outputs of a model with 1001 classes', async () => {
    const spec = seededModel({ family: 'mobilenet_v2', width: 0.35, size: 32, classes: 1001 });
    const results = await Promise.all(
      [names(1000), background(1000)].map(async (labels) => {
        await using model = await MobileNetV2.fromSpec(spec, { labels });
        return await model.classify(image, { topK: 1001 });
      }),
    );
    expect(results[1]).toEqual(results[0]);
    for (const { index, label } of results[0] ?? [])
      expect(label).toBe(index === 0 ? 'background' : `class ${index - 1}`);
  });

  it('that do not fit are refused, with the numbers', async () => {
    const bytes = tinyTflite();
    await fails(
      bytes,
      { labels: names(3) },
      'LABELS_INVALID',
      /labels: the array given has 3 labels, but the model has 5 classes/,
    );
    await fails(bytes, { labels: await write('few.txt', 'a\nb\n') }, 'LABELS_INVALID', /few\.txt has 2 labels/);
    await fails(
      bytes,
      { labels: await write('binary.txt', Uint8Array.of(0xff, 0xfe, 0x00)) },
      'LABELS_INVALID',
      /not UTF-8/,
    );
    await fails(bytes, { labels: await write('empty.txt', '') }, 'LABELS_INVALID', /holds no labels/);
    await fails(bytes, { labels: ['a', 'b', 3, 'd', 'e'] }, 'LABELS_INVALID', /label 2 is 3, not a string/);
    await fails(bytes, { labels: join(directory, 'none.txt') }, 'FILE_NOT_FOUND', /labels: cannot read .*none\.txt/);
  });

  it("are not the caller's array", async () => {
    const labels = names(CLASSES);
    await using model = await MobileNetV2.load(tinyTflite(), { labels });
    labels[0] = 'changed';
    expect(model.labels?.[0]).toBe('class 0');
  });
});

describe('wrong options', () => {
  it.each([
    ['threads', { threads: 0 }, /threads: expected an integer in 1 \.\.\. 1024, got 0/],
    ['threads', { threads: '2' }, /threads: .*got "2"/],
    ['threads', { threads: 1.5 }, /threads: .*got 1\.5/],
    ['precision', { precision: 'int8' }, /precision: expected 'float32', got "int8"/],
    ['preprocess', { preprocess: 'pytorch' }, /preprocess: .*tf.*torchvision.*got "pytorch"/],
    ['preprocess', { preprocess: 5 }, /preprocess: .*got 5/],
    ['labels', { labels: 5 }, /labels: expected the path of a label file or an array of strings, got 5/],
    ['labels', { labels: null }, /labels: expected .* got null/],
    ['maxPixels', { maxPixels: -1 }, /maxPixels: expected .* got -1/],
    ['maxPixels', { maxPixels: '9' }, /maxPixels: expected .* got "9"/],
    ['queueLimit', { queueLimit: -1 }, /queueLimit: .*got -1/],
    ['cacheDir', { cacheDir: 5 }, /cacheDir: expected a string, got 5/],
    ['localOnly', { localOnly: 'yes' }, /localOnly: expected true or false, got "yes"/],
    ['onProgress', { onProgress: {} }, /onProgress: expected a function, got Object/],
    ['threads', { threads: function many() {} }, /threads: .*got function "many"$/],
    ['threads', { threads: () => 'x'.repeat(5) }, /threads: .*got function "threads"$/],
    ['a name that is none', { thread: 2 }, /no option is called "thread"; known: labels, /],
    ['null', null, /options: expected an object, got null/],
    ['an array', [], /options: expected an object, got array/],
  ])('%s: %j', (_, options, message) => fails(tinyTflite(), options, 'INVALID_ARGUMENT', message));
});

it('a field of regionOfInterest that is none', async () => {
  await using model = await MobileNetV2.load(tinyTflite());
  const regionOfInterest = { x: 0, y: 0, width: 8, height: 8, unit: 'pixels' };
  await expect(model.classify(image, { regionOfInterest })).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: 'regionOfInterest: no option is called "unit"; known: x, y, width, height, units',
  });
});

describe('damaged files', () => {
  it('that are cut short', async () => {
    const bytes = tinyTflite();
    for (let length = 0; length < bytes.length; length += Math.ceil(bytes.length / 60)) {
      const error = await MobileNetV2.load(bytes.slice(0, length)).catch((caught: unknown) => caught);
      expect(error).toBeInstanceOf(MobileNetError);
      expect((error as MobileNetError).code).toMatch(/^MODEL_(CORRUPT|UNSUPPORTED|FORMAT_UNKNOWN)$/);
    }
  });

  it('with flipped bits give a typed error, or a model that runs', async () => {
    const kinds = ['float32', 'uint8', 'int8'] as const;
    let [refused, ran] = [0, 0];
    let state = 1;
    for (let i = 0; i < 150; i++) {
      const bytes = tinyTflite({ kind: kinds[i % 3] as (typeof kinds)[number] });
      for (let n = 0; n < 4; n++) {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        const at = state % bytes.length;
        bytes[at] = (bytes[at] as number) ^ (1 << (state >>> 29));
      }
      try {
        const result = await classifyWith(bytes);
        expect(result.length).toBeGreaterThan(0);
        ran++;
      } catch (error) {
        expect(error).toBeInstanceOf(MobileNetError);
        expect((error as MobileNetError).code, (error as Error).message).toMatch(/^(MODEL_|LABELS_)/);
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(0);
    expect(ran).toBeGreaterThan(0);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY])('with a weight of %d', async (value) => {
    const bytes = tinyTflite({
      edit: ({ tensors }) => {
        const weights = tensors.find(({ data, shape }) => data !== undefined && shape.length === 4);
        weights?.data?.set(new Uint8Array(new Float32Array([value]).buffer));
      },
    });
    await fails(bytes, {}, 'MODEL_CORRUPT', /element 0 is (NaN|Infinity), expected a finite number/);
  });

  it('that are no models', async () => {
    await fails(join(directory, 'none.tflite'), {}, 'FILE_NOT_FOUND', /none\.tflite/);
    await fails(await write('text.tflite', 'hello'), {}, 'MODEL_FORMAT_UNKNOWN', /text\.tflite/);
    await fails(5, {}, 'INVALID_ARGUMENT', /5/);
  });
});

describe('info', () => {
  it('says what the network is and how it runs', async () => {
    const spec = seededModel({ family: 'mobilenet_v2', width: 1, size: 224, classes: 1000, precision: 'int8' });
    await using model = await MobileNetV2.fromSpec(spec, { threads: 3 });
    const { info } = model;
    expect(info).toMatchObject({
      source: 'mobilenet_v2:1:224, seeded',
      format: 'seeded',
      family: 'mobilenet_v2',
      precision: 'int8',
      input: { width: 224, height: 224 },
      classes: 1000,
      hasLabels: false,
      preprocess: 'tf',
      parameters: 3_487_816,
      macs: 300_774_272,
      threads: 3,
    });
    expect(info.blocks).toHaveLength(17);
    expect(info.blocks[1]).toMatchObject({
      t: 6,
      inChannels: 16,
      expandedChannels: 96,
      outChannels: 24,
      stride: 2,
      residual: false,
      height: 56,
      width: 56,
      macs: 29_202_432,
    });
    expect(info.blocks.reduce((sum, { macs }) => sum + macs, 0)).toBeLessThan(info.macs);
    expect(info.weightBytes).toBeGreaterThan(3_400_000);
    expect(info.weightBytes).toBeLessThan(8_000_000);
    expect(info.arena.bytes).toBeLessThanOrEqual(200_704);
    expect(info.arena.highWaterBytes).toBe(0); // nothing has run
    expect(JSON.parse(JSON.stringify(info))).toEqual(info);
  });
});
