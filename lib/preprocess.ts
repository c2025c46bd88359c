/**
 * Named preprocessing recipes, and the plan they give for one image: plain numbers and tables for the native step
 * (crop -> resize -> normalise -> quantise). What the resizes compute is defined in
 * native/kernels/preprocess/preprocess.h.
 */
import { invalidArgument, MobileNetError } from './errors.js';
import type { Precision, PreprocessRecipeName, Quantization } from './model-spec.js';

/** One number each for red, green and blue. */
export type Rgb = readonly [number, number, number];

/**
 * Which part of the image the network sees:
 * - `'whole'`: all of it, squeezed to the input's shape;
 * - `{ centreBox: f }`: before resizing, the largest centred box of the input's shape, times f (0 < f <= 1); for a
 *   square input a square of round(f * shorter side);
 * - `{ centreWindow: r }`: the image, its shape kept, is resized to cover the input's size times r (1 <= r <= 16) just so,
 *   and the input's size is cut out of the centre; for a square input the shorter side becomes round(r * input).
 */
export type CropRule = 'whole' | { readonly centreBox: number } | { readonly centreWindow: number };

/**
 * - `'pillow'`: Pillow's antialiased bilinear on bytes, equal to Pillow bit for bit;
 * - `'half_pixel'`: tf.image.resize's bilinear, no antialiasing, float32;
 * - `'align_corners'`: TensorFlow.js' resizeBilinear with alignCorners.
 */
export type ResizeMethod = 'pillow' | 'half_pixel' | 'align_corners';

/** How an image becomes the input tensor: cropped, resized, normalised. */
export interface PreprocessRecipe {
  readonly name: string;
  readonly crop: CropRule;
  readonly resize: ResizeMethod;
  /** A value v (0 ... 255) of a channel becomes the real number (v - mean) / std. */
  readonly normalise: { readonly mean: Rgb; readonly std: Rgb };
  /** One line for people. */
  readonly summary: string;
}

/** A recipe of the caller's: `name` and `summary` may be left out. */
export type CustomPreprocessRecipe = Omit<PreprocessRecipe, 'name' | 'summary'> &
  Partial<Pick<PreprocessRecipe, 'name' | 'summary'>>;

/** (v - mean) / std with the same numbers for every channel. */
function grey(mean: number, std: number): PreprocessRecipe['normalise'] {
  return { mean: [mean, mean, mean], std: [std, std, std] };
}

/** To add a recipe, add an entry here and its name to PreprocessRecipeName. */
const RECIPES: { readonly [K in PreprocessRecipeName]: Omit<PreprocessRecipe, 'name'> } = {
  tf: {
    crop: { centreBox: 0.875 },
    resize: 'pillow',
    normalise: grey(127.5, 127.5),
    summary: 'centre square of 87.5 %, antialiased bilinear, [-1, 1] (TensorFlow slim, TFLite)',
  },
  torchvision: {
    crop: { centreWindow: 256 / 224 },
    resize: 'pillow',
    normalise: {
      mean: [0.485 * 255, 0.456 * 255, 0.406 * 255],
      std: [0.229 * 255, 0.224 * 255, 0.225 * 255],
    },
    summary: 'shorter side to 256/224 of the input, antialiased bilinear, centre crop, ImageNet mean and deviation',
  },
  keras: {
    crop: 'whole',
    resize: 'half_pixel',
    normalise: grey(127.5, 127.5),
    summary: 'whole image, bilinear without antialiasing, [-1, 1] (keras.applications)',
  },
  'teachable-machine': {
    crop: { centreBox: 1 },
    resize: 'pillow',
    normalise: grey(127, 127),
    summary: 'centre square, antialiased bilinear, v / 127 - 1',
  },
  nsfwjs: {
    crop: 'whole',
    resize: 'align_corners',
    normalise: grey(0, 255),
    summary: 'whole image, bilinear with aligned corners, [0, 1]',
  },
  stretch: {
    crop: 'whole',
    resize: 'pillow',
    normalise: grey(127.5, 127.5),
    summary: 'whole image, antialiased bilinear, [-1, 1]',
  },
};

