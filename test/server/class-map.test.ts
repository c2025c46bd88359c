import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { MobileNetV2 } from '../../lib/classifier.js';
import { dequantize } from '../../lib/compile/dequantize.js';
import { seededModel } from '../../lib/tools/seeded-model.js';
import { hasShared, needsShared, shared } from '../support/shared.js';
import { CLASSES, load, picture, precisions } from './seeded.js';

const image = picture(1, 150, 100);

describe.each(precisions)('classMap (%s)', (precision) => {
  it('has a mean over its cells that is the logits of the float network', async () => {
    const spec = seededModel({ family: 'mobilenet_v2', width: 0.35, size: 96, classes: CLASSES, precision });
    const model = await MobileNetV2.fromSpec(spec, { threads: 2 });
    const float = await MobileNetV2.fromSpec(dequantize(spec), { threads: 2 });
    const { rows, columns, classes, logits } = await model.classMap(image);
    expect([rows, columns, classes, logits.length]).toEqual([3, 3, CLASSES, 9 * CLASSES]);
    const expected = await float.classify(image, { topK: CLASSES, logits: true });
    for (const { index, logit } of expected) {
      const cells = Array.from({ length: rows * columns }, (_, cell) => logits[cell * classes + index] as number);
      expect(cells.reduce((a, b) => a + b) / cells.length).toBeCloseTo(logit, 4);
      expect(new Set(cells).size).toBeGreaterThan(1);
    }
    await model.close();
    await float.close();
  });
});

describe('classMap', () => {
  it.each([
    [64, 64, 2, 2],
    [65, 33, 2, 3],
    [300, 200, 7, 10],
    [32, 1, 1, 1],
  ])('of %i x %i pixels has %i rows and %i columns', async (width, height, rows, columns) => {
    const model = await load();
    const map = await model.classMap(image, { inputSize: { width, height } });
    expect([map.rows, map.columns]).toEqual([rows, columns]);
    expect(map.columnCentres).toHaveLength(columns);
    expect(map.logits.every(Number.isFinite)).toBe(true);
    await model.close();
  });

  it('does not depend on how many threads make it', async () => {
    const [one, two] = [await load({ threads: 1 }), await load({ threads: 2 })];
    const size = { inputSize: { width: 192, height: 160 } };
    expect(await two.classMap(image, size)).toEqual(await one.classMap(image, size));
    await one.close();
    await two.close();
  });

  it('runs in the arenas of the model, of which there are as many as threads', async () => {
    const inputSize = { width: 320, height: 320 };
    const mapped = await load({ threads: 1 });
    await mapped.classMap(image, { inputSize });
    const { bytes, highWaterBytes } = mapped.info.arena;
    expect(highWaterBytes).toBeGreaterThan(bytes);
    const both = await load({ threads: 1 });
    await Promise.all([1, 2, 3].flatMap(() => [both.classify(image), both.classMap(image, { inputSize })]));
    expect(both.info.arena.highWaterBytes).toBe(highWaterBytes);
    await mapped.close();
    await both.close();
  });

  it('knows where its cells look: padding on one side moves them', async () => {
    const symmetric = await load({}, { padding: 'symmetric' });
    const same = await load({}, { padding: 'same' });
    // Five halvings: cell i sees around pixel 32 i with symmetric padding, 32 i + 31 where all of it comes after.
    expect([...(await symmetric.classMap(image)).columnCentres]).toEqual([0.5 / 64, 32.5 / 64]);
    expect([...(await same.classMap(image)).columnCentres]).toEqual([31.5 / 64, 63.5 / 64]);
    await symmetric.close();
    await same.close();
  });

  it.each([
    [{ inputSize: 224 }, 'inputSize: expected { width, height } in pixels, got 224'],
    [{ inputSize: { width: 0, height: 5 } }, 'inputSize.width: expected an integer in 1 ... 8192, got 0'],
    [{ inputSize: { width: 5 } }, 'inputSize.height: expected an integer in 1 ... 8192, got undefined'],
  ])('refuses %o', async (options, message) => {
    const model = await load();
    await expect(model.classMap(image, options as object)).rejects.toMatchObject({ message });
    await model.close();
  });

  it('says so when the file it reads again is not what was loaded', async () => {
    const shape = { family: 'mobilenet_v2', width: 0.35, size: 64, classes: CLASSES } as const;
    const other = seededModel({ ...shape, seed: 2 });
    const model = await MobileNetV2.fromSpec(seededModel(shape), {}, async () => other);
    await expect(model.classMap(image)).rejects.toMatchObject({
      code: 'MODEL_CORRUPT',
      message: expect.stringContaining('has changed since the model was loaded'),
    });
    expect(await model.classify(image)).toHaveLength(5);
    await model.close();
  });
});

