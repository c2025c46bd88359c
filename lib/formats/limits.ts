/** Bounds no MobileNet comes near. A file beyond them is refused before anything is allocated for it. */
export const MAX_FILE_BYTES = 512 * 2 ** 20;
export const MAX_JSON_BYTES = 64 * 2 ** 20;
/** Of a file of labels, or of what else lies beside a model. */
export const MAX_LABEL_BYTES = 2 * 2 ** 20;
export const MAX_SHARDS = 1000;
export const MAX_NODES = 1000;
export const MAX_CHANNELS = 16384;
/** Of the input a file declares, and of kernels, strides and pads. */
export const MAX_FILE_SIDE = 4096;
/** Of a name shown to people; longer ones are cut. */
export const MAX_NAME_BYTES = 256;
