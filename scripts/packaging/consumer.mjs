// What a user's program does; check.mjs copies it into an empty project. Prints one JSON line.
//   node consumer.mjs MODEL IMAGE [SIDE]     with SIDE: IMAGE holds the raw RGB pixels of a square
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import { MobileNetV2 } from 'mobilenetv2';

async function classify([model, path, side]) {
  const image = side ? { data: readFileSync(path), width: Number(side), height: Number(side), channels: 3 } : path;
  const classifier = await MobileNetV2.load(model);
  const [{ label, probability }] = await classifier.classify(image);
  await classifier.close();
  return { label, probability };
}

function inWorker(args) {
  return new Promise((resolve, reject) => {
    new Worker(new URL(import.meta.url), { workerData: args }).once('message', resolve).once('error', reject);
  });
}

if (isMainThread) {
  const args = process.argv.slice(2);
  const required = createRequire(import.meta.url)('mobilenetv2').MobileNetV2;
  const main = await classify(args);
  const workers = await Promise.all([inWorker(args), inWorker(args)]);
  const same = workers.every((result) => result.label === main.label && result.probability === main.probability);
  console.log(
    JSON.stringify({ ...main, arch: process.arch, node: process.version, required: required === MobileNetV2, same }),
  );
} else {
  const { parentPort } = await import('node:worker_threads');
  parentPort.postMessage(await classify(workerData));
}
