/** The float resizes: half_pixel against a float32 model of TensorFlow's, align_corners against TensorFlow.js itself. */
import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import {
  type PreprocessPlan,
  planPreprocess,
  type ResizeMethod,
  resolveRecipe,
  type Size,
} from '../../lib/preprocess.js';
import { pixels } from './pixels.js';
import { runPlan } from './run-plan.js';

const f32 = Math.fround;

const SIZES: readonly [Size, Size][] = [
  [
    { width: 40, height: 30 },
    { width: 24, height: 24 },
  ],
  [
    { width: 24, height: 24 },
    { width: 24, height: 24 },
  ],
  [
    { width: 7, height: 90 },
    { width: 33, height: 32 },
  ],
  [
    { width: 500, height: 3 },
    { width: 32, height: 48 },
  ],
  [
    { width: 1, height: 1 },
    { width: 32, height: 32 },
  ],
  [
    { width: 33, height: 21 },
    { width: 1, height: 2 },
  ],
];

function planOf(resize: ResizeMethod, image: Size, input: Size, channels = 3): PreprocessPlan {
  const recipe = resolveRecipe({ crop: 'whole', resize, normalise: { mean: [0, 0, 0], std: [1, 1, 1] } });
  return planPreprocess(recipe, { ...image, channels }, { ...input, dtype: 'float32', quantization: null });
}

/** tf.image.resize(..., 'bilinear') of TensorFlow 2: every operation rounded to float32. */
function halfPixelModel(rgb: Uint8Array, image: Size, size: Size): Float32Array {
  const taps = (source: number, resized: number) =>
    Array.from({ length: resized }, (_, i) => {
      const at = f32(f32(f32(i + 0.5) * f32(source / resized)) - 0.5);
      const low = Math.floor(at);
      return { low: Math.max(low, 0), high: Math.min(Math.ceil(at), source - 1), fraction: f32(at - low) };
    });
  const lerp = (a: number, b: number, t: number) => f32(a + f32(f32(b - a) * t));
  const columns = taps(image.width, size.width);
  return Float32Array.from(
    taps(image.height, size.height).flatMap((row) =>
      columns.flatMap((column) =>
        [0, 1, 2].map((c) => {
          const pixel = (y: number, x: number) => rgb[(y * image.width + x) * 3 + c]!;
          const top = lerp(pixel(row.low, column.low), pixel(row.low, column.high), column.fraction);
          const bottom = lerp(pixel(row.high, column.low), pixel(row.high, column.high), column.fraction);
          return lerp(top, bottom, row.fraction);
        }),
      ),
    ),
  );
}

describe('half_pixel', () => {
  it('places taps at half-pixel centres and repeats the edge', async () => {
    const plan = planOf('half_pixel', { width: 2, height: 1 }, { width: 4, height: 1 }, 1);
    expect([...(await runPlan(plan, Uint8Array.of(0, 100)))].filter((_, i) => i % 3 === 0)).toEqual([0, 25, 75, 100]);
  });

  for (const [image, size] of SIZES) {
    it(`equals the model bit for bit, ${image.width} x ${image.height} to ${size.width} x ${size.height}`, async () => {
      const rgb = pixels(image.width, image.width * image.height * 3);
      expect(await runPlan(planOf('half_pixel', image, size), rgb)).toEqual(halfPixelModel(rgb, image, size));
    });
  }

  it('repeats grey and drops alpha', async () => {
    const [image, size] = SIZES[0]!;
    const count = image.width * image.height;
    const grey = pixels(1, count);
    const repeated = Uint8Array.from({ length: count * 3 }, (_, i) => grey[Math.trunc(i / 3)]!);
    const rgba = Uint8Array.from({ length: count * 4 }, (_, i) => (i % 4 === 3 ? i : grey[i >> 2]!));
    const expected = halfPixelModel(repeated, image, size);
    expect(await runPlan(planOf('half_pixel', image, size, 1), grey)).toEqual(expected);
    expect(await runPlan(planOf('half_pixel', image, size, 4), rgba)).toEqual(expected);
  });
});