/** All named recipes, in the order of help texts. */
export const preprocessRecipes: readonly PreprocessRecipe[] = Object.entries(RECIPES).map(([name, recipe]) =>
  Object.freeze({ name, ...recipe }),
);

/**
 * The recipe of a name, or the caller's own one, checked.
 * @param field What error messages call it.
 * @throws MobileNetError `INVALID_ARGUMENT` naming the field that is wrong.
 */
export function resolveRecipe(
  value: PreprocessRecipeName | CustomPreprocessRecipe,
  field = 'preprocess',
): PreprocessRecipe {
  if (typeof value === 'string') {
    const recipe = preprocessRecipes.find(({ name }) => name === value);
    if (recipe) return recipe;
  }
  if (typeof value !== 'object' || value === null) {
    const names = preprocessRecipes.map(({ name }) => `'${name}'`).join(', ');
    throw invalidArgument(field, `one of ${names}, or a recipe object`, value);
  }
  const { crop, resize, normalise, name = 'custom', summary = '' } = value;
  if (typeof name !== 'string') throw invalidArgument(`${field}.name`, 'a string', name);
  if (typeof summary !== 'string') throw invalidArgument(`${field}.summary`, 'a string', summary);
  if (resize !== 'pillow' && resize !== 'half_pixel' && resize !== 'align_corners') {
    throw invalidArgument(`${field}.resize`, "'pillow', 'half_pixel' or 'align_corners'", resize);
  }
  if (typeof normalise !== 'object' || normalise === null) {
    throw invalidArgument(`${field}.normalise`, '{ mean: [r, g, b], std: [r, g, b] }', normalise);
  }
  const mean = checkRgb(`${field}.normalise.mean`, normalise.mean, 'a number', (v) => Math.abs(v) <= 1e6);
  const std = checkRgb(
    `${field}.normalise.std`,
    normalise.std,
    'a number that is not 0',
    (v) => Math.abs(v) >= 1e-6 && Math.abs(v) <= 1e6,
  );
  // A copy: the tables are cached by recipe, and the caller may change an object later.
  return Object.freeze({ name, crop: checkCrop(`${field}.crop`, crop), resize, normalise: { mean, std }, summary });
}

function checkRgb(field: string, value: unknown, expected: string, ok: (v: number) => boolean): Rgb {
  if (!Array.isArray(value) || value.length !== 3) throw invalidArgument(field, 'an array [r, g, b]', value);
  value.forEach((v: unknown, i) => {
    if (typeof v !== 'number' || !ok(v)) throw invalidArgument(`${field}[${i}]`, expected, v);
  });
  return [value[0], value[1], value[2]];
}

