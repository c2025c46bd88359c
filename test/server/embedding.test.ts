import { describe, expect, it } from 'vitest';
import { cosineSimilarity, type EmbedOptions } from '../../lib/index.js';
import { load, notAnImage, picture, precisions } from './seeded.js';

const norm = (vector: Float32Array) => Math.sqrt(vector.reduce((sum, v) => sum + v * v, 0));

describe.each(precisions)('embed (%s)', (precision) => {
  it('is the vector the classifier sees: 1280 values, of which similar pictures have similar ones', async () => {
    const model = await load({}, { precision });
    const vector = await model.embed(picture(1));
    expect(vector).toHaveLength(1280);
    expect(cosineSimilarity(vector, await model.embed(picture(1)))).toBeCloseTo(1, 6);
    const slightly = picture(1);
    slightly.data.fill(0, 2000, 2003);
    const near = cosineSimilarity(vector, await model.embed(slightly));
    expect(near).toBeGreaterThan(cosineSimilarity(vector, await model.embed(picture(4))));
    await model.close();
  });

  it('layer n is the mean over block n: the last of them, through the head, is near the network itself', async () => {
    const model = await load({}, { precision });
    const { blocks } = model.info;
    for (const layer of [1, 2, 9, blocks.length]) {
      const vector = await model.embed(picture(2), { layer });
      expect(vector).toHaveLength(blocks[layer - 1]?.outChannels as number);
      expect(vector.every(Number.isFinite)).toBe(true);
      expect(norm(vector)).toBeGreaterThan(0);
    }
    await model.close();
  });

  it('normalize scales to length 1 and keeps the direction', async () => {
    const model = await load({}, { precision });
    for (const options of [{}, { layer: 3 }] satisfies EmbedOptions[]) {
      const plain = await model.embed(picture(3), options);
      const unit = await model.embed(picture(3), { ...options, normalize: true });
      expect(norm(unit)).toBeCloseTo(1, 5);
      expect(cosineSimilarity(plain, unit)).toBeCloseTo(1, 6);
    }
    await model.close();
  });
});

describe('embed', () => {
  it('in 8 bits is close to the same network in float', async () => {
    const quantised = await load({}, { precision: 'int8' });
    const { dequantize } = await import('../../lib/compile/dequantize.js');
    const { seededModel } = await import('../../lib/tools/seeded-model.js');
    const { MobileNetV2 } = await import('../../lib/classifier.js');
    const spec = seededModel({ family: 'mobilenet_v2', width: 0.35, size: 64, classes: 20, precision: 'int8' });
    const float = await MobileNetV2.fromSpec(dequantize(spec), {});
    for (const layer of [1, 4, undefined]) {
      const pair = [await quantised.embed(picture(1), { layer }), await float.embed(picture(1), { layer })] as const;
      expect(cosineSimilarity(...pair), `layer ${layer}`).toBeGreaterThan(0.95);
    }
    await quantised.close();
    await float.close();
  });

  it('of many images: in order, a bad one apart', async () => {
    const model = await load();
    const results = await model.embedBatch([picture(1), notAnImage, picture(2)], { normalize: true });
    expect(results.map(({ error }) => error?.code)).toEqual([undefined, 'INVALID_ARGUMENT', undefined]);
    expect(results[2]?.embedding).toEqual(await model.embed(picture(2), { normalize: true }));
    await model.close();
  });

  it.each([
    [{ layer: 0 }, 'layer: expected an integer in 1 ... 17, got 0'],
    [{ layer: 18 }, 'layer: expected an integer in 1 ... 17, got 18'],
    [{ normalize: 'l2' }, 'normalize: expected true or false, got "l2"'],
    [{ topK: 5 }, 'options: no option is called "topK"'],
  ])('refuses %o', async (options, message) => {
    const model = await load();
    await expect(model.embed(picture(1), options as EmbedOptions)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining(message),
    });
    await model.close();
  });
});

describe('cosineSimilarity', () => {
  it('is the cosine of the angle', () => {
    expect(cosineSimilarity([1, 0], [0, 5])).toBe(0);
    expect(cosineSimilarity([1, 2], [-2, -4])).toBe(-1);
    expect(cosineSimilarity(Float32Array.of(1, 0), [1, 1])).toBeCloseTo(Math.SQRT1_2, 12);
    expect(cosineSimilarity([0, 0], [1, 1])).toBe(0);
  });

  it.each<[unknown, unknown, string]>([
    [[1, 2], [1], 'b: expected 2 values as in a, got 1'],
    [null, [1], 'a: expected a vector, got null'],
    [[1], 'x', 'b: expected a vector, got "x"'],
  ])('refuses %o and %o', (a, b, message) => {
    expect(() => cosineSimilarity(a as number[], b as number[])).toThrow(message);
  });
});
