/** Every layer and every output equals what TFLite's reference kernels gave. */
import { describe, expect, it } from 'vitest';
import { Engine } from '../../lib/engine.js';
import { readTflite } from '../../lib/formats/tflite.js';
import type { ModelSpec } from '../../lib/model-spec.js';
import { type Isa, native } from '../../lib/native.js';
import { hasShared, needsShared, readShared, readSharedFloats, readSharedJson } from '../support/shared.js';

interface Goldens {
  images: string[];
  models: Record<
    string,
    { model: string; logits: string; probs: string; logits_quantization: [number, number]; top1: number[] }
  >;
}
interface LayerGolden {
  op: string;
  name: string;
  shape: number[];
  offset: number;
}

const SIZE = 224;
const IMAGE_BYTES = SIZE * SIZE * 3;
const CLASSES = 1001;

function readModel(golden: { model: string }): ModelSpec {
  const path = golden.model.split('/');
  return readTflite(readShared(...path), golden.model);
}

/** The saved input bytes as the model takes them. */
function inputFor(spec: ModelSpec, bytes: Uint8Array): ArrayBufferView {
  if (spec.precision === 'uint8') return bytes;
  if (spec.precision === 'int8') return Int8Array.from(bytes, (b) => b - 128);
  return Float32Array.from(bytes, (b) => b / 127.5 - 1);
}

async function run(spec: ModelSpec, isa: Isa, input: ArrayBufferView, count: number, threads: number) {
  const engine = new Engine(spec, { isa, threads });
  const probabilities = new Float32Array(count * CLASSES);
  const logits = new Float32Array(count * CLASSES);
  expect(await engine.run({ height: SIZE, width: SIZE, input, count, outputs: [probabilities, logits] })).toBe(true);
  return { probabilities, logits };
}

describe.skipIf(!hasShared)(`goldens${needsShared}`, () => {
  const goldens = hasShared ? readSharedJson<Goldens>('goldens', 'goldens.json') : { images: [], models: {} };
  const inputs = hasShared ? readShared('goldens', 'inputs.u8') : new Uint8Array();
  const count = goldens.images.length;
  const isas = native().isas().available;

  for (const precision of ['uint8', 'int8'] as const) {
    const golden = goldens.models[precision];
    if (golden === undefined) continue;
    const signed = precision === 'int8' ? 128 : 0;

    it.each(isas)(`${precision} logits and probabilities, bit for bit, on %s`, async (isa) => {
      const spec = readModel(golden);
      const [scale, zeroPoint] = golden.logits_quantization;
      const wantLogits = readShared('goldens', golden.logits);
      const wantProbabilities = readShared('goldens', golden.probs);
      for (const threads of [1, 2]) {
        const { probabilities, logits } = await run(spec, isa, inputFor(spec, inputs), count, threads);
        // Back to the file's integers, as the unsigned bytes that the golden files hold.
        const gotLogits = Uint8Array.from(logits, (v) => Math.round(v / scale) + zeroPoint);
        expect(Buffer.compare(gotLogits, wantLogits)).toBe(0);
        const gotProbabilities = Uint8Array.from(probabilities, (p) => p * 256 - signed);
        expect(Buffer.compare(gotProbabilities, wantProbabilities)).toBe(0);
      }
      const parrot = goldens.images.indexOf('parrot.jpg');
      const one = inputFor(spec, inputs.subarray(parrot * IMAGE_BYTES, (parrot + 1) * IMAGE_BYTES));
      const shared = await run(spec, isa, one, 1, 3);
      const gotOne = Uint8Array.from(shared.logits, (v) => Math.round(v / scale) + zeroPoint);
      expect(Buffer.compare(gotOne, wantLogits.subarray(parrot * CLASSES, (parrot + 1) * CLASSES))).toBe(0);
    });

    it(`${precision} layers of the scalar reference, bit for bit`, async () => {
      const layers = readSharedJson<LayerGolden[]>('goldens', `parrot_${precision}_layers.json`);
      const want = readShared('goldens', `parrot_${precision}_layers.bin`);
      const spec = readModel(golden);
      const engine = new Engine(spec, { isa: 'scalar', threads: 1 });
      const rows = new Map<string, Buffer[]>();
      const parrot = goldens.images.indexOf('parrot.jpg');
      const input = inputFor(spec, inputs.subarray(parrot * IMAGE_BYTES, (parrot + 1) * IMAGE_BYTES));
      await engine.trace(SIZE, SIZE, input, (op, layer, row, bytes) => {
        const key = `${op} ${layer}`;
        const list = rows.get(key) ?? [];
        if (list.length === 0) rows.set(key, list);
        list[row] = Buffer.from(bytes);
      });
      // In order of execution: by op, then by layer within the op.
      const order = ['stem', 'expand', 'depthwise', 'project', 'residual', 'pointwise', 'pool', 'dense', 'softmax'];
      const rank = (key: string) => Number(key.split(' ')[0]) * 100 + order.indexOf(key.split(' ')[1] as string);
      const got = [...rows.keys()]
        .sort((a, b) => rank(a) - rank(b))
        .map((key) => Buffer.concat(rows.get(key) as Buffer[]));
      const wanted = layers.filter((layer) => !['RESHAPE', 'SQUEEZE'].includes(layer.op));
      expect(got.length).toBe(wanted.length);
      wanted.forEach((layer, k) => {
        const length = layer.shape.reduce((a, b) => a * b, 1);
        const bytes = want.subarray(layer.offset, layer.offset + length);
        const unsigned = signed === 0 ? bytes : Uint8Array.from(bytes, (b) => b ^ 0x80);
        const same = Buffer.compare(got[k] as Buffer, unsigned) === 0;
        expect(same, `layer ${k}, ${layer.op} ${layer.name}`).toBe(true);
      });
    });
  }

  it.each(isas)('float logits within 1e-4 on %s, the same for every thread count', async (isa) => {
    const golden = goldens.models.float as Goldens['models'][string];
    const spec = readModel(golden);
    const want = readSharedFloats('goldens', golden.logits);
    const one = await run(spec, isa, inputFor(spec, inputs), count, 1);
    const worst = one.logits.reduce((max, v, i) => Math.max(max, Math.abs(v - (want[i] as number))), 0);
    expect(worst).toBeLessThan(1e-4);
    const parrot = inputFor(spec, inputs.subarray(6 * IMAGE_BYTES, 7 * IMAGE_BYTES));
    const alone = await run(spec, isa, parrot, 1, 1);
    for (const threads of [2, 3]) {
      expect((await run(spec, isa, parrot, 1, threads)).logits).toEqual(alone.logits);
    }
  });
});
