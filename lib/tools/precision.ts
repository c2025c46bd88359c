/** The precision that a command line asks for. Apart from read-network.ts, which a cold start does not load. */
import { MobileNetError } from '../errors.js';
import type { Precision } from '../model-spec.js';
import type { NetworkSource, PrecisionName } from './read-network.js';

/** @throws MobileNetError INVALID_ARGUMENT when int8 is asked for and the model is `found` to be of float. */
export function checkQuantized({ model }: NetworkSource, asked: PrecisionName | undefined, found: Precision): void {
  if (asked !== 'int8' || found !== 'float32') return;
  throw new MobileNetError(
    'INVALID_ARGUMENT',
    `--precision int8: ${model} is a float model; give a quantised file (an int8 or uint8 .tflite)`,
  );
}
