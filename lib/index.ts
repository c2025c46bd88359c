export { MobileNetV2 } from './classifier.js';
export type { ImageInput, RawImage } from './decode.js';
export { type ErrorCode, MobileNetError } from './errors.js';
export type { ModelSource, TfjsModelSource } from './formats/index.js';
export type { ArenaInfo, BlockInfo, ModelInfo } from './model-info.js';
export type { Precision, PreprocessRecipeName } from './model-spec.js';
export {
  type CachedFile,
  type FetchOptions,
  fetchModel,
  type ModelName,
  modelNames,
  type NamedModel,
} from './models.js';
export type { Isa } from './native.js';
export type { ClassifyOptions, InferOptions, LoadOptions, Preprocess } from './options.js';
export {
  type CropRule,
  type CustomPreprocessRecipe,
  type PreprocessRecipe,
  preprocessRecipes,
  type ResizeMethod,
  type Rgb,
} from './preprocess.js';
export type { Classification } from './results.js';
