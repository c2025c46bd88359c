import { tmpdir } from 'node:os';
import { describe, expect, it, vi } from 'vitest';
import { readModel } from '../../lib/formats/index.js';
import { readNsfwjsPackage } from '../../lib/formats/nsfwjs.js';
import { type ConvSpec, classCount, type ModelSpec, weightedLayers } from '../../lib/model-spec.js';
import { hasSharedModels, sharedModel, skipNote } from './shared-models.js';

vi.setConfig({ testTimeout: 60_000 }); // a busy machine reads megabytes slowly

/** t, c, n, s as in MobileNetV2's table, from the blocks. */
function table(spec: ModelSpec): number[][] {
  const rows: number[][] = [];
  for (const block of spec.blocks) {
    const t = (block.expand?.outChannels ?? block.depthwise.inChannels) / (block.expand ?? block.depthwise).inChannels;
    const c = block.project.outChannels;
    const last = rows.at(-1);
    if (last !== undefined && last[0] === t && last[1] === c && block.depthwise.stride === 1) (last[2] as number)++;
    else rows.push([t, c, 1, block.depthwise.stride]);
  }
  return rows;
}

function widths(factors: readonly number[]): number[][] {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0] = factors;
  return [
    [1, a, 1, 1],
    [6, b, 2, 2],
    [6, c, 3, 2],
    [6, d, 4, 2],
    [6, e, 3, 1],
    [6, f, 3, 2],
    [6, g, 1, 1],
  ];
}

const full = widths([16, 24, 32, 64, 96, 160, 320]);

/** Multiplications of the whole network at its own input size, and its parameters. */
function totals(spec: ModelSpec): { macs: number; parameters: number } {
  let { height, width } = spec.input;
  let macs = 0;
  let parameters = 0;
  const dense = new Set<ConvSpec>(spec.classifier.map((layer) => layer.conv));
  for (const layer of weightedLayers(spec)) {
    height = dense.has(layer) ? 1 : Math.ceil(height / layer.stride);
    width = dense.has(layer) ? 1 : Math.ceil(width / layer.stride);
    macs += height * width * layer.weights.values.length;
    parameters += layer.weights.values.length + layer.weights.bias.length;
  }
  return { macs, parameters };
}

const residuals = (spec: ModelSpec) => spec.blocks.filter((block) => block.residual !== null).length;

describe('nsfwjs, as its npm package ships it', () => {
  it('is MobileNetV2 1.0/224 with three dense layers and five labels', async () => {
    const spec = await readNsfwjsPackage();
    expect(table(spec)).toEqual(full);
    expect(residuals(spec)).toBe(10);
    expect(spec.classifier.map((layer) => [layer.conv.outChannels, layer.conv.activation])).toEqual([
      [256, 'relu'],
      [128, 'relu'],
      [5, 'linear'],
    ]);
    expect(spec.labels).toEqual(['Drawing', 'Hentai', 'Neutral', 'Porn', 'Sexy']);
    expect(spec).toMatchObject({ preprocess: 'nsfwjs', logitsOnly: false, input: { height: 224, width: 224 } });
    expect(spec.source).toMatch(/^nsfwjs \d+\.\d+\.\d+ MobileNetV2$/);
    expect(totals(spec)).toEqual({ macs: 299_855_360, parameters: 2_568_293 });
  });

  it('says how to get it when it is not installed', async () => {
    await expect(readNsfwjsPackage('MobileNetV2', tmpdir())).rejects.toMatchObject({
      code: 'FILE_NOT_FOUND',
      message: expect.stringMatching(/npm install nsfwjs$/),
    });
  });

  it('has two models more, which are no MobileNetV2 in layers', async () => {
    await expect(readNsfwjsPackage('MobileNetV2Mid')).rejects.toMatchObject({
      code: 'MODEL_UNSUPPORTED',
      message: expect.stringMatching(/^nsfwjs .* graph model/),
    });
    await expect(readNsfwjsPackage('InceptionV3')).rejects.toMatchObject({
      code: 'MODEL_UNSUPPORTED',
      message: expect.stringMatching(/layer 0 \('Conv2D' 'conv2d_1'\) does not fit a MobileNet/),
    });
    await expect(readNsfwjsPackage('Other' as never)).rejects.toMatchObject({ code: 'MODEL_UNKNOWN_NAME' });
  });
});

