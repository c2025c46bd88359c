// A model in several worker threads. One is enough to use all cores, for inference has threads of its own; workers are
// for JavaScript of yours that would block the event loop. Packed weights are shared between them.
//
//   node examples/worker-threads.mjs WORKERS MODEL IMAGE...
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { MobileNetV2 } from 'mobilenetv2';

async function main([workers = '2', source = 'imagenet', ...images]) {
  const waiting = images.map((image, number) => ({ image, number }));
  const labels = [];
  const serve = () =>
    new Promise((resolve, reject) => {
      const worker = new Worker(new URL(import.meta.url), { workerData: { source } });
      const next = () => worker.postMessage(waiting.shift() ?? null); // null: no more work
      worker.on('message', (result) => {
        if (result !== 'ready') labels[result.number] = result.text;
        next();
      });
      worker.once('error', reject).once('exit', resolve);
    });
  await Promise.all(Array.from({ length: Number(workers) }, serve));
  labels.forEach((label, number) => {
    console.log(`${images[number]}: ${label}`);
  });
}

async function work({ source }) {
  const model = await MobileNetV2.load(source);
  parentPort.on('message', async (job) => {
    if (job === null) {
      parentPort.close();
      await model.close();
      return;
    }
    const text = await model.classify(job.image, { topK: 1 }).then(
      ([best]) => best.label ?? `class ${best.index}`,
      (error) => error.code,
    );
    parentPort.postMessage({ number: job.number, text });
  });
  parentPort.postMessage('ready');
}

await (isMainThread ? main(process.argv.slice(2)) : work(workerData));