describe('heatmap', () => {
  it('has a value per pixel: the logits of the cells, interpolated', async () => {
    const model = await load();
    const heat = await model.heatmap(image, 3);
    const size = { width: 160, height: 96 }; // 1.5 x 64 for the shorter side, whole cells
    const map = await model.classMap(image, { preprocess: 'stretch', inputSize: size });
    const cells = Array.from({ length: map.rows * map.columns }, (_, i) => map.logits[i * CLASSES + 3] as number);
    expect(heat).toMatchObject({ index: 3, label: null, width: 150, height: 100 });
    expect(heat.values).toHaveLength(150 * 100);
    const [low, high] = [Math.min(...cells), Math.max(...cells)];
    for (const value of heat.values) expect(value >= low && value <= high).toBe(true);
    expect(heat.values[0]).toBe(cells[0]); // beyond the outermost cells it stays
    await model.close();
  });

  it("format 'png' is the photo, or its region, with the heat over it", async () => {
    const model = await load({ labels: Array.from({ length: CLASSES }, (_, i) => `label ${i}`) });
    const photo = await sharp(await model.heatmap(image, 'label 3', { format: 'png' })).metadata();
    expect(photo).toMatchObject({ format: 'png', width: 150, height: 100, channels: 3 });
    const regionOfInterest = { x: 10, y: 20, width: 60, height: 50 };
    const part = await model.heatmap(image, 3, { format: 'png', regionOfInterest });
    expect(await sharp(part).metadata()).toMatchObject({ width: 60, height: 50 });
    const grey = { data: new Uint8Array(40 * 30).fill(90), width: 40, height: 30, channels: 1 } as const;
    expect(await sharp(await model.heatmap(grey, 0, { format: 'png' })).metadata()).toMatchObject({ width: 40 });
    await model.close();
  });

  it.each<[unknown, string]>([
    [20, 'classIndex: expected an integer in 0 ... 19, got 20'],
    ['cat', 'classIndex: expected an index: the model has no labels, got "cat"'],
    [null, 'classIndex: expected a label or an index, got null'],
  ])('refuses class %o', async (index, message) => {
    const model = await load();
    await expect(model.heatmap(image, index as number)).rejects.toMatchObject({ message });
    await model.close();
  });
});

describe(`on photos${needsShared}`, () => {
  // Boxes around the objects, in fractions of the photo, drawn by hand.
  it.skipIf(!hasShared).each([
    ['hot_dog.jpg', 'hotdog, hot dog, red hot', { left: 0.15, top: 0.18, right: 0.95, bottom: 0.62 }],
    ['parrot.jpg', 'macaw', { left: 0.17, top: 0.1, right: 0.93, bottom: 0.95 }],
    ['cat_1080p.jpg', 'Egyptian cat', { left: 0.08, top: 0.1, right: 0.73, bottom: 1 }],
  ])('%s: the hottest pixel and most of the heat lie on the object', async (file, label, box) => {
    const folder = ['models', 'imagenet'];
    const model = await MobileNetV2.load(shared(...folder, 'mobilenet_v2_1.0_224_quant.tflite'), {
      labels: shared(...folder, 'labels.txt'),
    });
    const { width, height, values } = await model.heatmap(shared('images', file), label);
    const mean = values.reduce((a, b) => a + b, 0) / values.length;
    let [inside, total, hottest] = [0, 0, 0];
    const isInside = (i: number, margin = 0) => {
      const [x, y] = [(i % width) / width, Math.floor(i / width) / height];
      return x >= box.left - margin && x <= box.right + margin && y >= box.top - margin && y <= box.bottom + margin;
    };
    values.forEach((value, i) => {
      if (value > (values[hottest] as number)) hottest = i;
      const heat = Math.max(value - mean, 0);
      total += heat;
      if (isInside(i)) inside += heat;
    });
    // The hottest pixel may lie half a cell beside what it is about.
    expect(isInside(hottest, 0.03)).toBe(true);
    expect(inside / total).toBeGreaterThan(0.75);
    await model.close();
  });
});
