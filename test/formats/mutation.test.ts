import { readFileSync } from 'node:fs';
import { describe, expect, it, vi } from 'vitest';
import { MobileNetError } from '../../lib/errors.js';
import { readTflite } from '../../lib/formats/index.js';
import { readTfjsLayers } from '../../lib/formats/tfjs-layers.js';
import { classCount, type ModelSpec, weightedLayers } from '../../lib/model-spec.js';
import { seededRandom } from './random.js';
import { hasSharedModels, sharedModel, skipNote } from './shared-models.js';
import { tinyKeras } from './tfjs-writer.js';
import { type TinyOptions, tinyTflite } from './tflite-writer.js';
import { appendZip } from './zip-writer.js';

/* Seeded damage to model files: every result is a valid ModelSpec or a MobileNetError, soon and in little memory. */

vi.setConfig({ testTimeout: 60_000 }); // seconds on an idle machine; each damage has its own limit below

const interesting = [0, 1, 2, 0x7f, 0x80, 0xff, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0x0fff_ffff, 1000];

/** One to four damages: flipped bits, bytes and words of awkward values, random or copied spans, a cut end. */
function damage(original: Uint8Array, random: () => number, reach = original.length): Uint8Array {
  let bytes = original.slice();
  const below = (n: number) => Math.floor(random() * n);
  for (let n = 1 + below(4); n > 0; n--) {
    const at = below(Math.min(reach, bytes.length));
    switch (below(7)) {
      case 0:
      case 1:
        bytes[at] = (bytes[at] ?? 0) ^ (1 << below(8));
        break;
      case 2:
        bytes[at] = interesting[below(interesting.length)] ?? 0;
        break;
      case 3:
      case 4: {
        const word = at & ~3;
        const value = random() < 0.7 ? (interesting[below(interesting.length)] ?? 0) : below(bytes.length);
        if (word + 4 <= bytes.length) new DataView(bytes.buffer).setUint32(word, value, true);
        break;
      }
      case 5:
        for (let i = at, end = Math.min(bytes.length, at + below(64)); i < end; i++) bytes[i] = below(256);
        break;
      default:
        if (random() < 0.5) bytes = bytes.slice(0, Math.max(1, at));
        else bytes.copyWithin(at, below(bytes.length), below(bytes.length));
    }
  }
  return bytes;
}

/** What a valid spec promises, as far as it can be checked without running it. */
function checkSpec(spec: ModelSpec): void {
  let channels = 3;
  for (const layer of weightedLayers(spec)) {
    const { weights } = layer;
    const perOutput = layer.kernel ** 2 * (layer.depthwise ? 1 : layer.inChannels);
    if (layer.inChannels !== channels) throw new Error(`${layer.name}: channels`);
    if (weights.values.length !== layer.outChannels * perOutput) throw new Error(`${layer.name}: weights`);
    if (weights.bias.length !== layer.outChannels) throw new Error(`${layer.name}: bias`);
    if ((layer.output === null) !== (spec.precision === 'float32')) throw new Error(`${layer.name}: output scale`);
    if (weights.kind === 'float32') {
      if (spec.precision !== 'float32') throw new Error(`${layer.name}: precision`);
      if (!weights.values.every(Number.isFinite) || !weights.bias.every(Number.isFinite)) throw new Error('not finite');
    } else {
      const type = spec.precision === 'int8' ? Int8Array : Uint8Array;
      if (!(weights.values instanceof type)) throw new Error(`${layer.name}: precision`);
      if (![1, layer.outChannels].includes(weights.scales.length)) throw new Error(`${layer.name}: scales`);
      if (!weights.scales.every((scale) => scale > 0 && Number.isFinite(scale)))
        throw new Error(`${layer.name}: scales`);
    }
    channels = layer.outChannels;
  }
  if (classCount(spec) < 1 || spec.blocks.length < 1) throw new Error('empty');
}

/** Runs `count` damages; reports the seed of the first that breaks the promise. Returns how many were still valid. */
function survive(count: number, firstSeed: number, read: (random: () => number) => ModelSpec, maxMs = 2000): number {
  let valid = 0;
  for (let seed = firstSeed; seed < firstSeed + count; seed++) {
    const started = performance.now();
    try {
      checkSpec(read(seededRandom(seed)));
      valid++;
    } catch (error) {
      if (!(error instanceof MobileNetError)) throw new Error(`seed ${seed}: ${String(error)}`, { cause: error });
      if (error.code !== 'MODEL_CORRUPT' && error.code !== 'MODEL_UNSUPPORTED')
        throw new Error(`seed ${seed}: ${error.code}`);
      if (error.message.length > 2000) throw new Error(`seed ${seed}: a message of ${error.message.length} characters`);
    }
    const ms = performance.now() - started;
    if (ms > maxMs) throw new Error(`seed ${seed}: took ${ms} ms`);
  }
  return valid;
}

/** Peak memory beyond the start must stay small; typed arrays live outside the JavaScript heap. */
function inLittleMemory<T>(megabytes: number, run: () => T): T {
  const before = process.memoryUsage().rss;
  const result = run();
  expect((process.memoryUsage().rss - before) / 2 ** 20).toBeLessThan(megabytes);
  return result;
}

