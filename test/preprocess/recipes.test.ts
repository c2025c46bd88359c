import { describe, expect, it } from 'vitest';
import { MobileNetError } from '../../lib/errors.js';
import type { PreprocessRecipeName } from '../../lib/model-spec.js';
import {
  type CustomPreprocessRecipe,
  type PreprocessInput,
  planPreprocess,
  preprocessRecipes,
  resolveRecipe,
} from '../../lib/preprocess.js';

const FLOAT_224: PreprocessInput = { width: 224, height: 224, dtype: 'float32', quantization: null };
const BYTES: PreprocessInput = { ...FLOAT_224, dtype: 'uint8', quantization: { scale: 1 / 128, zeroPoint: 128 } };
/** What an int8 converter writes for [-1, 1]: 2/255 as a float32. */
const INT8: PreprocessInput = {
  ...FLOAT_224,
  dtype: 'int8',
  quantization: { scale: Math.fround(2 / 255), zeroPoint: -1 },
};

function plan(recipe: PreprocessRecipeName | CustomPreprocessRecipe, size: [number, number], input = FLOAT_224) {
  return planPreprocess(resolveRecipe(recipe), { width: size[0], height: size[1], channels: 3 }, input);
}

describe('geometry', () => {
  it('tf: a centred square of 87.5 %, halves to even, offset rounded down', () => {
    expect(plan('tf', [1920, 1080])).toMatchObject({
      box: { x: 487, y: 67, width: 945, height: 945 },
      resized: { width: 224, height: 224 },
      window: { x: 0, y: 0, width: 224, height: 224 },
    });
    expect(plan('tf', [512, 340]).box).toEqual({ x: 107, y: 21, width: 298, height: 298 }); // 297.5
    expect(plan('tf', [348, 400]).box).toEqual({ x: 22, y: 48, width: 304, height: 304 }); // 304.5
    expect(plan('tf', [1, 1]).box).toEqual({ x: 0, y: 0, width: 1, height: 1 });
  });

  it('torchvision: shorter side to 256, longer side truncated, offsets rounded half to even', () => {
    expect(plan('torchvision', [512, 929])).toMatchObject({
      box: { x: 0, y: 0, width: 512, height: 929 },
      resized: { width: 256, height: 464 }, // 464.5
      window: { x: 16, y: 120, width: 224, height: 224 },
    });
    expect(plan('torchvision', [600, 400])).toMatchObject({
      resized: { width: 384, height: 256 },
      window: { x: 80, y: 16 },
    });
    // Width 257: an offset of 16.5 goes to 16; width 259: 17.5 to 18.
    expect(plan('torchvision', [257, 256]).window.x).toBe(16);
    expect(plan('torchvision', [259, 256]).window.x).toBe(18);
    const small = { ...FLOAT_224, width: 160, height: 160 };
    expect(plan('torchvision', [500, 500], small).resized).toEqual({ width: 183, height: 183 }); // 182.86
  });

  it('teachable-machine: the centred square', () => {
    expect(plan('teachable-machine', [301, 200]).box).toEqual({ x: 50, y: 0, width: 200, height: 200 });
  });

  it.each(['keras', 'nsfwjs', 'stretch'] as const)('%s: the whole image', (name) => {
    expect(plan(name, [301, 200])).toMatchObject({
      box: { x: 0, y: 0, width: 301, height: 200 },
      resized: { width: 224, height: 224 },
      window: { x: 0, y: 0, width: 224, height: 224 },
    });
  });

  it('follows the shape of inputs that are not square', () => {
    const wide = { ...FLOAT_224, width: 320, height: 160 };
    expect(plan('tf', [400, 400], wide).box).toEqual({ x: 25, y: 112, width: 350, height: 175 });
    expect(plan('teachable-machine', [1000, 100], wide).box).toEqual({ x: 400, y: 0, width: 200, height: 100 });
    // Covers 366 x 183 just so.
    expect(plan('torchvision', [400, 400], wide)).toMatchObject({
      resized: { width: 366, height: 366 },
      window: { x: 23, y: 103, width: 320, height: 160 },
    });
    expect(plan('torchvision', [1000, 100], wide).resized).toEqual({ width: 1830, height: 183 });
  });

  it('keeps box and window inside for every recipe and many sizes', () => {
    for (const { name } of preprocessRecipes) {
      for (const width of [1, 2, 3, 31, 223, 224, 225, 1000]) {
        for (const height of [1, 2, 5, 97, 224, 448, 3001]) {
          for (const input of [FLOAT_224, { ...FLOAT_224, width: 96, height: 128 }]) {
            const { box, resized, window } = plan(name as PreprocessRecipeName, [width, height], input);
            expect(Math.min(box.x, box.y, window.x, window.y), `${name} ${width} x ${height}`).toBeGreaterThanOrEqual(
              0,
            );
            expect(box.x + box.width).toBeLessThanOrEqual(width);
            expect(box.y + box.height).toBeLessThanOrEqual(height);
            expect(window.x + window.width).toBeLessThanOrEqual(resized.width);
            expect(window.y + window.height).toBeLessThanOrEqual(resized.height);
            expect([window.width, window.height]).toEqual([input.width, input.height]);
          }
        }
      }
    }
  });

  it('refuses images beyond what can be resized', () => {
    expect(() => plan('tf', [2 ** 20 + 1, 1])).toThrow(expect.objectContaining({ code: 'IMAGE_INVALID' }));
    const large = { ...FLOAT_224, width: 1024, height: 1024 };
    expect(() => plan('torchvision', [1, 2 ** 20], large)).toThrow(/1 x 1048576 is too thin for recipe 'torchvision'/);
  });
});

