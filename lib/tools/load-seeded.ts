/** A model with seeded weights, for measuring architectures whose weights are not at hand. */
import { MobileNetV2 } from '../classifier.js';
import type { LoadOptions } from '../options.js';
import { parseArchitecture, seededModel } from './seeded-model.js';

/** @param architecture such as `mobilenet_v2:1.4:224`. */
export function loadSeeded(
  architecture: string,
  precision: 'fp32' | 'int8',
  options: LoadOptions,
): Promise<MobileNetV2> {
  const shape = parseArchitecture(architecture);
  return MobileNetV2.fromSpec(seededModel({ ...shape, precision: precision === 'fp32' ? 'float32' : 'int8' }), options);
}
