// What every load needs. Readers of one format (tfjs-layers.ts, nsfwjs.ts) are imported where that format is met.

export { MAX_LABEL_BYTES } from './limits.js';
export { type ModelSource, type ReadHelp, readModel, type TfjsModelSource } from './load.js';
export { readTflite } from './tflite.js';
export { splitLabels } from './tflite-labels.js';