describe.skipIf(!hasSharedModels)(`published model files${skipNote}`, () => {
  const imagenet = (kind: string) => readModel(sharedModel(`imagenet/mobilenet_v2_1.0_224_${kind}.tflite`));

  for (const [kind, precision, pool] of [
    ['quant', 'uint8', 'average'],
    ['int8', 'int8', 'mean'],
    ['float', 'float32', 'mean'],
  ] as const) {
    it(`ImageNet, ${precision}`, async () => {
      const spec = await imagenet(kind);
      expect(spec).toMatchObject({ family: 'mobilenet_v2', precision, logitsOnly: false });
      expect(table(spec)).toEqual(full);
      expect(residuals(spec)).toBe(10);
      expect(classCount(spec)).toBe(1001);
      expect(spec.pool.kind).toBe(pool);
      expect(spec.head?.outChannels).toBe(1280);
      expect(totals(spec)).toEqual({ macs: 300_775_552, parameters: 3_489_097 });
      expect(spec.classifier).toMatchObject([{ rounding: 'double', conv: { inChannels: 1280 } }]);
    });
  }

  it('ImageNet float weights are the uint8 ones dequantised', async () => {
    const [float, quantised] = [await imagenet('float'), await imagenet('quant')];
    const layers = [...weightedLayers(quantised)];
    let compared = 0;
    for (const [i, layer] of [...weightedLayers(float)].entries()) {
      const { weights } = layers[i] as ConvSpec;
      if (weights.kind !== 'quantized') throw new Error('not quantised');
      const scale = weights.scales[0] as number;
      for (let k = 0; k < weights.values.length; k++) {
        const expected = Math.fround(scale * ((weights.values[k] as number) - weights.zeroPoint));
        if (Math.abs((layer.weights.values[k] as number) - expected) > Math.abs(expected) * 1e-6) {
          throw new Error(`${layer.name} [${k}]: ${layer.weights.values[k]}, expected ${expected}`);
        }
        compared++;
      }
    }
    expect(compared).toBe(3_471_040);
  });

  for (const [name, channels, parameters] of [
    ['0.25_128', 256, 467_593],
    ['0.5_160', 512, 1_326_633],
    ['0.75_192', 768, 2_578_121],
  ] as const) {
    it(`MobileNetV1 ${name}`, async () => {
      const spec = await readModel(sharedModel(`mobilenet_v1/mobilenet_v1_${name}_quant.tflite`));
      expect(spec).toMatchObject({ family: 'mobilenet_v1', precision: 'uint8', head: null });
      expect(spec.blocks).toHaveLength(13);
      expect(spec.blocks.at(-1)?.project.outChannels).toBe(channels);
      expect(spec.blocks.filter((block) => block.depthwise.stride === 2)).toHaveLength(4);
      expect(totals(spec).parameters).toBe(parameters);
    });
  }

  it('a Teachable Machine export, by directory and by model.json', async () => {
    const spec = await readModel(sharedModel('teachable-machine'));
    expect(table(spec)).toEqual(widths([8, 8, 16, 24, 32, 56, 112]));
    expect(spec.labels).toEqual(['Light Pollution', 'Moderate Pollution ', 'Heavy Pollution']);
    expect(spec).toMatchObject({ preprocess: 'teachable-machine', input: { height: 224, width: 224 } });
    expect(spec.classifier.map((layer) => [layer.conv.outChannels, layer.conv.activation])).toEqual([
      [100, 'relu'],
      [3, 'linear'],
    ]);
    expect(totals(spec).parameters).toBe(517_491);
    const byFile = await readModel(sharedModel('teachable-machine/model.json'));
    expect(byFile).toMatchObject({ labels: spec.labels, preprocess: spec.preprocess, stem: spec.stem });
  });

  for (const [path, message] of [
    ['imagenet/mobilenet_v2_1.0_224_float.onnx', /is an ONNX model/],
    ['torch/torchvision_0.35_96_37c.onnx', /is an ONNX model/],
    ['torch/torchvision_0.35_96_37c.safetensors', /is a safetensors file/],
    ['keras/keras_0.35_96_11c.h5', /is an HDF5 file/],
    ['keras/keras_0.35_96_11c.keras', /is a zip archive/],
    ['imagenet/labels.txt', /unknown format/],
  ] as const) {
    it(`is not fooled by ${path}`, async () => {
      await expect(readModel(sharedModel(path))).rejects.toMatchObject({
        code: 'MODEL_FORMAT_UNKNOWN',
        message: expect.stringMatching(message),
      });
    });
  }
});
