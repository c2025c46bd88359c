// npm run demo: a photo and real weights that npm packages ship, through the public API.
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { setUp } from './build.mjs';
import { root, runScript } from './setup.mjs';

const photo = join(root, 'node_modules', 'baboon-image', 'baboon.png');

/** Where an ImageNet model may be without asking the network: [model, labels], or null. */
async function findImageNet(fetchModel) {
  const file = 'mobilenet_v2_1.0_224_quant.tflite';
  for (const path of [process.env.MOBILENETV2_IMAGENET, join(root, '..', 'shared', 'models', 'imagenet', file)]) {
    if (!path || !existsSync(path)) continue;
    const labels = ['imagenet_labels.txt', 'labels.txt'].map((name) => join(dirname(path), name)).find(existsSync);
    return [path, labels];
  }
  try {
    const { model, labels } = await fetchModel('imagenet', { localOnly: true });
    return [model.path, labels?.path];
  } catch {
    return null; // not in the cache
  }
}

function printTable(predictions) {
  const names = predictions.map(({ label, index }) => label ?? `class ${index}`);
  const width = Math.max(...names.map((name) => name.length));
  predictions.forEach(({ probability }, i) => {
    const bar = '#'.repeat(Math.round(probability * 40));
    console.log(`  ${names[i].padEnd(width)}  ${(probability * 100).toFixed(1).padStart(5)} %  ${bar}`.trimEnd());
  });
}

async function show(title, model, image) {
  await model.classify(image); // warm-up: packs weights into caches, starts threads
  const started = performance.now();
  const predictions = await model.classify(image, { topK: 5 });
  const ms = performance.now() - started;
  const { precision, input, classes, isa, threads, arena } = model.info;
  console.log(`\n${title}: ${precision}, ${input.width}x${input.height}, ${classes} classes`);
  printTable(predictions);
  console.log(`  one inference ${ms.toFixed(1)} ms (pixels to labels, after one warm-up; ${isa}, threads: ${threads})`);
  console.log(`  arena ${(arena.bytes / 1024).toFixed(0)} KB`);
  await model.close();
}

await runScript(async () => {
  await setUp();
  const { MobileNetV2, fetchModel } = await import(pathToFileURL(join(root, 'dist', 'index.js')).href);
  const { default: sharp } = await import('sharp');
  const { data, info } = await sharp(photo).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  const image = { data, width: info.width, height: info.height, channels: info.channels };

  console.log(`${photo.slice(root.length)}, ${image.width}x${image.height}`);
  await show('nsfwjs (content moderation)', await MobileNetV2.load('nsfwjs'), image);

  const imageNet = await findImageNet(fetchModel);
  if (imageNet) {
    const [path, labels] = imageNet;
    await show('ImageNet', await MobileNetV2.load(path, { preprocess: 'tf', ...(labels && { labels }) }), image);
  } else {
    console.log('\nFor ImageNet labels too: node dist/cli.js fetch imagenet (3.6 MB, once), then npm run demo again.');
  }
});
