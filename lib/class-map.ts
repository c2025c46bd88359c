/** Which class is where: maps of logits, and heat maps made of them. */

import { MAX_INPUT_SIDE } from './compile/geometry.js';
import type { DecodedImage } from './decode.js';
import { describe, MobileNetError } from './errors.js';
import { checkInteger } from './options.js';
import type { Rect, Size } from './preprocess.js';

/** Logits of every class at every cell of the network's last feature map. */
export interface ClassMap {
  readonly rows: number;
  readonly columns: number;
  readonly classes: number;
  /** rows x columns x classes float32 values: that of class c at row y, column x is [(y * columns + x) * classes + c]. */
  readonly logits: Float32Array;
  /**
   * Where the middle of the pixels that a column sees lies, as a fraction of the input's width. Not the middle of
   * column / columns: strided convolutions that pad on one side see further to that side.
   */
  readonly columnCentres: Float32Array;
  /** The same for rows, of the input's height. */
  readonly rowCentres: Float32Array;
}

/** How strongly each pixel's surroundings speak for one class. */
export interface Heatmap {
  /** Class index. */
  readonly index: number;
  /** Null when the model came without labels. */
  readonly label: string | null;
  /** Size in pixels: the photo's, or the region of interest's. */
  readonly width: number;
  readonly height: number;
  /** height x width float32 values, row by row: logits of the class, interpolated between the cells of the class map. */
  readonly values: Float32Array;
}

/** One class of a class map: `values` are rows x columns logits. */
export interface Activation extends Omit<ClassMap, 'classes' | 'logits'> {
  readonly values: Float32Array;
}

/** @throws MobileNetError INVALID_ARGUMENT. */
export function checkInputSize(size: unknown): Size | null {
  if (size === undefined) return null;
  if (typeof size !== 'object' || size === null) {
    throw new MobileNetError(
      'INVALID_ARGUMENT',
      `inputSize: expected { width, height } in pixels, got ${describe(size)}`,
    );
  }
  const { width, height } = size as Size;
  return {
    width: checkInteger('inputSize.width', width, 1, MAX_INPUT_SIDE),
    height: checkInteger('inputSize.height', height, 1, MAX_INPUT_SIDE),
  };
}

/** Pixels of the input per cell of the map, in MobileNets. */
const CELL = 32;
/**
 * How much larger than the network's own the input for a heat map is: finer cells, on objects that still look as large
 * as the network knows them. Chosen by eye among 1, 1.5 and 2: at 1 the heat spreads beyond the object, at 2 it breaks up.
 */
const DETAIL = 1.5;

/** An input size that shows all of a photo in its own shape, in whole cells. */
export function coveringSize(photo: Size, network: Size): Size {
  const shorter = DETAIL * Math.min(network.width, network.height);
  const scale = shorter / Math.min(photo.width, photo.height);
  const side = (pixels: number) => Math.min(Math.max(Math.round((pixels * scale) / CELL), 1) * CELL, MAX_INPUT_SIDE);
  return { width: side(photo.width), height: side(photo.height) };
}

export function activationOf({ classes, logits, ...grid }: ClassMap, index: number): Activation {
  const cells = { length: grid.rows * grid.columns };
  return { ...grid, values: Float32Array.from(cells, (_, cell) => logits[cell * classes + index] as number) };
}

/** Between which two cells the middle of pixel i of `pixels` lies. */
function interpolation(i: number, pixels: number, centres: Float32Array): { from: number; to: number; weight: number } {
  const last = centres.length - 1;
  const [first, second] = [centres[0] as number, centres[1] ?? Number.POSITIVE_INFINITY];
  const at = Math.min(Math.max(((i + 0.5) / pixels - first) / (second - first), 0), last);
  const from = Math.floor(at);
  return { from, to: Math.min(from + 1, last), weight: at - from };
}

/** Pixels between two breaths of the event loop. */
const PIXELS_AT_A_TIME = 1 << 19;

/** height x width values: bilinear between the cells' centres, constant beyond them. Large results take breaks. */
export async function upsample(activation: Activation, width: number, height: number): Promise<Float32Array> {
  const { columns, values, columnCentres, rowCentres } = activation;
  const result = new Float32Array(width * height);
  const across = Array.from({ length: width }, (_, x) => interpolation(x, width, columnCentres));
  const mixed = new Float32Array(columns);
  const rowsAtATime = Math.max(1, Math.floor(PIXELS_AT_A_TIME / width));
  for (let y = 0; y < height; y++) {
    if (y > 0 && y % rowsAtATime === 0) await new Promise(setImmediate);
    const { from, to, weight } = interpolation(y, height, rowCentres);
    for (let x = 0; x < columns; x++) {
      const above = values[from * columns + x] as number;
      mixed[x] = above + weight * ((values[to * columns + x] as number) - above);
    }
    for (let x = 0; x < width; x++) {
      const { from, to, weight } = across[x] as (typeof across)[number];
      const left = mixed[from] as number;
      result[y * width + x] = left + weight * ((mixed[to] as number) - left);
    }
  }
  return result;
}

/** Black through red and yellow to white: [red, green, blue], 0 ... 255. */
function heatColour(t: number): readonly [number, number, number] {
  const ramp = (from: number, to: number) => 255 * Math.min(Math.max((t - from) / (to - from), 0), 1);
  return [ramp(0, 0.4), ramp(0.35, 0.85), ramp(0.8, 1.1)];
}

/** Overlay pixels per cell side: enough for smooth colours; the decoder's library enlarges the rest. */
const OVERLAY_DETAIL = 8;
/** How opaque the strongest heat is. */
const OVERLAY_ALPHA = 0.65;

/** A PNG of the region of a photo with the activation over it, coloured from its mean (clear) to its maximum. */
export async function overlayPng(photo: DecodedImage, region: Rect, activation: Activation): Promise<Uint8Array> {
  const { default: sharp } = await import('sharp');
  const width = activation.columns * OVERLAY_DETAIL;
  const height = activation.rows * OVERLAY_DETAIL;
  const heat = await upsample(activation, width, height);
  const low = activation.values.reduce((sum, v) => sum + v, 0) / activation.values.length;
  const range = Math.max(activation.values.reduce((max, v) => Math.max(max, v), low) - low, Number.MIN_VALUE);
  const overlay = Buffer.alloc(width * height * 4);
  heat.forEach((value, i) => {
    const t = Math.min(Math.max((value - low) / range, 0), 1);
    overlay.set([...heatColour(t), 255 * OVERLAY_ALPHA * Math.sqrt(t)], i * 4);
  });
  const enlarged = await sharp(overlay, { raw: { width, height, channels: 4 } })
    .resize(region.width, region.height, { fit: 'fill', kernel: 'linear' })
    .png({ compressionLevel: 0 })
    .toBuffer();
  return sharp(photo.data, { raw: { width: photo.width, height: photo.height, channels: photo.channels } })
    .extract({ left: region.x, top: region.y, width: region.width, height: region.height })
    .removeAlpha()
    .toColourspace('srgb')
    .composite([{ input: enlarged }])
    .png()
    .toBuffer();
}
