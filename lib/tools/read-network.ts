/** The network that a command line names, as a ModelSpec: what profile, inspect and peers work on. */
import { dequantize } from '../compile/dequantize.js';
import { MobileNetError } from '../errors.js';
import { readModel, readTflite } from '../formats/index.js';
import { readNsfwjsPackage } from '../formats/nsfwjs.js';
import { parseLabels } from '../labels.js';
import type { ModelSpec } from '../model-spec.js';
import { fetchModel, isModelName } from '../models.js';
import { parseArchitecture, seededModel } from './seeded-model.js';

export type PrecisionName = 'fp32' | 'int8';

/** Exactly one of the two. */
export interface NetworkSource {
  /** As MobileNetV2.load takes it: a name or a path. */
  readonly model?: string | undefined;
  /** Such as `mobilenet_v2:1.4:224`: seeded weights. */
  readonly arch?: string | undefined;
}

/**
 * @param precision fp32 dequantises a quantised file; default: as the file is (fp32 for an architecture).
 * @throws MobileNetError INVALID_ARGUMENT for int8 of a float file, and what reading a model throws.
 */
export async function readNetwork(source: NetworkSource, precision?: PrecisionName): Promise<ModelSpec> {
  if (source.arch !== undefined) {
    const shape = parseArchitecture(source.arch);
    return seededModel({ ...shape, precision: precision === 'int8' ? 'int8' : 'float32' });
  }
  const spec = await readSource(source.model as string);
  if (precision === 'int8' && spec.precision === 'float32') {
    throw new MobileNetError(
      'INVALID_ARGUMENT',
      `--precision int8: ${source.model} is a float model; give a quantised file (an int8 or uint8 .tflite)`,
    );
  }
  return precision === 'fp32' ? dequantize(spec) : spec;
}

/** A name is looked up before a path, as load() does. */
async function readSource(source: string): Promise<ModelSpec> {
  if (!isModelName(source)) return readModel(source);
  const found = await fetchModel(source, {});
  if (found.kind === 'package') return readNsfwjsPackage();
  const labels = found.labels ? parseLabels(found.labels.bytes, found.labels.path) : null;
  return { ...readTflite(found.model.bytes, source), preprocess: found.preprocess, labels };
}
