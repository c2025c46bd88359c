/** Photos through decoder and native step, against the network inputs that Pillow made of them. */
import { beforeAll, describe, expect, it } from 'vitest';
import { decodeImage } from '../../lib/decode.js';
import { type PreprocessInput, planPreprocess, resolveRecipe } from '../../lib/preprocess.js';
import { hasShared, needsShared, readShared, readSharedJson, shared } from '../support/shared.js';
import { runPlan } from './run-plan.js';

describe.skipIf(!hasShared)(`recipe tf on the photos of the goldens${needsShared}`, () => {
  const side = 224;
  const bytesPerImage = side * side * 3;
  let images: string[] = [];
  let inputs = new Uint8Array();

  beforeAll(() => {
    images = readSharedJson<{ images: string[] }>('goldens', 'goldens.json').images;
    inputs = new Uint8Array(readShared('goldens', 'inputs.u8'));
    expect(inputs.length).toBe(images.length * bytesPerImage);
  });

  async function eachImage(
    input: Pick<PreprocessInput, 'dtype' | 'quantization'>,
    expected: (bytes: Uint8Array) => Uint8Array | Float32Array,
  ): Promise<void> {
    for (const [i, name] of images.entries()) {
      const image = await decodeImage(shared('images', name));
      const plan = planPreprocess(resolveRecipe('tf'), image, { width: side, height: side, ...input });
      const actual = await runPlan(plan, image.data);
      const wanted = expected(inputs.subarray(i * bytesPerImage, (i + 1) * bytesPerImage));
      expect(actual.length).toBe(wanted.length);
      // Not toEqual: it takes seconds on arrays of this length.
      expect(
        actual.findIndex((value, at) => value !== wanted[at]),
        `${name}: first difference`,
      ).toBe(-1);
    }
  }

  it('uint8: the same bytes', async () => {
    await eachImage({ dtype: 'uint8', quantization: { scale: 1 / 128, zeroPoint: 128 } }, (bytes) => bytes.slice());
  });

  it('int8: byte - 128, as two’s complement', async () => {
    const quantization = { scale: 0.007843137718737125, zeroPoint: -1 };
    await eachImage({ dtype: 'int8', quantization }, (bytes) => bytes.map((byte) => byte ^ 0x80));
  });

  it('float32: byte / 127.5 - 1', async () => {
    await eachImage({ dtype: 'float32', quantization: null }, (bytes) =>
      Float32Array.from(bytes, (byte) => (byte - 127.5) / 127.5),
    );
  });
});
