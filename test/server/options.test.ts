import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MobileNetV2 } from '../../lib/classifier.js';
import type { ClassifyOptions, LoadOptions, RegionOfInterest } from '../../lib/index.js';
import { CLASSES, cropped, load, picture, precisions } from './seeded.js';

const labels = Array.from({ length: CLASSES }, (_, i) => (i === 3 || i === 9 ? 'crane' : `label ${i}`));
const image = picture(1);
const ALL = { topK: CLASSES };

let model: MobileNetV2;
beforeAll(async () => {
  model = await load({ labels });
});
afterAll(() => model.close());

describe('which classes', () => {
  it('topK, best first', async () => {
    const all = await model.classify(image, ALL);
    expect(all.map(({ index }) => index).sort((a, b) => a - b)).toEqual(labels.map((_, i) => i));
    expect(all.map(({ probability }) => probability)).toEqual(all.map((c) => c.probability).sort((a, b) => b - a));
    expect(await model.classify(image)).toEqual(all.slice(0, 5));
  });

  it('minProbability leaves out what is below, and may leave nothing', async () => {
    const all = await model.classify(image, ALL);
    const threshold = all[4]?.probability as number;
    expect(await model.classify(image, { ...ALL, minProbability: threshold })).toEqual(all.slice(0, 5));
    expect(await model.classify(image, { ...ALL, minProbability: 1 })).toEqual([]);
  });

  it('allow and deny take labels and indices; a label means all of its classes; deny wins', async () => {
    const indices = async (options: ClassifyOptions) =>
      (await model.classify(image, { ...ALL, ...options })).map(({ index }) => index).sort((a, b) => a - b);
    expect(await indices({ allow: ['crane', 'label 5', 0] })).toEqual([0, 3, 5, 9]);
    expect(await indices({ allow: ['crane', 5], deny: [9] })).toEqual([3, 5]);
    expect(await indices({ deny: ['crane'] })).toEqual(labels.flatMap((label, i) => (label === 'crane' ? [] : [i])));
    expect(await indices({ allow: [] })).toEqual([]);
  });

  it('are chosen without changing probabilities', async () => {
    const all = await model.classify(image, ALL);
    const [crane] = await model.classify(image, { allow: [3] });
    expect(crane).toEqual(all.find(({ index }) => index === 3));
  });
});

describe('in which form', () => {
  it.each(precisions)('logits: softmax of them gives the probabilities (%s)', async (precision) => {
    const other = await load({}, { precision });
    const all = await other.classify(image, { ...ALL, logits: true });
    const exps = all.map(({ logit }) => Math.exp(logit));
    const sum = exps.reduce((a, b) => a + b);
    const tolerance = precision === 'float32' ? 1e-6 : 1 / 256; // 8-bit networks round probabilities
    all.forEach(({ probability }, i) => {
      expect(Math.abs(probability - (exps[i] as number) / sum)).toBeLessThanOrEqual(tolerance);
    });
    await other.close();
  });

  it("outputs: 'typed-array' holds the same numbers", async () => {
    const objects = await model.classify(image, { topK: 7, logits: true });
    const arrays = await model.classify(image, { topK: 7, logits: true, outputs: 'typed-array' });
    expect(arrays).toEqual({
      indices: Int32Array.from(objects, ({ index }) => index),
      probabilities: Float32Array.from(objects, ({ probability }) => probability),
      logits: Float32Array.from(objects, ({ logit }) => logit),
    });
    const batch = await model.classifyBatch([image, picture(2)], { outputs: 'typed-array' });
    expect(batch.map(({ predictions }) => predictions?.logits)).toEqual([null, null]);
    expect(batch[0]?.predictions?.indices).toEqual(arrays.indices.slice(0, 5));
  });
});

