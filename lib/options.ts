/** Options of the public API, and the checks that name the option, what was expected and what came. */
import { describe, invalidArgument, MobileNetError } from './errors.js';
import type { PreprocessRecipeName } from './model-spec.js';
import type { CustomPreprocessRecipe } from './preprocess.js';
import type { RegionOfInterest } from './region.js';

/** A named recipe or one's own; see {@link preprocessRecipes}. */
export type Preprocess = PreprocessRecipeName | CustomPreprocessRecipe;

/**
 * How image files become pixels.
 *
 * - `'exact'`: every pixel is decoded; JPEG, PNG, WebP, GIF and TIFF give the bytes Pillow gives.
 * - `'fast'`: a JPEG at least six times larger than what the network takes is decoded smaller, to twice of that. Of
 *   12-megapixel photos decoding takes 2.7 times less; smaller ones gain less, and those of 500 pixels nothing. Results
 *   differ: of 100 ImageNet photos enlarged to 8 megapixels, 99 kept their best label on the float model and 94 on the
 *   int8 one, and its probability moved by 0.02 on average.
 */
export type DecodeMode = 'exact' | 'fast';

/** Options of `MobileNetV2.load`. */
export interface LoadOptions {
  /** A label file's path, or the labels themselves by output index. Default: the model's own, if it carries any. */
  readonly labels?: string | readonly string[];
  /** How images become inputs. Default: what the model implies, else `'tf'`. */
  readonly preprocess?: Preprocess;
  /**
   * `'float32'` runs a quantised file in float, on its dequantised weights. Default: the file's own precision.
   */
  readonly precision?: 'float32';
  /** Most threads this model uses at a time. Default: the CPUs this process may use, cgroup limits included. */
  readonly threads?: number;
  /**
   * Images that may wait at a time, over all calls; a call that comes then is refused with OVERLOADED. 2 x `threads`
   * images are worked on besides. Default: 1024.
   */
  readonly queueLimit?: number;
  /** Where named models are kept. Default: the environment variable MOBILENETV2_CACHE, else the user's cache folder. */
  readonly cacheDir?: string;
  /** Do not download a named model that is not in the cache. */
  readonly localOnly?: boolean;
  /** Called while a named model is downloaded, with bytes received and bytes in all. */
  readonly onProgress?: (received: number, total: number) => void;
  /** The most pixels (width x height) an image file may have. Default: 100 million. */
  readonly maxPixels?: number;
  /** How image files are decoded unless a call says otherwise. Default: `'exact'`. */
  readonly decode?: DecodeMode;
}

/** What every call that takes images understands. */
export interface ImageOptions {
  /** Overrides the model's recipe. */
  readonly preprocess?: Preprocess | undefined;
  /** Overrides how the model decodes files. */
  readonly decode?: DecodeMode | undefined;
  /** The part of the image to look at, as if the rest were not there. Default: the whole image. */
  readonly regionOfInterest?: RegionOfInterest | undefined;
  /**
   * Cancels the call: images that wait are dropped, running ones stop at the next strip of rows (decoding is not
   * interrupted). The call rejects with ABORTED, whose `cause` is the signal's reason.
   */
  readonly signal?: AbortSignal | undefined;
}

/** Options of `classify`, `classifyBatch` and `classifyStream`. */
export interface ClassifyOptions extends ImageOptions {
  /** How many classes to return at most, best first. Default: 5. */
  readonly topK?: number | undefined;
  /** Leave out classes below this probability, 0 ... 1. Default: 0. */
  readonly minProbability?: number | undefined;
  /**
   * Only these classes, by label or index; a label that several classes share means all of them. Probabilities stay what
   * they are over all classes.
   */
  readonly allow?: readonly (string | number)[] | undefined;
  /** Not these classes; wins over `allow`. */
  readonly deny?: readonly (string | number)[] | undefined;
  /** Give each class its logit (the network's output before softmax) too. Default: false. */
  readonly logits?: boolean | undefined;
  /**
   * `'objects'`: an array of {@link Classification}. `'typed-array'`: a {@link ClassScores} of parallel arrays, for
   * bulk work without an object per class. Default: `'objects'`.
   */
  readonly outputs?: 'objects' | 'typed-array' | undefined;
}

/** What `classifyStream` takes besides. */
export interface StreamOptions {
  /**
   * Most images between being taken from the source and their result being handed out: what bounds memory. Default: 4 x
   * the model's threads.
   */
  readonly concurrency?: number | undefined;
}

