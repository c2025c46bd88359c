import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { DEFAULT_MAX_PIXELS, decodeImage } from '../../lib/decode.js';
import { MobileNetError } from '../../lib/errors.js';
import { pixels } from './pixels.js';

const folder = mkdtempSync(join(tmpdir(), 'mobilenetv2-decode-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A smooth picture with a marked corner, so that lossy formats keep it and every orientation shows. */
const width = 48;
const height = 32;
const picture = Uint8Array.from({ length: width * height * 3 }, (_, i) => {
  const [x, y] = [Math.trunc(i / 3) % width, Math.trunc(i / 3 / width)];
  if (x < 16 && y < 16) return [250, 20, 20][i % 3]!;
  return [x * 4, y * 7, 128][i % 3]!;
});
const image = () => sharp(picture, { raw: { width, height, channels: 3 } });

function maxDifference(a: Uint8Array, b: Uint8Array): number {
  expect(a.length).toBe(b.length);
  return a.reduce((max, value, i) => Math.max(max, Math.abs(value - b[i]!)), 0);
}

async function failure(promise: Promise<unknown>): Promise<MobileNetError> {
  const error = await promise.then(
    () => new Error('resolved'),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(MobileNetError);
  return error as MobileNetError;
}

describe('raw pixels', () => {
  it('are passed on without a copy', async () => {
    for (const channels of [1, 3, 4] as const) {
      const data = pixels(1, 5 * 4 * channels);
      const decoded = await decodeImage({ data, width: 5, height: 4, channels });
      expect(decoded).toEqual({ data, width: 5, height: 4, channels });
      expect(decoded.data.buffer).toBe(data.buffer);
    }
  });

  it("may be a part of a buffer, and a canvas' clamped array", async () => {
    const buffer = pixels(2, 100).buffer as ArrayBuffer;
    const { data } = await decodeImage({
      data: new Uint8ClampedArray(buffer, 7, 12),
      width: 2,
      height: 2,
      channels: 3,
    });
    expect(data).toEqual(new Uint8Array(buffer, 7, 12));
  });

  it.each([
    ['width', { width: 0 }],
    ['width', { width: 1.5 }],
    ['width', { width: Number.NaN }],
    ['height', { height: -2 }],
    ['height', { height: '2' }],
    ['channels', { channels: 2 }],
    ['channels', { channels: undefined }],
    ['data', { data: new Uint8Array(11) }],
    ['data', { data: new Uint8Array(13) }],
    ['data', { data: [1, 2, 3] }],
    ['data', { data: new Float32Array(12) }],
  ])('are refused naming %s: %o', async (field, wrong) => {
    const raw = { data: new Uint8Array(12), width: 2, height: 2, channels: 3, ...wrong };
    const error = await failure(decodeImage(raw as never));
    expect(error.code).toBe('INVALID_ARGUMENT');
    expect(error.message).toMatch(new RegExp(`^image\\.${field}: expected `));
  });
});

describe('arguments', () => {
  it.each([undefined, null, 5, {}, [], new Float32Array(3)])('%o is no image', async (value) => {
    expect((await failure(decodeImage(value as never))).code).toBe('INVALID_ARGUMENT');
  });

  it.each([0, -1, 1.5, Number.POSITIVE_INFINITY, '9'])('maxPixels cannot be %o', async (maxPixels) => {
    const error = await failure(decodeImage(picture, { maxPixels: maxPixels as never }));
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', message: expect.stringMatching(/^maxPixels: expected/) });
  });
});

describe('formats', () => {
  const encodings = {
    jpeg: () => image().jpeg({ quality: 100, chromaSubsampling: '4:4:4' }),
    'progressive jpeg': () => image().jpeg({ quality: 95, progressive: true }),
    png: () => image().png(),
    webp: () => image().webp({ quality: 95 }),
    'lossless webp': () => image().webp({ lossless: true }),
    avif: () => image().avif({ quality: 95 }),
    gif: () => image().gif(),
    tiff: () => image().tiff({ compression: 'lzw' }),
  };
  const lossless = new Set(['png', 'lossless webp', 'tiff']);

  it.each(Object.entries(encodings))('%s, from bytes, an ArrayBuffer and a path', async (name, encode) => {
    const bytes = await encode().toBuffer();
    const decoded = await decodeImage(bytes);
    expect(decoded).toMatchObject({ width, height, channels: 3 });
    const difference = maxDifference(decoded.data, picture);
    if (lossless.has(name)) expect(difference).toBe(0);
    // Chroma at half resolution spoils the edges of the corner: look at the mean there.
    const mean = decoded.data.reduce((sum, v, i) => sum + Math.abs(v - picture[i]!), 0) / picture.length;
    expect(mean).toBeLessThan(8);

    const arrayBuffer = new ArrayBuffer(bytes.length);
    new Uint8Array(arrayBuffer).set(bytes);
    expect(await decodeImage(arrayBuffer)).toEqual(decoded);
    const path = join(folder, `${name}.bin`); // the contents decide, not the name
    writeFileSync(path, bytes);
    expect(await decodeImage(path)).toEqual(decoded);
  });

  it('a changed file gives its new pixels', async () => {
    const path = join(folder, 'changing.png');
    writeFileSync(path, await image().png().toBuffer());
    await decodeImage(path);
    writeFileSync(path, await image().negate().png().toBuffer());
    expect((await decodeImage(path)).data).toEqual(Buffer.from(picture.map((v) => 255 - v)));
  });

  it('the first frame of an animation', async () => {
    const frames = [picture, picture.map((v) => 255 - v)].map((data) =>
      sharp(data, { raw: { width, height, channels: 3 } }),
    );
    const buffers = await Promise.all(frames.map((frame) => frame.png().toBuffer()));
    for (const format of ['gif', 'webp'] as const) {
      const animation = await sharp(buffers, { join: { animated: true } })
        [format]({ lossless: true } as object)
        .toBuffer();
      expect((await sharp(animation).metadata()).pages).toBe(2);
      const decoded = await decodeImage(animation);
      expect(decoded).toMatchObject({ width, height });
      expect(maxDifference(decoded.data, picture)).toBeLessThan(format === 'gif' ? 40 : 1);
    }
  });

  it('alpha is dropped, not blended', async () => {
    const rgba = Uint8Array.from({ length: width * height * 4 }, (_, i) =>
      i % 4 === 3 ? i % 251 : picture[Math.trunc(i / 4) * 3 + (i % 4)]!,
    );
    const bytes = await sharp(rgba, { raw: { width, height, channels: 4 } })
      .png()
      .toBuffer();
    expect((await sharp(bytes).metadata()).channels).toBe(4);
    expect((await decodeImage(bytes)).data).toEqual(Buffer.from(picture));
  });

  it('grey, and grey with alpha, become RGB', async () => {
    const grey = pixels(3, width * height);
    const repeated = Uint8Array.from({ length: width * height * 3 }, (_, i) => grey[Math.trunc(i / 3)]!);
    const source = () => sharp(grey, { raw: { width, height, channels: 1 } }).toColourspace('b-w');
    for (const [bytes, channels] of [
      [await source().png().toBuffer(), 1],
      [await source().ensureAlpha(0.5).png().toBuffer(), 2],
    ] as const) {
      expect((await sharp(bytes).metadata()).channels).toBe(channels);
      expect(await decodeImage(bytes)).toEqual({ data: Buffer.from(repeated), width, height, channels: 3 });
    }
  });

  it('16-bit samples keep their high byte', async () => {
    const wide = Uint16Array.from(picture, (v, i) => v * 256 + (i % 256));
    const bytes = await sharp(wide, { raw: { width, height, channels: 3 } })
      .toColourspace('rgb16')
      .png()
      .toBuffer();
    expect((await sharp(bytes).metadata()).depth).toBe('ushort');
    expect((await decodeImage(bytes)).data).toEqual(Buffer.from(picture));
  });

  it('palettes are looked up', async () => {
    const few = picture.map((v) => (v < 128 ? 0 : 255));
    const bytes = await sharp(few, { raw: { width, height, channels: 3 } })
      .png({ palette: true })
      .toBuffer();
    expect((await sharp(bytes).metadata()).isPalette).toBe(true);
    expect(maxDifference((await decodeImage(bytes)).data, few)).toBe(0);
  });

  it('CMYK JPEG becomes RGB', async () => {
    const bytes = await image().toColourspace('cmyk').jpeg({ quality: 95 }).toBuffer();
    expect((await sharp(bytes).metadata()).space).toBe('cmyk');
    const { data, channels } = await decodeImage(bytes);
    expect(channels).toBe(3);
    const [r, g, b] = data.subarray((8 * width + 8) * 3);
    expect(r! - Math.max(g!, b!)).toBeGreaterThan(100); // the red corner stays red
  });

  it('colour profiles are ignored', async () => {
    const bytes = await image().withIccProfile('p3').png().toBuffer();
    const stored = await sharp(bytes, { ignoreIcc: true }).raw().toBuffer();
    expect((await decodeImage(bytes)).data).toEqual(stored);
    expect(maxDifference(stored, picture)).toBeGreaterThan(5); // the profile does matter
  });

  it.each([1, 2, 3, 4, 5, 6, 7, 8])('EXIF orientation %i is applied', async (orientation) => {
    const bytes = await image().withMetadata({ orientation }).jpeg({ quality: 100 }).toBuffer();
    expect((await sharp(bytes).metadata()).orientation ?? 1).toBe(orientation);
    const decoded = await decodeImage(bytes);
    const swapped = orientation > 4;
    expect([decoded.width, decoded.height]).toEqual(swapped ? [height, width] : [width, height]);
    // Where the stored image's red top-left corner belongs.
    const right = [2, 3, 6, 7].includes(orientation);
    const bottom = [3, 4, 7, 8].includes(orientation);
    const at = (toRight: boolean, toBottom: boolean) => {
      const [x, y] = [toRight ? decoded.width - 5 : 4, toBottom ? decoded.height - 5 : 4];
      return [...decoded.data.subarray((y * decoded.width + x) * 3).subarray(0, 3)];
    };
    const isRed = ([r, g, b]: number[]) => r! > 220 && g! < 60 && b! < 60;
    for (const toRight of [false, true]) {
      for (const toBottom of [false, true]) {
        expect(isRed(at(toRight, toBottom))).toBe(toRight === right && toBottom === bottom);
      }
    }
  });
});

describe('bad files', () => {
  it.each([
    ['no file', join(folder, 'missing.jpg'), 'FILE_NOT_FOUND', /missing\.jpg: cannot read the image: no such file/],
    ['an impossible path', 'a\0b.jpg', 'FILE_NOT_FOUND', /cannot read the image/],
    ['a directory', folder, 'IMAGE_INVALID', /this is a directory/],
    ['no bytes', new Uint8Array(0), 'IMAGE_INVALID', /the file is empty/],
    ['text', Buffer.from('not an image'), 'IMAGE_INVALID', /known format \(JPEG, PNG, WebP, AVIF, GIF, TIFF\)/],
    [
      'SVG',
      Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'),
      'IMAGE_INVALID',
      /known format/,
    ],
    ['PDF', Buffer.from('%PDF-1.4\n'), 'IMAGE_INVALID', /known format/],
    ['HEIC', Buffer.from('\0\0\0\x18ftypheic\0\0\0\0mif1heic'), 'IMAGE_INVALID', /known format/],
    ['a signature alone', Buffer.from('\xff\xd8\xff', 'latin1'), 'IMAGE_INVALID', /damaged or unsupported JPEG/],
  ] as const)('%s', async (_, input, code, message) => {
    expect(await failure(decodeImage(input))).toMatchObject({ code, message: expect.stringMatching(message) });
  });

  it('a file is named in the message', async () => {
    const path = join(folder, 'broken.png');
    writeFileSync(path, (await image().png().toBuffer()).subarray(0, 60));
    const error = await failure(decodeImage(path));
    expect(error).toMatchObject({ code: 'IMAGE_INVALID', message: expect.stringContaining(`${path}: damaged`) });
    expect(error.cause).toBeInstanceOf(Error);
  });

  it.skipIf(process.platform === 'win32')('a named pipe nobody writes to is refused, not waited for', async () => {
    const path = join(folder, 'pipe.jpg');
    execFileSync('mkfifo', [path]);
    expect((await failure(decodeImage(path))).message).toMatch(/no regular file/);
  });

  it.each(['jpeg', 'png', 'webp', 'avif', 'gif', 'tiff'] as const)('truncated %s at every length', async (format) => {
    // Noise, so that no part of the data can be missing unnoticed.
    const noise = sharp(pixels(5, 40 * 40 * 3), { raw: { width: 40, height: 40, channels: 3 } });
    const bytes = await noise.toFormat(format).toBuffer();
    const refused = [];
    for (let i = 0; i < 24; i++) {
      const length = Math.trunc((bytes.length * 0.98 * i) / 24);
      const outcome = await decodeImage(bytes.subarray(0, length)).catch((error: unknown) => error);
      if (outcome instanceof MobileNetError) refused.push(outcome.code);
      else expect.fail(`${format} cut to ${length} of ${bytes.length} bytes gave ${String(outcome)}`);
    }
    expect(new Set(refused)).toEqual(new Set(['IMAGE_INVALID']));
  });

  it.each(['jpeg', 'png', 'webp', 'avif', 'gif', 'tiff'] as const)(
    'mutated %s: an image or a typed error, never a crash',
    async (format) => {
      const noise = sharp(pixels(6, 32 * 32 * 3), { raw: { width: 32, height: 32, channels: 3 } });
      const bytes = await noise.toFormat(format).toBuffer();
      let refused = 0;
      for (let seed = 0; seed < 120; seed++) {
        const [count = 0, ...dice] = pixels(seed, 30);
        const mutated = Buffer.from(bytes);
        for (let i = 0; i <= count % 6; i++) {
          const [high = 0, low = 0, low2 = 0, value = 0] = dice.slice(i * 4);
          // Half of them in the header, where sizes and offsets are.
          const at = (high * 65536 + low * 256 + low2) % (high % 2 ? bytes.length : Math.min(bytes.length, 200));
          mutated[at] = value;
        }
        try {
          const decoded = await decodeImage(mutated, { maxPixels: 1_000_000 });
          expect(decoded.data.length).toBe(decoded.width * decoded.height * 3);
        } catch (error) {
          expect(error, `seed ${seed}`).toBeInstanceOf(MobileNetError);
          expect(['IMAGE_INVALID', 'IMAGE_TOO_LARGE']).toContain((error as MobileNetError).code);
          refused++;
        }
      }
      expect(refused).toBeGreaterThan(20);
    },
  );
});

describe('image bombs', () => {
  /** A well-formed PNG that claims to be `side` squared. */
  function pngClaiming(side: number): Buffer {
    const chunk = (type: string, data: Buffer) => {
      const out = Buffer.alloc(12 + data.length);
      out.writeUInt32BE(data.length, 0);
      out.write(type, 4, 'latin1');
      data.copy(out, 8);
      out.writeUInt32BE(crc32(out.subarray(4, 8 + data.length)), 8 + data.length);
      return out;
    };
    const header = Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 8, 2, 0, 0, 0]);
    header.writeUInt32BE(side, 0);
    header.writeUInt32BE(side, 4);
    return Buffer.concat([
      Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
      chunk('IHDR', header),
      chunk('IDAT', deflateSync(Buffer.alloc(1000))),
      chunk('IEND', Buffer.alloc(0)),
    ]);
  }

  function crc32(bytes: Uint8Array): number {
    let crc = 0xffffffff;
    for (const byte of bytes) {
      crc ^= byte;
      for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
    }
    return ~crc >>> 0;
  }

  it('are refused by their header, naming size and limit', async () => {
    const before = process.memoryUsage().rss;
    const error = await failure(decodeImage(pngClaiming(60_000)));
    expect(error.code).toBe('IMAGE_TOO_LARGE');
    expect(error.message).toBe(`image: 60000 x 60000 pixels; maxPixels is ${DEFAULT_MAX_PIXELS}`);
    expect(process.memoryUsage().rss - before).toBeLessThan(100e6);
  });

  it('the limit is exact and the caller can move it', async () => {
    const bytes = await image().png().toBuffer();
    expect((await decodeImage(bytes, { maxPixels: width * height })).width).toBe(width);
    const error = await failure(decodeImage(bytes, { maxPixels: width * height - 1 }));
    expect(error).toMatchObject({ code: 'IMAGE_TOO_LARGE', message: expect.stringContaining('48 x 32 pixels') });
  });

  it('a huge file is not read', async () => {
    const path = join(folder, 'huge.jpg');
    writeFileSync(path, '');
    truncateSync(path, 2 ** 30 + 1); // sparse
    expect(await failure(decodeImage(path))).toMatchObject({ code: 'IMAGE_TOO_LARGE' });
  });
});

describe('sharp', () => {
  afterEach(() => {
    vi.doUnmock('sharp');
    vi.resetModules();
  });

  it('keeps its global settings', async () => {
    const settings = () => ({ cache: sharp.cache(), concurrency: sharp.concurrency(), simd: sharp.simd() });
    const limits = ({ cache, ...rest }: ReturnType<typeof settings>) => ({
      ...rest,
      memory: cache.memory.max,
      files: cache.files.max,
      items: cache.items.max,
    });
    const before = limits(settings());
    await decodeImage(await image().jpeg().toBuffer());
    expect(limits(settings())).toEqual(before);
  });

  it('is needed for files only; without it the error says what to do', async () => {
    const bytes = await image().jpeg().toBuffer();
    vi.resetModules();
    vi.doMock('sharp', () => {
      throw new Error('Could not load the "sharp" module');
    });
    const fresh = await import('../../lib/decode.js');
    const raw = { data: picture, width, height, channels: 3 } as const;
    expect((await fresh.decodeImage(raw)).data).toEqual(picture);
    const error = await fresh.decodeImage(bytes).catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      code: 'DECODER_UNAVAILABLE',
      message: expect.stringMatching(/npm install sharp.*raw pixels/),
    });
  });
});