function checkCrop(field: string, crop: unknown): CropRule {
  if (crop === 'whole') return crop;
  const { centreBox, centreWindow } = Object(crop) as { centreBox?: unknown; centreWindow?: unknown };
  if (centreBox !== undefined && centreWindow === undefined) {
    if (typeof centreBox === 'number' && centreBox > 0 && centreBox <= 1) return { centreBox };
    throw invalidArgument(`${field}.centreBox`, 'a number above 0, at most 1', centreBox);
  }
  if (centreWindow !== undefined && centreBox === undefined) {
    if (typeof centreWindow === 'number' && centreWindow >= 1 && centreWindow <= 16) return { centreWindow };
    throw invalidArgument(`${field}.centreWindow`, 'a number 1 ... 16', centreWindow);
  }
  throw invalidArgument(field, "'whole', { centreBox: number } or { centreWindow: number }", crop);
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

export interface Rect extends Size {
  readonly x: number;
  readonly y: number;
}

/** What the network wants. */
export interface PreprocessInput extends Size {
  readonly dtype: Precision;
  /** Of the input tensor; needed unless float32. */
  readonly quantization: Quantization | null;
}

/** Everything the native step needs besides the pixels, as in PreprocessArgs of preprocess.h. */
export interface PreprocessPlan {
  readonly image: Size & { readonly channels: number };
  readonly box: Rect;
  readonly resize: ResizeMethod;
  readonly verticalFirst: boolean;
  readonly resized: Size;
  readonly window: Rect;
  readonly dtype: Precision;
  /** 3 x 256: what a byte of each channel becomes. int8 values are their two's complement bytes. */
  readonly table: Float32Array | Uint8Array;
  /** What an interpolated value becomes: v * mul + add per channel, for bytes floored and clamped from minQ on. */
  readonly mul: Float64Array;
  readonly add: Float64Array;
  readonly minQ: 0 | -128;
}

/** As kMaxImageSide and kMaxResizedSide in preprocess.h. */
const MAX_IMAGE_SIDE = 2 ** 20;
const MAX_RESIZED_SIDE = 2 ** 30;

/**
 * What to do with one image for one network.
 * @param region The part of the image to use as if the rest were not there; default: all of it. Must lie inside.
 * @throws MobileNetError `IMAGE_INVALID` if the image's sides are beyond what can be resized.
 */
export function planPreprocess(
  recipe: PreprocessRecipe,
  image: Size & { readonly channels: number },
  input: PreprocessInput,
  region: Rect = { x: 0, y: 0, width: image.width, height: image.height },
): PreprocessPlan {
  const { width, height, channels } = image;
  if (width > MAX_IMAGE_SIDE || height > MAX_IMAGE_SIDE) {
    throw new MobileNetError('IMAGE_INVALID', `image: sides of up to ${MAX_IMAGE_SIDE}, got ${width} x ${height}`);
  }
  const { box, resized, window } = geometry(recipe.crop, region, input);
  if (resized.width > MAX_RESIZED_SIDE || resized.height > MAX_RESIZED_SIDE) {
    throw new MobileNetError('IMAGE_INVALID', `image: ${width} x ${height} is too thin for recipe '${recipe.name}'`);
  }
  return {
    image: { width, height, channels },
    box: { ...box, x: box.x + region.x, y: box.y + region.y },
    resize: recipe.resize,
    verticalFirst: pillowFiltersVerticallyFirst(box, resized),
    resized,
    window,
    dtype: input.dtype,
    ...valueMap(recipe, input.dtype, input.quantization),
  };
}

/**
 * By how much a photo's sides can be divided while `margin` times what the network sees of it is left: at least 1.
 */
export function spareReduction(recipe: PreprocessRecipe, region: Size, input: Size, margin: number): number {
  const { box, resized } = geometry(recipe.crop, region, input);
  return Math.max(Math.min(box.width / resized.width, box.height / resized.height) / margin, 1);
}

function geometry(crop: CropRule, image: Size, input: Size): Pick<PreprocessPlan, 'box' | 'resized' | 'window'> {
  const { width, height } = image;
  const target = { width: input.width, height: input.height };
  const whole = { x: 0, y: 0, width, height };
  if (crop === 'whole') return { box: whole, resized: target, window: { x: 0, y: 0, ...target } };
  if ('centreBox' in crop) {
    // The side that limits the box is scaled; the other follows from the input's shape.
    const widthLimits = width * input.height <= height * input.width;
    const boxWidth = crop.centreBox * (widthLimits ? width : height * (input.width / input.height));
    const boxHeight = crop.centreBox * (widthLimits ? width * (input.height / input.width) : height);
    const size = {
      width: Math.min(Math.max(roundHalfEven(boxWidth), 1), width),
      height: Math.min(Math.max(roundHalfEven(boxHeight), 1), height),
    };
    const x = Math.floor((width - size.width) / 2);
    const y = Math.floor((height - size.height) / 2);
    return { box: { x, y, ...size }, resized: target, window: { x: 0, y: 0, ...target } };
  }
  const coverWidth = roundHalfEven(crop.centreWindow * input.width);
  const coverHeight = roundHalfEven(crop.centreWindow * input.height);
  // torchvision's integer rules: the side that is not given is truncated, the crop's offset rounded half to even.
  const widthFits = width * coverHeight <= height * coverWidth;
  const resized = {
    width: widthFits ? coverWidth : Math.max(coverWidth, Math.trunc((coverHeight * width) / height)),
    height: widthFits ? Math.max(coverHeight, Math.trunc((coverWidth * height) / width)) : coverHeight,
  };
  const x = roundHalfEven((resized.width - input.width) / 2);
  const y = roundHalfEven((resized.height - input.height) / 2);
  return { box: whole, resized, window: { x, y, ...target } };
}

/** Python's round(): the recipes follow programs that use it. */
function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const fraction = value - floor;
  if (fraction !== 0.5) return fraction < 0.5 ? floor : floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}