/** Options of `embed` and `embedBatch`. */
export interface EmbedOptions extends ImageOptions {
  /**
   * 1 ... number of blocks: the mean over the output of that inverted residual block. Default: the vector the network
   * itself pools, before its classifier.
   */
  readonly layer?: number | undefined;
  /** Scale the vector to length 1 (L2). Default: false. */
  readonly normalize?: boolean | undefined;
}

/** Options of `classMap`. */
export interface ClassMapOptions extends ImageOptions {
  /**
   * Size in pixels the image is resized to, each 1 ... 8192. The map has a cell per 32 x 32 pixels of it (MobileNetV2).
   * Default: the network's own, so that the mean over the map's cells equals the float network's logits.
   */
  readonly inputSize?: { readonly width: number; readonly height: number } | undefined;
}

/** Options of `heatmap`. The default input size is 1.5 x the network's for the shorter side, in the photo's shape. */
export interface HeatmapOptions extends Omit<ClassMapOptions, 'preprocess' | 'decode'> {
  /** `'floats'`: a {@link Heatmap}. `'png'`: the bytes of a PNG of the photo with the heat over it. Default: `'floats'`. */
  readonly format?: 'floats' | 'png' | undefined;
}

/** Options of `infer`. */
export interface InferOptions {
  /** Written at the end, and returned instead of a new array; its length must be images x classes. */
  readonly output?: Float32Array;
  /** Cancels the call; it rejects with ABORTED. `output` is left alone. */
  readonly signal?: AbortSignal | undefined;
}

/** The names of each call's options, for checks. */
export const LOAD_OPTIONS = [
  'labels',
  'preprocess',
  'precision',
  'threads',
  'queueLimit',
  'cacheDir',
  'localOnly',
  'onProgress',
  'maxPixels',
  'decode',
];

const IMAGE_OPTIONS = ['preprocess', 'decode', 'regionOfInterest', 'signal'];
export const CLASSIFY_OPTIONS = ['topK', 'minProbability', 'allow', 'deny', 'logits', 'outputs', ...IMAGE_OPTIONS];
export const STREAM_OPTIONS = ['concurrency', ...CLASSIFY_OPTIONS];
export const EMBED_OPTIONS = ['layer', 'normalize', ...IMAGE_OPTIONS];
export const CLASS_MAP_OPTIONS = ['inputSize', ...IMAGE_OPTIONS];
export const INFER_OPTIONS = ['output', 'signal'];
export const HEATMAP_OPTIONS = ['inputSize', 'format', 'regionOfInterest', 'signal'];

/** @throws MobileNetError INVALID_ARGUMENT unless `value` is an integer in min ... max. */
export function checkInteger(name: string, value: unknown, min: number, max: number): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value;
  throw invalidArgument(name, `an integer in ${min} ... ${max}`, value);
}

/** @throws MobileNetError INVALID_ARGUMENT unless `value` is a number in min ... max. */
export function checkNumber(name: string, value: unknown, min: number, max: number): number {
  if (typeof value === 'number' && value >= min && value <= max) return value;
  throw invalidArgument(name, `a number in ${min} ... ${max}`, value);
}

/** @throws MobileNetError INVALID_ARGUMENT unless `value` is a boolean. */
export function checkBoolean(name: string, value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  throw invalidArgument(name, 'true or false', value);
}

/** @throws MobileNetError INVALID_ARGUMENT unless `value` is left out or of this type. */
export function checkOptional(name: string, value: unknown, type: 'string' | 'boolean' | 'function'): void {
  if (value === undefined || typeof value === type) return;
  throw invalidArgument(name, type === 'boolean' ? 'true or false' : `a ${type}`, value);
}

/** @throws MobileNetError INVALID_ARGUMENT unless `value` is one of `choices`. */
export function checkChoice<T extends string>(name: string, value: unknown, choices: readonly T[]): T {
  const choice = choices.find((each) => each === value);
  if (choice !== undefined) return choice;
  throw invalidArgument(name, choices.map((each) => `'${each}'`).join(' or '), value);
}

/** @throws MobileNetError INVALID_ARGUMENT unless `value` is a plain options object with no keys but `known`. */
export function checkOptions(name: string, value: unknown, known: readonly string[]): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalidArgument(name, 'an object', value);
  for (const key of Object.keys(value)) {
    if (known.includes(key)) continue;
    throw new MobileNetError(
      'INVALID_ARGUMENT',
      `${name}: no option is called ${describe(key)}; known: ${known.join(', ')}`,
    );
  }
}