describe('regionOfInterest', () => {
  it.each(['tf', 'torchvision', 'keras', 'nsfwjs'] as const)(
    'is as if the rest were not there (%s)',
    async (preprocess) => {
      const region = { x: 11, y: 7, width: 50, height: 44 };
      const options = { preprocess, topK: CLASSES };
      const alone = await model.classify(cropped(image, 11, 7, 50, 44), options);
      expect(await model.classify(image, { ...options, regionOfInterest: region })).toEqual(alone);
      expect(await model.classify(image, options)).not.toEqual(alone);
    },
  );

  it('may be given in fractions', async () => {
    const fractions: RegionOfInterest = { x: 0.25, y: 0.5, width: 0.75, height: 0.5, units: 'fractions' };
    const pixels = { x: 20, y: 36, width: 60, height: 36 };
    const options = { topK: CLASSES };
    expect(await model.classify(image, { ...options, regionOfInterest: fractions })).toEqual(
      await model.classify(image, { ...options, regionOfInterest: pixels }),
    );
    const sum = { x: 0.7, y: 0.1, width: 0.3, height: 0.9, units: 'fractions' } as const; // 0.7 + 0.3 in floats
    expect(await model.classify(image, { regionOfInterest: sum })).toHaveLength(5);
  });
});

describe('a wrong option is named, with its value and what was expected', () => {
  const region = (fields: object) => ({ regionOfInterest: { x: 0, y: 0, width: 10, height: 10, ...fields } });
  it.each<[object, string]>([
    [{ topk: 3 }, 'options: no option is called "topk"; known: topK,'],
    [{ topK: 0 }, 'topK: expected an integer in 1 ... '],
    [{ minProbability: 1.5 }, 'minProbability: expected a number in 0 ... 1, got 1.5'],
    [{ minProbability: Number.NaN }, 'minProbability: expected a number in 0 ... 1, got NaN'],
    [{ allow: 'crane' }, 'allow: expected an array of labels or indices, got "crane"'],
    [{ allow: ['goose'] }, 'allow[0]: expected one of the model\'s labels, got "goose"'],
    [{ deny: [2, 20] }, 'deny[1]: expected an integer in 0 ... 19, got 20'],
    [{ deny: [null] }, 'deny[0]: expected a label or an index, got null'],
    [{ logits: 1 }, 'logits: expected true or false, got 1'],
    [{ outputs: 'array' }, "outputs: expected 'objects' or 'typed-array', got \"array\""],
    [{ decode: 'quick' }, "decode: expected 'exact' or 'fast', got \"quick\""],
    [{ regionOfInterest: 5 }, 'regionOfInterest: expected { x, y, width, height, units? }, got 5'],
    [region({ x: -1 }), 'regionOfInterest.x: expected an integer of at least 0, got -1'],
    [region({ width: 0 }), 'regionOfInterest.width: expected an integer of at least 1, got 0'],
    [region({ height: 1.5 }), 'regionOfInterest.height: expected an integer of at least 1, got 1.5'],
    [region({ units: 'percent' }), "regionOfInterest.units: expected 'pixels' or 'fractions', got \"percent\""],
    [region({ x: 75 }), "a box inside the image's 80 x 72 pixels, got x 75, y 0, width 10, height 10"],
    [region({ units: 'fractions' }), 'regionOfInterest.width: expected a fraction above 0, at most 1, got 10'],
    [
      region({ x: 0.5, width: 0.6, height: 1, units: 'fractions' }),
      'regionOfInterest: expected a box inside the image, got x 0.5, y 0, width 0.6, height 1',
    ],
  ])('%o', async (options, message) => {
    const call = model.classify(image, options as ClassifyOptions);
    await expect(call).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', message: expect.stringContaining(message) });
  });

  it.each<[LoadOptions, string]>([
    [{ queueLimit: -1 }, 'queueLimit: expected an integer in 0 ... '],
    [{ decode: 'quick' as 'fast' }, "decode: expected 'exact' or 'fast'"],
  ])('load: %o', async (options, message) => {
    await expect(load(options)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining(message),
    });
  });

  it('labels cannot be asked of a model without any', async () => {
    const bare = await load();
    await expect(bare.classify(image, { allow: ['crane'] })).rejects.toMatchObject({
      message: 'allow[0]: expected an index: the model has no labels, got "crane"',
    });
    await bare.close();
  });
});
