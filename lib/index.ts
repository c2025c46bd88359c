export type { ImageOutcome } from './batch.js';
export type { ClassMap, Heatmap } from './class-map.js';
export { MobileNetV2 } from './classifier.js';
export type { ImageInput, RawImage } from './decode.js';
export { cosineSimilarity } from './embedding.js';
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
export type {
  ClassifyOptions,
  ClassMapOptions,
  DecodeMode,
  EmbedOptions,
  HeatmapOptions,
  ImageOptions,
  InferOptions,
  LoadOptions,
  Preprocess,
  StreamOptions,
} from './options.js';
export {
  type CropRule,
  type CustomPreprocessRecipe,
  type PreprocessRecipe,
  preprocessRecipes,
  type ResizeMethod,
  type Rgb,
} from './preprocess.js';
export type { RegionOfInterest } from './region.js';
export type {
  Classification,
  ClassificationWithLogit,
  ClassifyResult,
  ClassScores,
  EmbeddingResult,
  ImageResult,
} from './results.js';
export type { ImageTrace, LoadTrace } from './tracing.js';
