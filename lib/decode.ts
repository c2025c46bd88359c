/**
 * Images as the network's preprocessing wants them: 8-bit pixels without gaps. Raw pixels are checked and passed on;
 * files are decoded by `sharp`, which is loaded only then.
 *
 * Measured against Pillow 13 (`convert('RGB')` after applying the EXIF orientation): JPEG, PNG, WebP, GIF and TIFF give
 * the same bytes, of RGB, grey, palette and bilevel images with or without alpha. Different on purpose or by decoder:
 * - alpha is dropped, not blended, as Pillow does; fully transparent GIF pixels come out black;
 * - colour profiles are ignored, as training pipelines do, but CMYK is converted through one (Pillow has a formula);
 * - 16-bit images keep their high byte (Pillow clips 16-bit grey);
 * - AVIF differs in chroma interpolation, by up to some 40 levels at sharp colour edges.
 */
import { readFile, stat } from 'node:fs/promises';
import { types } from 'node:util';
import { canShrink, isShared } from './buffers.js';
import { describe, MobileNetError } from './errors.js';
import type { Size } from './preprocess.js';

/** 8-bit pixels, row by row, `channels` bytes each: 1 grey, 3 RGB, 4 RGBA (alpha is ignored). No gaps between rows. */
export interface RawImage {
  readonly data: Uint8Array | Uint8ClampedArray;
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3 | 4;
}

/** The path of an image file, the bytes of one, or raw pixels. */
export type ImageInput = string | Uint8Array | ArrayBuffer | RawImage;

export interface DecodedImage extends RawImage {
  readonly data: Uint8Array;
  /** The image's own size, where it was shrunk while loading. */
  readonly full?: Size;
}

export interface DecodeOptions {
  /** The most pixels (width x height) an encoded image may have. Default: 100 million, which is 300 MB decoded. */
  readonly maxPixels?: number | undefined;
  /**
   * For a JPEG: by how much the sides of one of this size (EXIF orientation applied) may be divided. libjpeg divides by
   * 2, 4 or 8 while decoding, which skips most of the work, and the rest is resampled.
   */
  readonly shrink?: ((full: Size) => number) | undefined;
}

export const DEFAULT_MAX_PIXELS = 100_000_000;

/** sharp has libjpeg shrink by 2 from here on. Below it all is decoded and then resampled, which takes longer. */
const MIN_SHRINK = 3;

/** The most bytes an image file may have: more cannot be pixels within reason, and would all be read into memory. */
const MAX_FILE_BYTES = 2 ** 30;

/**
 * The image's pixels, with its EXIF orientation applied. A file gives 3 channels, raw pixels keep theirs (and their
 * memory). Of an animation or a multi-page file: the first image.
 * @throws MobileNetError `INVALID_ARGUMENT`, `FILE_NOT_FOUND`, `IMAGE_INVALID`, `IMAGE_TOO_LARGE`,
 *   `DECODER_UNAVAILABLE`; the message names the file.
 */
export async function decodeImage(input: ImageInput, options: DecodeOptions = {}): Promise<DecodedImage> {
  const maxPixels = options.maxPixels ?? DEFAULT_MAX_PIXELS;
  if (!Number.isSafeInteger(maxPixels) || maxPixels < 1) {
    throw new MobileNetError('INVALID_ARGUMENT', `maxPixels: expected a positive integer, got ${describe(maxPixels)}`);
  }
  const decode = (bytes: Uint8Array, name: string) => decodeFile(bytes, name, maxPixels, options.shrink);
  if (typeof input === 'string') return decode(await readImageFile(input), input);
  // By util.types, not instanceof: test runners give the caller classes of another realm.
  if (types.isUint8Array(input)) {
    return decode(canShrink(input) || isShared(input) ? new Uint8Array(input) : input, 'image');
  }
  if (types.isArrayBuffer(input)) return decodeImage(new Uint8Array(input), options);
  if (typeof input === 'object' && input !== null && 'data' in input) return checkRawImage(input);
  throw new MobileNetError(
    'INVALID_ARGUMENT',
    `image: expected a path, a file's bytes or { data, width, height, channels }, got ${describe(input)}`,
  );
}

function checkRawImage({ data, width, height, channels }: RawImage): DecodedImage {
  const fail = (field: string, expected: string, value: unknown) =>
    new MobileNetError('INVALID_ARGUMENT', `image.${field}: expected ${expected}, got ${describe(value)}`);
  if (!Number.isSafeInteger(width) || width < 1) throw fail('width', 'a positive integer', width);
  if (!Number.isSafeInteger(height) || height < 1) throw fail('height', 'a positive integer', height);
  if (channels !== 1 && channels !== 3 && channels !== 4) throw fail('channels', '1, 3 or 4', channels);
  if (!types.isUint8Array(data) && !types.isUint8ClampedArray(data)) {
    throw fail('data', 'a Uint8Array or Uint8ClampedArray', data);
  }
  if (data.length !== width * height * channels) {
    throw fail('data', `${width} x ${height} x ${channels} = ${width * height * channels} bytes`, data);
  }
  const pixels = canShrink(data) ? new Uint8Array(data) : new Uint8Array(data.buffer, data.byteOffset, data.length);
  return { data: pixels, width, height, channels };
}

