export { detectFormat, type FileFormat } from './detect.js';
export { type ModelSource, readModel, type TfjsModelSource } from './load.js';
export { type NsfwjsModelName, readNsfwjsPackage } from './nsfwjs.js';
export { readTfjsLayers, type TfjsOptions } from './tfjs-layers.js';
export { readTflite } from './tflite.js';
export { splitLabels } from './tflite-labels.js';
