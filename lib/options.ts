/** Options of the public API, and the checks that name the option, what was expected and what came. */
import { describe, MobileNetError } from './errors.js';
import type { PreprocessRecipeName } from './model-spec.js';
import type { CustomPreprocessRecipe } from './preprocess.js';

/** A named recipe or one's own; see {@link preprocessRecipes}. */
export type Preprocess = PreprocessRecipeName | CustomPreprocessRecipe;

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
  /** Where named models are kept. Default: the environment variable MOBILENETV2_CACHE, else the user's cache folder. */
  readonly cacheDir?: string;
  /** Do not download a named model that is not in the cache. */
  readonly localOnly?: boolean;
  /** Called while a named model is downloaded, with bytes received and bytes in all. */
  readonly onProgress?: (received: number, total: number) => void;
  /** The most pixels (width x height) an image file may have. Default: 100 million. */
  readonly maxPixels?: number;
}

export interface ClassifyOptions {
  /** How many classes to return, best first. Default: 5. */
  readonly topK?: number;
  /** Overrides the model's recipe for this image. */
  readonly preprocess?: Preprocess;
}

export interface InferOptions {
  /** Written and returned instead of a new array; its length must be images x classes. */
  readonly output?: Float32Array;
}

/** @throws MobileNetError INVALID_ARGUMENT unless `value` is an integer in min ... max. */
export function checkInteger(name: string, value: unknown, min: number, max: number): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value;
  throw new MobileNetError(
    'INVALID_ARGUMENT',
    `${name}: expected an integer in ${min} ... ${max}, got ${describe(value)}`,
  );
}

/** @throws MobileNetError INVALID_ARGUMENT unless `value` is a plain options object with no keys but `known`. */
export function checkOptions(name: string, value: unknown, known: readonly string[]): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new MobileNetError('INVALID_ARGUMENT', `${name}: expected an object, got ${describe(value)}`);
  }
  const unknown = Object.keys(value).find((key) => !known.includes(key));
  if (unknown !== undefined) {
    throw new MobileNetError(
      'INVALID_ARGUMENT',
      `${name}: no option is called ${describe(unknown)}; known: ${known.join(', ')}`,
    );
  }
}