/**
 * Read by us, not by sharp: it caches what it decodes by path, so a file that has changed could give its old pixels,
 * and that cache is a global setting of the application's.
 */
async function readImageFile(path: string): Promise<Uint8Array> {
  try {
    const stats = await stat(path); // before opening: to open a named pipe may wait for ever
    if (!stats.isFile()) {
      const what = stats.isDirectory() ? 'a directory' : 'no regular file';
      throw new MobileNetError('IMAGE_INVALID', `${path}: expected an image file, this is ${what}`);
    }
    if (stats.size > MAX_FILE_BYTES) {
      throw new MobileNetError('IMAGE_TOO_LARGE', `${path}: ${stats.size} bytes; at most ${MAX_FILE_BYTES} are read`);
    }
    return await readFile(path);
  } catch (error) {
    if (error instanceof MobileNetError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    const reason = code === 'ENOENT' ? 'no such file' : message;
    throw new MobileNetError('FILE_NOT_FOUND', `${path}: cannot read the image: ${reason}`, { cause: error });
  }
}

/**
 * What may reach the decoder. sharp knows more (SVG, PDF, anything its libvips was built with), which is more than
 * images of unknown origin should be able to reach.
 */
const FORMATS: readonly { readonly name: string; readonly matches: (head: string) => boolean }[] = [
  { name: 'JPEG', matches: (head) => head.startsWith('\xff\xd8\xff') },
  { name: 'PNG', matches: (head) => head.startsWith('\x89PNG\r\n\x1a\n') },
  { name: 'WebP', matches: (head) => head.startsWith('RIFF') && head.startsWith('WEBP', 8) },
  { name: 'AVIF', matches: (head) => head.startsWith('ftyp', 4) && /^(?:.{4})*avi[fs]/s.test(head.slice(8)) },
  { name: 'GIF', matches: (head) => /^GIF8[79]a/.test(head) },
  { name: 'TIFF', matches: (head) => /^(II[*+]\0|MM\0[*+])/.test(head) },
];

async function decodeFile(
  bytes: Uint8Array,
  name: string,
  maxPixels: number,
  shrink: DecodeOptions['shrink'],
): Promise<DecodedImage> {
  if (bytes.length === 0) throw new MobileNetError('IMAGE_INVALID', `${name}: the file is empty`);
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 64)).toString('latin1');
  const format = FORMATS.find(({ matches }) => matches(head));
  if (!format) {
    const known = FORMATS.map((each) => each.name).join(', ');
    throw new MobileNetError('IMAGE_INVALID', `${name}: not an image of a known format (${known})`);
  }
  const sharp = await loadSharp(name);
  try {
    // One pipeline that only decodes: it keeps one thread of libuv's pool busy, and libvips' own threads have next to
    // nothing to do (measured: CPU time equals wall time, also at a sharp.concurrency() of 2). They are done before the
    // image's inference begins.
    const image = sharp(bytes, { autoOrient: true, failOn: 'error', ignoreIcc: true, limitInputPixels: maxPixels });
    let full: Size | null = null;
    if (shrink !== undefined && format.name === 'JPEG') {
      const { autoOrient: size } = await image.metadata();
      const divisor = shrink(size);
      if (divisor >= MIN_SHRINK) {
        full = size;
        const side = (pixels: number) => Math.ceil(pixels / divisor);
        image.resize(side(size.width), side(size.height), { fit: 'fill', kernel: 'cubic' });
      }
    }
    const { data, info } = await image
      .removeAlpha()
      .toColourspace('srgb')
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    const { width, height, channels } = info;
    if (channels !== 3) throw new Error(`decoded to ${channels} channels`);
    return full === null ? { data, width, height, channels } : { data, width, height, channels, full };
  } catch (error) {
    // libvips repeats itself over several lines; the first says it.
    const reason = String((error as Error).message).split('\n')[0];
    if (/exceeds pixel limit/.test(reason!)) {
      // Read from the header, without pixels.
      const size = await sharp(bytes, { limitInputPixels: false })
        .metadata()
        .then(({ width, height }) => `${width} x ${height} pixels`)
        .catch(() => 'too many pixels');
      throw new MobileNetError('IMAGE_TOO_LARGE', `${name}: ${size}; maxPixels is ${maxPixels}`, { cause: error });
    }
    throw new MobileNetError('IMAGE_INVALID', `${name}: damaged or unsupported ${format.name} image: ${reason}`, {
      cause: error,
    });
  }
}

async function loadSharp(name: string): Promise<typeof import('sharp').default> {
  try {
    return (await import('sharp')).default;
  } catch (error) {
    throw new MobileNetError(
      'DECODER_UNAVAILABLE',
      `${name}: sharp, which decodes image files, could not be loaded (${String((error as Error).message).split('\n')[0]}). ` +
        'Install it for this platform (npm install sharp), or pass raw pixels: { data, width, height, channels }',
      { cause: error },
    );
  }
}