describe('values', () => {
  it('float32: (byte - mean) / std, rounded once', () => {
    const { table, dtype } = plan('torchvision', [10, 10]);
    expect(dtype).toBe('float32');
    expect(table).toBeInstanceOf(Float32Array);
    expect(table[0]).toBeCloseTo(-0.485 / 0.229, 6);
    expect(table[256 + 255]).toBeCloseTo((1 - 0.456) / 0.224, 6);
    expect(table[512 + 128]).toBeCloseTo((128 / 255 - 0.406) / 0.225, 6);
    expect([...plan('tf', [10, 10]).table].slice(254, 257)).toEqual([Math.fround(253 / 255), 1, -1]);
    expect([...plan('teachable-machine', [10, 10]).table].slice(0, 128).at(-1)).toBe(0);
    expect(plan('nsfwjs', [10, 10]).table[255]).toBe(1);
  });

  it.each(['tf', 'keras', 'teachable-machine', 'stretch'] as const)(
    'uint8 of scale 1/128 and zero point 128: %s gives the byte itself',
    (name) => {
      const { table, mul, add } = plan(name, [10, 10], BYTES);
      expect(table).toEqual(Uint8Array.from({ length: 768 }, (_, i) => i % 256));
      for (let byte = 0; byte < 256; byte++) expect(Math.floor(byte * mul[0]! + add[0]!)).toBe(byte);
    },
  );

  it('uint8 of scale 1/128 and zero point 128: other recipes are quantised by the numbers', () => {
    const { table } = plan('nsfwjs', [10, 10], BYTES);
    for (let byte = 0; byte < 256; byte++) {
      expect(table[byte]).toBe(Math.min(Math.floor((byte / 255) * 128 + 0.5) + 128, 255));
    }
  });

  it('int8 of scale 2/255: byte - 128, though every quotient is a half but for the rounding of the scale', () => {
    // On both sides of the exact scale, a float32 apart.
    for (const scale of [INT8.quantization!.scale, 0.007843136787414551]) {
      const input = { ...INT8, quantization: { scale, zeroPoint: -1 } };
      const { table, mul, add, minQ } = plan('tf', [10, 10], input);
      expect(minQ).toBe(-128);
      expect(new Int8Array(table.buffer)).toEqual(Int8Array.from({ length: 768 }, (_, i) => (i % 256) - 128));
      for (let byte = 0; byte < 256; byte++) expect(Math.floor(byte * mul[2]! + add[2]!)).toBe(byte - 128);
    }
  });

  it('quantises by floor(x / scale + 0.5) + zero point, clamped', () => {
    const [scale, zeroPoint] = [Math.fround(0.0186584), 114];
    const { table } = plan('torchvision', [10, 10], {
      ...FLOAT_224,
      dtype: 'uint8',
      quantization: { scale, zeroPoint },
    });
    const mean = [0.485, 0.456, 0.406];
    const std = [0.229, 0.224, 0.225];
    for (let i = 0; i < 768; i++) {
      const c = i >> 8;
      const x = ((i % 256) / 255 - mean[c]!) / std[c]!;
      expect(table[i]).toBe(Math.min(Math.max(Math.floor(x / scale + 0.5) + zeroPoint, 0), 255));
    }
  });

  it('shares tables between images of one recipe and input type', () => {
    expect(plan('tf', [10, 10], INT8).table).toBe(plan('tf', [99, 20], INT8).table);
    expect(plan('tf', [10, 10], INT8).table).not.toBe(plan('stretch', [10, 10], INT8).table);
    expect(plan('tf', [10, 10], INT8).table).not.toBe(plan('tf', [10, 10], BYTES).table);
  });
});

