/** Architectures against the published counts, weights against what a trained network's look like. */
import { describe, expect, it } from 'vitest';
import { Engine } from '../../lib/engine.js';
import { MobileNetError } from '../../lib/errors.js';
import { describeSpec } from '../../lib/model-info.js';
import { type QuantizedWeights, weightedLayers } from '../../lib/model-spec.js';
import { makeDivisible, parseArchitecture, seededModel } from '../../lib/tools/seeded-model.js';

const V2 = { family: 'mobilenet_v2', width: 1, size: 224 } as const;

describe('architecture', () => {
  // Trainable parameters of keras.applications, less one per channel: folding leaves a bias of gamma and beta.
  it.each([
    ['mobilenet_v2:1.0:224', 3_504_872 - 17_056, 300_774_272],
    ['mobilenet_v2:1.4:224', 6_108_776 - 23_968, null],
    ['mobilenet_v1:1.0:224', 4_231_976 - 10_944, 568_740_352],
    ['mobilenet_v1:0.25:128', 470_072 - 2_736, null],
  ])('%s has the published number of weights and MACs', (text, parameters, macs) => {
    const info = describeSpec(seededModel(parseArchitecture(text)));
    expect(info.parameters).toBe(parameters);
    if (macs !== null) expect(info.macs).toBe(macs);
  });

  it('lists the blocks of the paper at width 1', () => {
    const { blocks } = describeSpec(seededModel(V2));
    expect(blocks.map(({ outChannels }) => outChannels)).toEqual([
      16, 24, 24, 32, 32, 32, 64, 64, 64, 64, 96, 96, 96, 160, 160, 160, 320,
    ]);
    expect(blocks.filter(({ stride }) => stride === 2).map(({ height }) => height)).toEqual([56, 28, 14, 7]);
    expect(blocks.filter(({ residual }) => residual).length).toBe(10);
    expect(new Set(blocks.slice(1).map(({ t }) => t))).toEqual(new Set([6]));
  });

  it('rounds channels to multiples of 8 without losing more than a tenth', () => {
    expect([11.2, 16 * 0.35, 24 * 0.35, 32 * 0.5, 24 * 0.75, 44.8, 1792].map(makeDivisible)).toEqual([
      16, 8, 8, 16, 24, 48, 1792,
    ]);
    for (let channels = 1; channels < 3000; channels += 5.3) {
      const rounded = makeDivisible(channels);
      expect(rounded % 8).toBe(0);
      expect(rounded).toBeGreaterThanOrEqual(0.9 * channels);
      if (channels > 40) expect(rounded).toBeLessThan(channels + 8);
    }
  });

  it('gives the last convolution 1280 channels at least', () => {
    expect(seededModel({ ...V2, width: 0.35 }).head?.outChannels).toBe(1280);
    expect(seededModel({ ...V2, width: 1.4 }).head?.outChannels).toBe(1792);
  });

  it('reads sizes', () => {
    expect(parseArchitecture('mobilenet_v2:1.4:224')).toEqual({ ...V2, width: 1.4 });
    expect(parseArchitecture('mobilenet_v1:0.5:160x128')).toEqual({
      family: 'mobilenet_v1',
      width: 0.5,
      size: { height: 160, width: 128 },
    });
    expect(seededModel(parseArchitecture('mobilenet_v1:0.5:160x128')).input).toMatchObject({ height: 160, width: 128 });
  });

  it.each([
    ['mobilenet_v3:1:224', /expected FAMILY:WIDTH:SIZE.*got "mobilenet_v3:1:224"/],
    ['', /got ""/],
    ['mobilenet_v2:1', /FAMILY:WIDTH:SIZE/],
    ['mobilenet_v2:-1:224', /FAMILY:WIDTH:SIZE/],
    ['mobilenet_v2:0:224', /width: expected a number above 0, at most 4, got 0/],
    ['mobilenet_v2:99:224', /width:.*got 99/],
    ['mobilenet_v2:1:0', /size: expected an integer in 1 \.\.\. 8192, got 0/],
    ['mobilenet_v2:1:224x9000', /input width:.*got 9000/],
  ])('refuses %j', (text, message) => {
    const parse = () => parseArchitecture(text);
    expect(parse).toThrow(MobileNetError);
    expect(parse).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
    expect(parse).toThrow(message);
  });

  it('refuses class counts that no network has', () => {
    expect(() => seededModel({ ...V2, classes: 0 })).toThrow(/classes: expected an integer in 1 \.\.\. 65536, got 0/);
  });
});