/**
 * Pillow 13 filters vertically first if that discards many more rows than the other order discards columns (older
 * versions never do). As each pass rounds to bytes, the order shows in the last bit of some pixels. Found by
 * measurement and checked against Pillow 13.0: scripts/pillow-goldens.py.
 */
function pillowFiltersVerticallyFirst(box: Size, resized: Size): boolean {
  return resized.height < box.height && box.height - resized.height > 2 * (box.width - resized.width);
}

type ValueMap = Pick<PreprocessPlan, 'table' | 'mul' | 'add' | 'minQ'>;

/** Tables by recipe, then by input type: as many as there are kinds of models in use. */
const valueMaps = new WeakMap<PreprocessRecipe, Map<string, ValueMap>>();

function valueMap(recipe: PreprocessRecipe, dtype: Precision, quantization: Quantization | null): ValueMap {
  const key = quantization ? `${dtype} ${quantization.scale} ${quantization.zeroPoint}` : dtype;
  const maps = valueMaps.get(recipe) ?? new Map<string, ValueMap>();
  valueMaps.set(recipe, maps);
  const known = maps.get(key);
  if (known) return known;
  const made = makeValueMap(recipe, dtype, quantization);
  maps.set(key, made);
  return made;
}

/**
 * Quantising rounds halves up: q = floor(x / scale + 0.5) + zero point. A file's scale is a float32, so x / scale is
 * known to a relative 2^-24 only; where it means an exact half (a file made for [-1, 1] with scale 2/255: every byte is
 * one), the quotient can fall on either side. Hence this slack, wider than that error at 128 and much narrower than
 * anything else: a value just below a half counts as the half.
 */
const HALF = 0.5 + 2 ** -16;

function makeValueMap(recipe: PreprocessRecipe, dtype: Precision, quantization: Quantization | null): ValueMap {
  const { mean, std } = recipe.normalise;
  const mul = new Float64Array(3);
  const add = new Float64Array(3);
  const minQ = dtype === 'int8' ? -128 : 0;
  if (dtype !== 'float32' && quantization === null) {
    throw new MobileNetError('INTERNAL', `preprocess: a ${dtype} input needs a quantization`);
  }
  const bytesAsTheyAre = dtype === 'uint8' && takesBytes(recipe, quantization);
  for (let c = 0; c < 3; c++) {
    const scale = std[c]! * (dtype === 'float32' ? 1 : quantization!.scale);
    mul[c] = bytesAsTheyAre ? 1 : 1 / scale;
    if (dtype === 'float32') add[c] = -mean[c]! / scale;
    else add[c] = bytesAsTheyAre ? HALF : HALF + quantization!.zeroPoint - mean[c]! / scale;
  }

  const table = dtype === 'float32' ? new Float32Array(3 * 256) : new Uint8Array(3 * 256);
  for (let c = 0; c < 3; c++) {
    for (let byte = 0; byte < 256; byte++) {
      const value = dtype === 'float32' ? (byte - mean[c]!) / std[c]! : Math.floor(byte * mul[c]! + add[c]!);
      const clamped = dtype === 'float32' ? value : Math.min(Math.max(value, minQ), minQ + 255);
      table[c * 256 + byte] = clamped; // a Uint8Array takes a negative number modulo 256: its two's complement
    }
  }
  return { table, mul, add, minQ };
}

/**
 * Scale 1/128 and zero point 128 are how TensorFlow's quantised files write [-1, 1]: they were trained on byte / 127.5
 * - 1 and are meant to be fed the byte itself, though their numbers say (byte - 128) / 128.
 */
function takesBytes({ normalise }: PreprocessRecipe, quantization: Quantization | null): boolean {
  if (quantization?.scale !== 1 / 128 || quantization.zeroPoint !== 128) return false;
  return [...normalise.mean, ...normalise.std].every((v) => Math.abs(v - 127.5) <= 0.5);
}
