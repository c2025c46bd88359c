/** The network that a command line names, as a ModelSpec: what profile, inspect and peers work on. */
import { dequantize } from '../compile/dequantize.js';
import { readSource } from '../load-model.js';
import type { ModelSpec } from '../model-spec.js';
import { checkQuantized } from './precision.js';
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
  const spec = await readSource(source.model as string, {}, {});
  checkQuantized(source, precision, spec.precision);
  return precision === 'fp32' ? dequantize(spec) : spec;
}