/** The little of TensorFlow.js that is used here. nsfwjs brings it along. */
interface Tensor {
  dataSync(): Float32Array;
}
interface Tfjs {
  enableProdMode(): void;
  setBackend(name: string): Promise<boolean>;
  tensor3d(values: Uint8Array, shape: number[], dtype: string): Tensor;
  cast(x: Tensor, dtype: string): Tensor;
  div(x: Tensor, by: number): Tensor;
  image: { resizeBilinear(x: Tensor, size: [number, number], alignCorners: boolean): Tensor };
}

describe('align_corners', async () => {
  const require = createRequire(createRequire(import.meta.url).resolve('nsfwjs'));
  const tf = require('@tensorflow/tfjs') as Tfjs;
  tf.enableProdMode(); // no advertisement on the console
  await tf.setBackend('cpu');
  const tensor = (rgb: Uint8Array, { width, height }: Size) =>
    tf.cast(tf.tensor3d(rgb, [height, width, 3], 'int32'), 'float32');

  for (const [image, size] of SIZES) {
    it(`equals TensorFlow.js bit for bit, ${image.width} x ${image.height} to ${size.width} x ${size.height}`, async () => {
      const rgb = pixels(image.height, image.width * image.height * 3);
      const expected = tf.image.resizeBilinear(tensor(rgb, image), [size.height, size.width], true).dataSync();
      expect(await runPlan(planOf('align_corners', image, size), rgb)).toEqual(expected);
    });
  }

  it('gives what nsfwjs feeds its network but for the last bit: it divides by 255 before resizing', async () => {
    const image = { width: 57, height: 40 };
    const size = { width: 32, height: 32 };
    const rgb = pixels(9, image.width * image.height * 3);
    const expected = tf.image
      .resizeBilinear(tf.div(tensor(rgb, image), 255), [size.height, size.width], true)
      .dataSync();
    const input = { ...size, dtype: 'float32', quantization: null } as const;
    const actual = await runPlan(planPreprocess(resolveRecipe('nsfwjs'), { ...image, channels: 3 }, input), rgb);
    expect(actual.length).toBe(expected.length);
    for (const [i, value] of expected.entries()) expect(Math.abs(actual[i]! - value)).toBeLessThan(1e-7);
  });
});

describe('quantised', () => {
  const image = { width: 90, height: 70, channels: 3 };
  const rgb = pixels(4, image.width * image.height * 3);
  const [scale, zeroPoint] = [0.02, -7];

  it('floors, rounds halves up and clamps as the formula says', async () => {
    const size = { width: 32, height: 32 };
    const real = await runPlan(
      planPreprocess(resolveRecipe('keras'), image, { ...size, dtype: 'float32', quantization: null }),
      rgb,
    );
    const input = { ...size, dtype: 'int8', quantization: { scale, zeroPoint } } as const;
    const bytes = new Int8Array((await runPlan(planPreprocess(resolveRecipe('keras'), image, input), rgb)).buffer);
    let differ = 0;
    for (const [i, q] of bytes.entries()) {
      const exact = Math.min(Math.max(Math.floor(real[i]! / scale + 0.5) + zeroPoint, -128), 127);
      if (q !== exact) differ++; // within the slack around halves
    }
    expect(differ).toBeLessThanOrEqual(2);
  });

  it('clamps to the type at both ends', async () => {
    const extremes = Uint8Array.of(0, 0, 0, 255, 255, 255);
    const two = { width: 2, height: 1 };
    for (const [dtype, low, high] of [
      ['uint8', 0, 255],
      ['int8', 0x80, 0x7f],
    ] as const) {
      const input = { ...two, dtype, quantization: { scale: 0.001, zeroPoint: 0 } };
      const plan = planPreprocess(resolveRecipe('keras'), { ...two, channels: 3 }, input);
      expect([...(await runPlan(plan, extremes))]).toEqual([low, low, low, high, high, high]);
    }
  });
});