describe('recipes of the caller', () => {
  const custom: CustomPreprocessRecipe = {
    crop: { centreBox: 0.5 },
    resize: 'half_pixel',
    normalise: { mean: [1, 2, 3], std: [10, 20, -30] },
  };

  it('are accepted, named or not', () => {
    expect(resolveRecipe(custom)).toEqual({ ...custom, name: 'custom', summary: '' });
    expect(resolveRecipe({ ...custom, name: 'mine', summary: 'how I do it' }).name).toBe('mine');
    expect(plan(custom, [100, 60])).toMatchObject({
      box: { x: 35, y: 15, width: 30, height: 30 },
      resize: 'half_pixel',
    });
    expect(plan(custom, [100, 60]).table[512 + 33]).toBe(-1);
    expect(plan({ ...custom, crop: { centreWindow: 1 } }, [448, 300])).toMatchObject({
      resized: { width: 334, height: 224 },
      window: { x: 55, y: 0 },
    });
  });

  it('are copied, so that a later change of the object changes nothing', () => {
    const mutable = {
      ...custom,
      normalise: { mean: [0, 0, 0] as [number, number, number], std: custom.normalise.std },
    };
    const recipe = resolveRecipe(mutable);
    mutable.normalise.mean[0] = 99;
    expect(recipe.normalise.mean).toEqual([0, 0, 0]);
  });

  it.each([
    ['preprocess', 'caffe'],
    ['preprocess', null],
    ['preprocess', 7],
    ['preprocess.name', { ...custom, name: 5 }],
    ['preprocess.summary', { ...custom, summary: 5 }],
    ['preprocess.crop', { ...custom, crop: 'centre' }],
    ['preprocess.crop', { ...custom, crop: null }],
    ['preprocess.crop', { ...custom, crop: { centreBox: 1, centreWindow: 1 } }],
    ['preprocess.crop.centreBox', { ...custom, crop: { centreBox: 0 } }],
    ['preprocess.crop.centreBox', { ...custom, crop: { centreBox: Number.NaN } }],
    ['preprocess.crop.centreWindow', { ...custom, crop: { centreWindow: 0.9 } }],
    ['preprocess.resize', { ...custom, resize: 'nearest' }],
    ['preprocess.normalise', { ...custom, normalise: undefined }],
    ['preprocess.normalise.mean', { ...custom, normalise: { mean: 1, std: [1, 1, 1] } }],
    ['preprocess.normalise.mean[2]', { ...custom, normalise: { mean: [1, 1, '1'], std: [1, 1, 1] } }],
    ['preprocess.normalise.std[1]', { ...custom, normalise: { mean: [1, 1, 1], std: [1, 0, 1] } }],
    ['preprocess.normalise.std[0]', { ...custom, normalise: { mean: [1, 1, 1], std: [Number.NaN, 1, 1] } }],
  ])('are refused naming %s: %j', (field, value) => {
    const attempt = () => resolveRecipe(value as never);
    expect(attempt).toThrow(MobileNetError);
    expect(attempt).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
    expect(attempt).toThrow(new RegExp(`^${field.replace(/[[\].]/g, '\\$&')}: expected `));
  });

  it('named recipes are listed in an unknown name', () => {
    for (const { name, summary } of preprocessRecipes) {
      expect(() => resolveRecipe('caffe' as never)).toThrow(`'${name}'`);
      expect(summary).not.toBe('');
    }
  });
});
