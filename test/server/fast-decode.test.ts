import { readdirSync, readFileSync } from 'node:fs';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MobileNetV2 } from '../../lib/classifier.js';
import { decodeImage } from '../../lib/decode.js';
import { cosineSimilarity } from '../../lib/embedding.js';
import { resolveRecipe, spareReduction } from '../../lib/preprocess.js';
import { hasShared, needsShared, shared } from '../support/shared.js';
import { load, picture } from './seeded.js';

/** A large JPEG of smooth shapes; `orientation` as EXIF counts. */
function photo(width: number, height: number, orientation = 1): Promise<Buffer> {
  const { data, width: w, height: h } = picture(3, 120, 90);
  return sharp(data, { raw: { width: w, height: h, channels: 3 } })
    .resize(width, height, { fit: 'fill' })
    .jpeg({ quality: 92 })
    .withMetadata({ orientation })
    .toBuffer();
}

describe("decode: 'fast'", () => {
  it.each([
    [640, 480, 224, 1], // the tf recipe sees 420 of 480 pixels: less than twice 224
    [1024, 1024, 224, 2],
    [4096, 3072, 224, 6],
    [4000, 3072, 96, 14],
  ])('of %i x %i pixels for an input of %i: divided by %i, twice what is seen is left', (width, height, side, by) => {
    const tf = resolveRecipe('tf');
    expect(spareReduction(tf, { width, height }, { width: side, height: side }, 2)).toBe(by);
  });

  it.each([1, 6])('decodes a JPEG of orientation %i at the size asked for', async (orientation) => {
    const bytes = await photo(1001, 603, orientation);
    const full = orientation === 6 ? { width: 603, height: 1001 } : { width: 1001, height: 603 };
    const seen: unknown[] = [];
    const decoded = await decodeImage(bytes, {
      shrink: (size) => {
        seen.push({ width: size.width, height: size.height });
        return 4;
      },
    });
    expect(seen).toEqual([full]);
    const quarter = { width: Math.ceil(full.width / 4), height: Math.ceil(full.height / 4) };
    expect(decoded).toMatchObject({ ...quarter, channels: 3 });
    expect(decoded.full).toMatchObject(full);
    // The same picture: close to the whole one averaged over 4 x 4 pixels.
    const exact = await decodeImage(bytes);
    const averaged = await sharp(exact.data, { raw: { width: exact.width, height: exact.height, channels: 3 } })
      .resize(quarter.width, quarter.height, { fit: 'fill' })
      .raw()
      .toBuffer();
    const difference = averaged.reduce((sum, v, i) => sum + Math.abs(v - (decoded.data[i] as number)), 0);
    expect(difference / averaged.length).toBeLessThan(3);
  });

  it('leaves other formats, raw pixels and small photos as they are', async () => {
    const model = await load();
    const large = picture(3, 700, 700);
    const png = await sharp(large.data, { raw: { width: 700, height: 700, channels: 3 } })
      .png()
      .toBuffer();
    for (const image of [png, large, await photo(100, 90)]) {
      expect(await model.classify(image, { decode: 'fast' })).toEqual(await model.classify(image));
    }
    await model.close();
  });

  it('looks at the same region', async () => {
    const model = await load({ decode: 'fast' });
    const bytes = await photo(2000, 1500);
    const options = { regionOfInterest: { x: 1000, y: 300, width: 900, height: 1000 }, topK: 20 };
    const [fast, exact] = await Promise.all([
      model.embed(bytes, { regionOfInterest: options.regionOfInterest }),
      model.embed(bytes, { regionOfInterest: options.regionOfInterest, decode: 'exact' }),
    ]);
    expect(fast).not.toEqual(exact); // it was shrunk
    expect(cosineSimilarity(fast, exact)).toBeGreaterThan(0.98);
    await model.close();
  });
});

describe(`decode: 'fast' on photos enlarged to 12 megapixels${needsShared}`, () => {
  let model: MobileNetV2;
  beforeAll(async () => {
    if (hasShared) model = await MobileNetV2.load(shared('models', 'imagenet', 'mobilenet_v2_1.0_224_float.tflite'));
  });
  afterAll(() => model?.close());

  it.skipIf(!hasShared)('gives the same best label', async () => {
    const files = readdirSync(shared('calibration')).sort().slice(0, 3);
    for (const file of files) {
      const large = await sharp(readFileSync(shared('calibration', file)))
        .resize(4000, 3000, { fit: 'fill' })
        .jpeg()
        .toBuffer();
      const [[exact], [fast]] = [await model.classify(large), await model.classify(large, { decode: 'fast' })];
      expect(fast?.index, file).toBe(exact?.index);
      expect(fast?.probability).toBeCloseTo(exact?.probability as number, 1);
    }
  });
});
