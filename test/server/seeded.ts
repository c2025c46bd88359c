/** Small seeded models and pixels behind the public API. */
import { MobileNetV2 } from '../../lib/classifier.js';
import type { RawImage } from '../../lib/index.js';
import type { Precision } from '../../lib/model-spec.js';
import type { LoadOptions } from '../../lib/options.js';
import { type SeededModelOptions, seededModel } from '../../lib/tools/seeded-model.js';

export const CLASSES = 20;

export function load(options: LoadOptions = {}, model: Partial<SeededModelOptions> = {}): Promise<MobileNetV2> {
  const architecture = { family: 'mobilenet_v2', width: 0.35, size: 64, classes: CLASSES } as const;
  return MobileNetV2.fromSpec(seededModel({ ...architecture, ...model }), { threads: 2, ...options });
}

export const precisions: readonly Precision[] = ['float32', 'uint8', 'int8'];

/** Smooth seeded shapes: their classes differ. */
export function picture(seed: number, width = 80, height = 72): RawImage {
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let c = 0; c < 3; c++) {
        const wave = Math.sin(x / (5 + ((seed * 7) % 11)) + c) * Math.cos(y / (4 + ((seed * 5) % 13)) - seed);
        data[(y * width + x) * 3 + c] = Math.round(127.5 + 127.5 * wave);
      }
    }
  }
  return { data, width, height, channels: 3 };
}

/** The same pixels without what lies outside a box. */
export function cropped({ data, width, channels }: RawImage, x: number, y: number, w: number, h: number): RawImage {
  const rows = Array.from({ length: h }, (_, row) => {
    const begin = ((y + row) * width + x) * channels;
    return data.subarray(begin, begin + w * channels);
  });
  return { data: Uint8Array.from(rows.flatMap((row) => [...row])), width: w, height: h, channels };
}

export const notAnImage = { data: new Uint8Array(3), width: 2, height: 2, channels: 3 } as const satisfies RawImage;
