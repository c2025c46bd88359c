/** What `MobileNetV2.load` is given, as a network description and its labels. */
import { describe, MobileNetError } from './errors.js';
import { type ModelSource, type ReadHelp, readModel, readTflite } from './formats/index.js';
import { alignLabels, checkLabels, parseLabels, readLabelFile } from './labels.js';
import { classCount, type ModelSpec } from './model-spec.js';
import { fetchModel, isModelName, type ModelName } from './models.js';
import { checkChoice, type LoadOptions } from './options.js';

/** A network, and how to get its description again: weights are not kept in two forms. */
export interface LoadedSpec {
  readonly spec: ModelSpec;
  /** Reads the source once more; the result is equal unless a file has changed. */
  readonly reload: () => Promise<ModelSpec>;
}

/**
 * @throws MobileNetError as MobileNetV2.load does.
 */
export async function loadSpec(
  source: ModelSource | ModelName,
  options: LoadOptions,
  help: ReadHelp,
): Promise<LoadedSpec> {
  const { precision } = options;
  if (precision !== undefined) checkChoice('precision', precision, ['float32']);
  const read = async (how: LoadOptions, help: ReadHelp) => {
    const spec = await readSource(source, how, help);
    return precision === 'float32' ? (await import('./compile/dequantize.js')).dequantize(spec) : spec;
  };
  const { cacheDir } = options;
  const again: LoadOptions = { localOnly: true, ...(cacheDir !== undefined && { cacheDir }) };
  return { spec: await read(options, help), reload: () => read(again, {}) };
}

/** A name is looked up before a path: `imagenet` is the model, `./imagenet` a file. */
export async function readSource(source: ModelSource, options: LoadOptions, help: ReadHelp): Promise<ModelSpec> {
  if (typeof source !== 'string' || !isModelName(source)) return readModel(source, help);
  const { cacheDir, localOnly, onProgress } = options;
  const found = await fetchModel(source, { cacheDir, localOnly, onProgress, labels: options.labels === undefined });
  if (found.kind === 'package') return (await import('./formats/nsfwjs.js')).readNsfwjsPackage();
  const labels = found.labels ? parseLabels(found.labels.bytes, found.labels.path) : null;
  return { ...readTflite(found.model.bytes, source, help.firstOutside), preprocess: found.preprocess, labels };
}

/** @throws MobileNetError LABELS_INVALID, FILE_NOT_FOUND, INVALID_ARGUMENT. */
export async function labelsFor(spec: ModelSpec, given: LoadOptions['labels']): Promise<readonly string[] | null> {
  const classes = classCount(spec);
  if (typeof given === 'string') return alignLabels(await readLabelFile(given), classes, given);
  if (given !== undefined && !Array.isArray(given)) {
    throw new MobileNetError(
      'INVALID_ARGUMENT',
      `labels: expected the path of a label file or an array of strings, got ${describe(given)}`,
    );
  }
  if (given !== undefined) return alignLabels([...checkLabels(given, 'the array given')], classes, 'the array given');
  return spec.labels === null ? null : alignLabels(spec.labels, classes, spec.source);
}

/** @throws MobileNetError MODEL_CORRUPT: what a source gives now is not what was loaded. */
export function sourceChanged(source: string): MobileNetError {
  return new MobileNetError('MODEL_CORRUPT', `${source}: has changed since the model was loaded; load it again`);
}
