/** Bounds no MobileNet comes near. A file beyond them is refused before anything is allocated for it. */
export const MAX_FILE_BYTES = 512 * 2 ** 20;
export const MAX_JSON_BYTES = 64 * 2 ** 20;
export const MAX_LABEL_BYTES = 8 * 2 ** 20;
export const MAX_NODES = 1000;
export const MAX_CHANNELS = 16384;
export const MAX_INPUT_SIDE = 4096;
/** Of a name shown to people; longer ones are cut. */
export const MAX_NAME_BYTES = 256;
