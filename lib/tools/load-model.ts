/** Loading a model through the public API, as a command line names it. */
import { MobileNetV2 } from '../classifier.js';
import type { LoadOptions } from '../options.js';
import { checkQuantized } from './precision.js';
import type { NetworkSource, PrecisionName } from './read-network.js';

export interface ModelRequest extends NetworkSource {
  readonly precision?: PrecisionName | undefined;
  readonly threads?: number | undefined;
}

/** @throws MobileNetError INVALID_ARGUMENT for int8 of a float file, and what MobileNetV2.load throws. */
export async function loadModel({ model, arch, precision, threads }: ModelRequest): Promise<MobileNetV2> {
  const options: LoadOptions = { ...(threads !== undefined && { threads }) };
  if (arch !== undefined) {
    const { loadSeeded } = await import('./load-seeded.js');
    return loadSeeded(arch, precision ?? 'fp32', options);
  }
  const loaded = await MobileNetV2.load(model as string, {
    ...options,
    ...(precision === 'fp32' && { precision: 'float32' }),
  });
  try {
    checkQuantized({ model }, precision, loaded.info.precision);
  } catch (error) {
    await loaded.close();
    throw error;
  }
  return loaded;
}