describe('weights', () => {
  it('are a function of the seed', () => {
    const weightsOf = (seed: number) => {
      const spec = seededModel({ family: 'mobilenet_v2', width: 0.35, size: 32, precision: 'int8', seed });
      // As bytes: toEqual takes seconds for so many numbers.
      const layers = [...weightedLayers(spec)].map((layer) => layer.weights as QuantizedWeights);
      return Buffer.concat(
        layers.flatMap(({ values, bias, scales }) =>
          [values, bias, scales].map((array) => Buffer.from(array.buffer, array.byteOffset, array.byteLength)),
        ),
      );
    };
    expect(Buffer.compare(weightsOf(3), weightsOf(3))).toBe(0);
    expect(Buffer.compare(weightsOf(3), weightsOf(4))).not.toBe(0);
  });

  it('of uint8 leave eight signed bits in a few places of every tensor, and those of int8 have scales per channel', () => {
    for (const layer of weightedLayers(seededModel({ ...V2, width: 0.5, precision: 'uint8' }))) {
      const { values, zeroPoint, scales } = layer.weights as QuantizedWeights;
      expect(scales.length).toBe(1);
      const outside = values.filter((w) => w - zeroPoint < -128 || w - zeroPoint > 127).length;
      expect(outside).toBeGreaterThan(0);
      expect(outside).toBeLessThan(1 + values.length / 100);
      expect(layer.activation).toBe('linear');
    }
    for (const layer of weightedLayers(seededModel({ ...V2, width: 0.5, precision: 'int8' }))) {
      const { values, zeroPoint, scales } = layer.weights as QuantizedWeights;
      expect(values).toBeInstanceOf(Int8Array);
      expect(zeroPoint).toBe(0);
      expect(new Set(scales).size).toBeGreaterThan(layer.outChannels / 2);
    }
  });

  for (const family of ['mobilenet_v2', 'mobilenet_v1'] as const) {
    for (const precision of ['float32', 'uint8', 'int8'] as const) {
      it(`keep ${family} alive in ${precision}: activations neither die nor saturate, logits depend on the image`, async () => {
        const size = 64;
        const classes = 50;
        const spec = seededModel({ family, width: 0.35, size, classes, precision });
        const engine = new Engine(spec, { threads: 1, isa: 'scalar' });
        const image = (seed: number) => {
          let state = seed;
          const bytes = new Uint8Array(size * size * 3).map(() => {
            state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
            return state >>> 24;
          });
          if (precision === 'uint8') return bytes;
          return precision === 'int8'
            ? Int8Array.from(bytes, (b) => b - 128)
            : Float32Array.from(bytes, (b) => b / 127.5 - 1);
        };
        const stats = new Map<string, { count: number; zero: number; top: number; sum: number; squares: number }>();
        await engine.trace(size, size, image(1), (op, layer, _row, bytes) => {
          if (layer === 'softmax') return;
          const values =
            precision === 'float32'
              ? new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length))
              : bytes;
          const key = `${op} ${layer}`;
          const s = stats.get(key) ?? { count: 0, zero: 0, top: 0, sum: 0, squares: 0 };
          stats.set(key, s);
          for (const v of values) {
            s.count++;
            if (v === 0) s.zero++;
            if (v >= (precision === 'float32' ? 6 : 255)) s.top++;
            s.sum += v;
            s.squares += v * v;
          }
        });
        const unit = precision === 'float32' ? 1 : 6 / 255;
        for (const [key, { count, zero, top, sum, squares }] of stats) {
          expect(zero / count, `${key}: zeros`).toBeLessThan(0.6);
          if (!/dense|project|residual/.test(key)) expect(top / count, `${key}: at the top`).toBeLessThan(0.05);
          const deviation = Math.sqrt(squares / count - (sum / count) ** 2) * unit;
          expect(deviation, `${key}: deviation`).toBeGreaterThan(0.2);
          expect(deviation, `${key}: deviation`).toBeLessThan(5);
        }
        const logitsOf = async (seed: number) => {
          const logits = new Float32Array(classes);
          await engine.run({ height: size, width: size, input: image(seed), count: 1, outputs: [null, logits] });
          return logits;
        };
        const [a, b] = [await logitsOf(1), await logitsOf(2)];
        const difference = a.reduce((all, v, i) => all + Math.abs(v - (b[i] as number)), 0) / classes;
        expect(difference).toBeGreaterThan(0.1);
      });
    }
  }
});
