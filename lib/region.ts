/** The part of an image that a call looks at. */
import { describe, MobileNetError } from './errors.js';
import { checkOptions } from './options.js';
import type { Rect, Size } from './preprocess.js';

/**
 * A box of the image as people see it (EXIF orientation applied), from its top left corner.
 *
 * - `units: 'pixels'` (default): integers, wholly inside the image.
 * - `units: 'fractions'`: 0 ... 1 of the image's width and height; edges are rounded to whole pixels, and at least one
 *   pixel is kept.
 */
export interface RegionOfInterest {
  /** Left edge. */
  readonly x: number;
  /** Upper edge. */
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly units?: 'pixels' | 'fractions';
}

const FIELDS = ['x', 'y', 'width', 'height', 'units'];

/** Rounding errors in fractions such as 0.7 + 0.3 are no mistake of the caller's. */
const SLACK = 1e-9;

/** What can be checked without the image. @throws MobileNetError INVALID_ARGUMENT naming the field. */
export function checkRegion(region: unknown): RegionOfInterest {
  if (typeof region !== 'object' || region === null) throw invalid('', '{ x, y, width, height, units? }', region);
  checkOptions('regionOfInterest', region, FIELDS);
  const { units = 'pixels', ...box } = region as RegionOfInterest;
  if (units !== 'pixels' && units !== 'fractions') throw invalid('.units', "'pixels' or 'fractions'", units);
  for (const field of ['x', 'y', 'width', 'height'] as const) {
    const value: unknown = box[field];
    const isExtent = field === 'width' || field === 'height';
    const ok = typeof value === 'number' && (isExtent ? value > 0 : value >= 0);
    if (units === 'pixels') {
      if (!ok || !Number.isSafeInteger(value)) throw invalid(`.${field}`, `an integer of at least ${+isExtent}`, value);
    } else if (!ok || value > 1) {
      throw invalid(`.${field}`, isExtent ? 'a fraction above 0, at most 1' : 'a fraction 0 ... 1', value);
    }
  }
  const { x, y, width, height } = box;
  if (units === 'fractions' && (x + width > 1 + SLACK || y + height > 1 + SLACK || x >= 1 || y >= 1)) {
    throw invalid('', 'a box inside the image', `x ${x}, y ${y}, width ${width}, height ${height}`);
  }
  return { x, y, width, height, units };
}

/**
 * The region in pixels of one image.
 *
 * @throws MobileNetError INVALID_ARGUMENT when it does not lie inside the image.
 */
export function regionPixels({ x, y, width, height, units }: RegionOfInterest, image: Size): Rect {
  if (units === 'fractions') return scaledBox({ x, y, width, height }, image);
  if (x + width > image.width || y + height > image.height) {
    const box = `x ${x}, y ${y}, width ${width}, height ${height}`;
    throw new MobileNetError(
      'INVALID_ARGUMENT',
      `regionOfInterest: expected a box inside the image's ${image.width} x ${image.height} pixels, got ${box}`,
    );
  }
  return { x, y, width, height };
}

/** A box given in fractions of `size`, with edges on whole pixels and at least one pixel inside. */
export function scaledBox(box: Rect, size: Size): Rect {
  const span = (from: number, length: number, pixels: number): [number, number] => {
    const begin = Math.min(Math.round(from * pixels), pixels - 1);
    const end = Math.min(Math.max(Math.round((from + length) * pixels), begin + 1), pixels);
    return [begin, end - begin];
  };
  const [x, width] = span(box.x, box.width, size.width);
  const [y, height] = span(box.y, box.height, size.height);
  return { x, y, width, height };
}

function invalid(field: string, expected: string, value: unknown): MobileNetError {
  const got = typeof value === 'string' && field === '' ? value : describe(value);
  return new MobileNetError('INVALID_ARGUMENT', `regionOfInterest${field}: expected ${expected}, got ${got}`);
}
