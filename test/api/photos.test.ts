/** Real photos through real models give the labels they should. */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readNsfwjsPackage } from '../../lib/formats/nsfwjs.js';
import { MobileNetV2 } from '../../lib/index.js';
import { hasShared, needsShared, repositoryRoot, shared } from '../support/shared.js';

const LABELS = shared('models', 'imagenet', 'labels.txt');
/** Top-1 by raw output index, as TFLite gives it; the two quantisations differ from float in one photo. */
const TOP1 = {
  'cat.png': 286,
  'cat_1080p.jpg': 286,
  'dragonfly.png': 320,
  'grace_hopper.png': { quant: 653, int8: 668, float: 668 },
  'hot_dog.jpg': 935,
  'owl.jpg': 83,
  'parrot.jpg': 89,
  'sunflower.png': 986,
};

describe.skipIf(!hasShared)(`photos${needsShared}`, () => {
  it.each(['quant', 'int8', 'float'] as const)('are recognised by the ImageNet model, %s', async (kind) => {
    const path = shared('models', 'imagenet', `mobilenet_v2_1.0_224_${kind}.tflite`);
    const model = await MobileNetV2.load(path, { labels: LABELS });
    for (const [name, index] of Object.entries(TOP1)) {
      const [best] = await model.classify(shared('images', name), { topK: 1 });
      expect(best?.index, name).toBe(typeof index === 'number' ? index : index[kind]);
    }
    const [parrot] = await model.classify(shared('images', 'parrot.jpg'));
    expect(parrot).toMatchObject({ index: 89, label: 'macaw' });
    expect(parrot?.probability).toBeGreaterThan(0.9);
    await model.close();
  });

  it('are recognised by MobileNetV1 too', async () => {
    const model = await MobileNetV2.load(shared('models', 'mobilenet_v1', 'mobilenet_v1_0.75_192_quant.tflite'), {
      labels: LABELS,
    });
    expect(model.info).toMatchObject({ family: 'mobilenet_v1', precision: 'uint8', classes: 1001 });
    const [best] = await model.classify(shared('images', 'parrot.jpg'));
    expect(best).toMatchObject({ index: 89, label: 'macaw' });
    await model.close();
  });

  it('run through a Teachable Machine export with its own labels, spelt as the file does, and recipe', async () => {
    const model = await MobileNetV2.load(shared('models', 'teachable-machine'));
    expect(model.info).toMatchObject({ format: 'tfjs-layers', classes: 3, preprocess: 'teachable-machine' });
    const result = await model.classify(shared('images', 'owl.jpg'));
    expect(result.map(({ label }) => label).sort()).toEqual([
      'Heavy Pollution',
      'Light Pollution',
      'Moderate Pollution ',
    ]);
    expect(result.reduce((sum, { probability }) => sum + probability, 0)).toBeCloseTo(1, 5);
    await model.close();
  });

  it('a quantised file run in float stays close to the float file', async () => {
    const [quantised, float] = await Promise.all([
      MobileNetV2.load(shared('models', 'imagenet', 'mobilenet_v2_1.0_224_quant.tflite'), { precision: 'float32' }),
      MobileNetV2.load(shared('models', 'imagenet', 'mobilenet_v2_1.0_224_float.tflite')),
    ]);
    expect(quantised.info.precision).toBe('float32');
    const image = shared('images', 'cat.png');
    const [a, b] = await Promise.all([quantised.classify(image), float.classify(image)]);
    a.forEach((result, i) => {
      expect(result.index).toBe(b[i]?.index);
      expect(result.probability).toBeCloseTo(b[i]?.probability ?? Number.NaN, 3);
    });
    await Promise.all([quantised.close(), float.close()]);
  });
});

describe('the weights of nsfwjs', () => {
  const baboon = join(repositoryRoot, 'node_modules', 'baboon-image', 'baboon.png');

  it('find a photo of a baboon harmless', async () => {
    const model = await MobileNetV2.load('nsfwjs');
    const [best] = await model.classify(baboon);
    expect(best).toMatchObject({ label: 'Neutral' });
    expect(best?.probability).toBeGreaterThan(0.9);
    await model.close();
  });

  it('give what TensorFlow.js gives', { timeout: 60_000 }, async () => {
    const fromNsfwjs = createRequire(createRequire(import.meta.url).resolve('nsfwjs'));
    const tf = fromNsfwjs('@tensorflow/tfjs');
    await tf.setBackend('cpu');
    const spec = await readNsfwjsPackage();
    const { height, width } = spec.input;
    // Small values keep TensorFlow.js' slow CPU backend to one pass; any input will do.
    const input = Float32Array.from({ length: height * width * 3 }, (_, i) => ((i * 7919) % 256) / 255);
    const model = await MobileNetV2.load('nsfwjs');
    const ours = await model.infer(input);
    await model.close();

    // The package's own bundles, read by TensorFlow.js from memory.
    const folder = join(repositoryRoot, 'node_modules', 'nsfwjs', 'dist', 'models', 'mobilenet_v2');
    const require = createRequire(import.meta.url);
    const bundle = (name: string) => require(join(folder, name)) as Record<string, unknown> & { default?: unknown };
    const json = bundle('model.min.js');
    const shard = bundle('group1-shard1of1.min.js');
    const modelJson = (json.default ?? json) as { modelTopology: object; weightsManifest: { weights: object[] }[] };
    const weightData = Buffer.from((shard.default ?? shard) as string, 'base64');
    const layers = await tf.loadLayersModel(
      tf.io.fromMemory({
        modelTopology: modelJson.modelTopology,
        weightSpecs: modelJson.weightsManifest.flatMap(({ weights }) => weights),
        weightData: Uint8Array.from(weightData).buffer,
      }),
    );
    const theirs = layers.predict(tf.tensor(input, [1, height, width, 3])).dataSync() as Float32Array;
    expect(ours.length).toBe(theirs.length);
    for (const [i, p] of ours.entries()) expect(p).toBeCloseTo(theirs[i] as number, 4);
  });
});