const variants: Record<string, TinyOptions> = {
  float32: { padding: 'pad-symmetric' },
  float16: { kind: 'float16', classifier: 'two-dense' },
  uint8: { kind: 'uint8', pool: 'average', classifier: 'dense' },
  int8: { kind: 'int8', ends: 'float', separateRelu6: true },
};

describe('damaged TFLite files', () => {
  for (const [name, options] of Object.entries(variants)) {
    it(`${name}: 3000 seeds give a spec or a typed error`, () => {
      const labels = { 'labels.txt': 'a\nb\nc\nd\ne\n' };
      const bytes = appendZip(tinyTflite({ ...options, height: 16, width: 16 }), labels);
      const valid = inLittleMemory(300, () =>
        survive(3000, 1, (random) => readTflite(damage(bytes, random), 'damaged')),
      );
      // Some damage only changes weights; most of the rest must be noticed.
      expect(valid).toBeGreaterThan(0);
      expect(valid).toBeLessThan(2900);
    });
  }

  it('cut at every length', () => {
    const bytes = tinyTflite({ kind: 'int8', height: 16, width: 16 });
    for (let length = 0; length < bytes.length; length += length < 4096 ? 1 : 7) {
      survive(1, length, () => readTflite(bytes.subarray(0, length), 'cut'));
    }
  });

  it('of random bytes', () => {
    survive(1000, 1, (random) => {
      const bytes = Uint8Array.from({ length: Math.floor(random() * 2000) }, () => Math.floor(random() * 256));
      bytes.set([0x54, 0x46, 0x4c, 0x33].slice(0, Math.max(0, bytes.length - 4)), 4 > bytes.length ? 0 : 4);
      return readTflite(bytes, 'random');
    });
  });
});

/** Damages one value somewhere in JSON: another type, an awkward number, a missing or doubled element. */
function damageJson(value: unknown, random: () => number): unknown {
  const copy = structuredClone(value);
  const spots: [Record<string, unknown>, string][] = [];
  const collect = (node: unknown): void => {
    if (typeof node !== 'object' || node === null) return;
    for (const key of Object.keys(node)) {
      spots.push([node as Record<string, unknown>, key]);
      collect((node as Record<string, unknown>)[key]);
    }
  };
  collect(copy);
  const awkward = [null, -1, 0, 1, 2, 1.5, 2 ** 31, 1e308, '', 'Conv1', 'relu', [], [[]], {}, true, [1, 2, 3], 'NaN'];
  for (let n = 1 + Math.floor(random() * 2); n > 0; n--) {
    const [holder, key] = spots[Math.floor(random() * spots.length)] ?? [{}, 'x'];
    const choice = random();
    if (choice < 0.2) delete holder[key];
    else if (choice < 0.3) holder[key] = [holder[key], holder[key]];
    else if (choice < 0.5) holder[key] = structuredClone(spots[Math.floor(random() * spots.length)]?.[0]);
    else holder[key] = awkward[Math.floor(random() * awkward.length)];
  }
  return copy;
}

describe('damaged TensorFlow.js models', () => {
  for (const options of [
    { dtype: 'uint8', style: 'functional' },
    { dtype: 'float32', style: 'teachable-machine' },
    { dtype: 'float16', style: 'functional', keras3: true },
  ] as const) {
    it(`${options.dtype}, ${options.style}: 1500 damaged topologies and 300 damaged shards`, () => {
      const { modelJson, weights } = tinyKeras({ ...options, height: 16, width: 16 });
      const valid = inLittleMemory(300, () =>
        survive(1500, 1, (random) => readTfjsLayers(damageJson(modelJson, random), weights, { source: 'damaged' })),
      );
      expect(valid).toBeGreaterThan(0);
      expect(valid).toBeLessThan(1400);
      survive(300, 1, (random) => readTfjsLayers(modelJson, damage(weights, random), { source: 'damaged' }));
    });
  }
});

describe.skipIf(!hasSharedModels)(`damaged published files${skipNote}`, () => {
  for (const [path, count] of [
    ['imagenet/mobilenet_v2_1.0_224_quant.tflite', 60],
    ['imagenet/mobilenet_v2_1.0_224_int8.tflite', 60],
    ['mobilenet_v1/mobilenet_v1_0.25_128_quant.tflite', 300],
  ] as const) {
    it(`${path}: ${count} seeds`, () => {
      const bytes = new Uint8Array(readFileSync(sharedModel(path)));
      // Weights fill the file; its tables are where damage tells. They lie at one of its ends.
      const tail = (random: () => number) => {
        const copy = bytes.slice();
        const from = Math.max(0, bytes.length - 64 * 1024);
        const damaged = damage(copy.subarray(from), random);
        copy.set(damaged, from);
        return copy.subarray(0, from + damaged.length);
      };
      survive(count, 1, (random) => readTflite(damage(bytes, random, 64 * 1024), path));
      survive(count, 1, (random) => readTflite(tail(random), path));
    });
  }

  it('teachable-machine: 100 damaged topologies', () => {
    const json: unknown = JSON.parse(readFileSync(sharedModel('teachable-machine/model.json'), 'utf8'));
    const weights = new Uint8Array(readFileSync(sharedModel('teachable-machine/weights.bin')));
    survive(100, 1, (random) => readTfjsLayers(damageJson(json, random), weights, { source: 'damaged' }));
  });
});
