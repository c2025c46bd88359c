/** Kinds of images, and the shape of results. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ImageInput, MobileNetV2 } from '../../lib/index.js';
import { seededModel } from '../../lib/tools/seeded-model.js';

const CLASSES = 30;
const [WIDTH, HEIGHT] = [48, 40];
const rgb = new Uint8Array(WIDTH * HEIGHT * 3).map((_, i) => (Math.imul(i, 2654435761) >>> 24) & 255);
const raw = { data: rgb, width: WIDTH, height: HEIGHT, channels: 3 } as const;
const all = { topK: CLASSES };

let directory: string;
let png: Buffer;
let model: MobileNetV2;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'mobilenetv2-classify-'));
  png = await sharp(rgb, { raw: { width: WIDTH, height: HEIGHT, channels: 3 } })
    .png()
    .toBuffer();
  model = await MobileNetV2.fromSpec(seededModel({ family: 'mobilenet_v2', width: 0.35, size: 32, classes: CLASSES }), {
    threads: 2,
  });
});
afterAll(async () => {
  await model.close();
  rmSync(directory, { recursive: true });
});

describe('results', () => {
  it('are index, label and probability, best first, and add up to 1', async () => {
    const result = await model.classify(raw, all);
    expect(result).toHaveLength(CLASSES);
    for (const entry of result) {
      expect(Object.keys(entry)).toEqual(['index', 'label', 'probability']);
      expect(entry.label).toBe(null);
    }
    expect(new Set(result.map(({ index }) => index)).size).toBe(CLASSES);
    expect(result.reduce((sum, { probability }) => sum + probability, 0)).toBeCloseTo(1, 5);
    for (const [i, { probability }] of result.slice(1).entries()) {
      expect(probability).toBeLessThanOrEqual(result[i]?.probability as number);
    }
  });

  it('are five unless topK says otherwise, and never more than there are classes', async () => {
    const result = await model.classify(raw, all);
    expect(await model.classify(raw)).toEqual(result.slice(0, 5));
    expect(await model.classify(raw, { topK: 1 })).toEqual(result.slice(0, 1));
    expect(await model.classify(raw, { topK: 10_000 })).toEqual(result);
  });

  it('of equal probability come in the order of their indices', async () => {
    // An 8-bit softmax gives most of 1000 classes the same few values.
    const spec = seededModel({ family: 'mobilenet_v2', width: 0.35, size: 32, classes: 1000, precision: 'int8' });
    await using quantized = await MobileNetV2.fromSpec(spec, {});
    const result = await quantized.classify(raw, { topK: 1000 });
    let ties = 0;
    for (const [i, entry] of result.slice(1).entries()) {
      const before = result[i] as typeof entry;
      if (entry.probability !== before.probability) continue;
      expect(entry.index).toBeGreaterThan(before.index);
      ties++;
    }
    expect(ties).toBeGreaterThan(500);
    expect(await quantized.classify(raw, { topK: 300 })).toEqual(result.slice(0, 300));
  });
});

describe('images', () => {
  it('may be a path, a Buffer, a Uint8Array, an ArrayBuffer or raw pixels', async () => {
    const want = await model.classify(raw, all);
    const path = join(directory, 'image.png');
    writeFileSync(path, png);
    const inside = new Uint8Array(png.length + 7);
    inside.set(png, 7);
    const exact = png.buffer.slice(png.byteOffset, png.byteOffset + png.byteLength) as ArrayBuffer;
    const inputs: ImageInput[] = [path, png, new Uint8Array(exact), inside.subarray(7), exact];
    for (const input of inputs) expect(await model.classify(input, all)).toEqual(want);
    const clamped = { ...raw, data: new Uint8ClampedArray(rgb) };
    const rgba = {
      ...raw,
      channels: 4,
      data: new Uint8Array(WIDTH * HEIGHT * 4).map((_, i) =>
        i % 4 === 3 ? 9 : (rgb[(i >> 2) * 3 + (i % 4)] as number),
      ),
    } as const;
    for (const input of [clamped, rgba]) expect(await model.classify(input, all)).toEqual(want);
    expect(rgb[5]).toBe((Math.imul(5, 2654435761) >>> 24) & 255); // pixels are only read
  });

  it('grey counts as equal red, green and blue', async () => {
    const grey = new Uint8Array(WIDTH * HEIGHT).map((_, i) => i & 255);
    const repeated = new Uint8Array(WIDTH * HEIGHT * 3).map((_, i) => Math.floor(i / 3) & 255);
    expect(await model.classify({ ...raw, channels: 1, data: grey }, all)).toEqual(
      await model.classify({ ...raw, data: repeated }, all),
    );
  });

  it.each([
    ['a missing file', 'no/such.png', 'FILE_NOT_FOUND', /no\/such\.png/],
    ['bytes that are no image', new Uint8Array(100), 'IMAGE_INVALID', /image/i],
    ['no bytes', new Uint8Array(0), 'IMAGE_INVALID', /image|empty/i],
    ['a number', 5, 'INVALID_ARGUMENT', /got 5/],
    ['null', null, 'INVALID_ARGUMENT', /got null/],
    ['pixels that are too few', { ...raw, data: rgb.subarray(1) }, 'INVALID_ARGUMENT', /5760.*5759|5759.*5760/],
    ['no width', { ...raw, width: 0 }, 'INVALID_ARGUMENT', /width.*0/],
    ['two channels', { ...raw, channels: 2 }, 'INVALID_ARGUMENT', /channels.*2/],
  ])('%s is refused', async (_, image, code, message) => {
    await expect(model.classify(image as ImageInput)).rejects.toMatchObject({
      name: 'MobileNetError',
      code,
      message: expect.stringMatching(message),
    });
  });

  it('with more pixels than allowed are refused', async () => {
    const spec = seededModel({ family: 'mobilenet_v2', width: 0.35, size: 32, classes: 3 });
    await using small = await MobileNetV2.fromSpec(spec, { maxPixels: WIDTH * HEIGHT - 1 });
    await expect(small.classify(png)).rejects.toMatchObject({
      code: 'IMAGE_TOO_LARGE',
      message: expect.stringMatching(/48.*40/),
    });
  });

  it('are preprocessed as the call says, else as load said, else as the model implies', async () => {
    const spec = seededModel({ family: 'mobilenet_v2', width: 0.35, size: 32, classes: CLASSES });
    await using stretched = await MobileNetV2.fromSpec(spec, { preprocess: 'stretch' });
    const stretch = await model.classify(raw, { ...all, preprocess: 'stretch' });
    expect(stretch).not.toEqual(await model.classify(raw, all));
    expect(await stretched.classify(raw, all)).toEqual(stretch);
    expect(await stretched.classify(raw, { ...all, preprocess: 'tf' })).toEqual(await model.classify(raw, all));
    expect(stretched.info.preprocess).toBe('stretch');
    await expect(model.classify(raw, { preprocess: 'x' as 'tf' })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(/preprocess.*"x"/),
    });
  });
});
