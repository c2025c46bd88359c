/** Memory and lifetimes, each in a process of its own on the built package. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NODE_FLAGS } from '../support/node-flags.js';
import { repositoryRoot } from '../support/shared.js';

const dist = join(repositoryRoot, 'dist');

/** Begins every program: a seeded network of some 14 MB of float weights, and the resident memory in MB. */
const PRELUDE = `
import { MobileNetV2 } from ${JSON.stringify(join(dist, 'index.js'))};
import { seededModel } from ${JSON.stringify(join(dist, 'tools', 'seeded-model.js'))};
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
const load = (size = 32, options = {}) =>
  MobileNetV2.fromSpec(seededModel({ family: 'mobilenet_v2', width: 1, size }), { threads: 2, ...options },
    async () => seededModel({ family: 'mobilenet_v2', width: 1, size }));
const image = { data: new Uint8Array(32 * 32 * 3).fill(77), width: 32, height: 32, channels: 3 };
const residentMb = () => {
  globalThis.gc?.();
  return process.memoryUsage.rss() / 2 ** 20;
};
`;

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'mobilenetv2-lifetime-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

/** Runs an ES module and returns what it printed, as JSON. */
function run<T>(name: string, program: string): T {
  const file = join(directory, `${name}.mjs`);
  writeFileSync(file, PRELUDE + program);
  // glibc keeps what threads have freed, by up to 100 MB; so told it gives large blocks back at once.
  const env = { ...process.env, MALLOC_ARENA_MAX: '1', MALLOC_MMAP_THRESHOLD_: '65536' };
  const args = [...NODE_FLAGS, '--expose-gc', file];
  const result = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 60_000, env });
  expect({ status: result.status, stderr: result.stderr }).toEqual({ status: 0, stderr: '' });
  return JSON.parse(result.stdout) as T;
}

describe('memory', () => {
  it('of models that nobody closes goes back when they are collected', () => {
    const { before, after } = run<{ before: number; after: number }>(
      'collected',
      `
      const loadAndForget = async (seed) => {
        const spec = seededModel({ family: 'mobilenet_v2', width: 1, size: 32, seed });
        const model = await MobileNetV2.fromSpec(spec, { threads: 2 });
        await model.classify(image);
      };
      for (let i = 0; i < 3; i++) await loadAndForget(i);
      for (let i = 0; i < 3; i++, await sleep(10)) gc();
      const before = residentMb();
      for (let i = 3; i < 13; i++) { // different weights: none can be shared
        await loadAndForget(i);
        gc();
        await sleep(10);
      }
      for (let i = 0; i < 3; i++, await sleep(10)) gc();
      console.log(JSON.stringify({ before, after: residentMb() }));`,
    );
    expect(after - before).toBeLessThan(50); // ten models' packed weights are 140 MB
  });

  it('of packed weights is shared by models that load the same network', () => {
    const { first, others } = run<{ first: number; others: number }>(
      'shared',
      `
      const warm = await load(); // allocators and compilers have grown
      await warm.close();
      const models = [];
      for (let i = 0; i < 3; i++, await sleep(10)) gc();
      const before = residentMb();
      models.push(await load());
      for (let i = 0; i < 3; i++, await sleep(10)) gc();
      const first = residentMb();
      for (let i = 0; i < 8; i++) models.push(await load());
      for (let i = 0; i < 3; i++, await sleep(10)) gc();
      console.log(JSON.stringify({ first: first - before, others: residentMb() - first }));
      const results = await Promise.all(models.map((model) => model.classify(image)));
      if (new Set(results.map((result) => JSON.stringify(result))).size !== 1) throw new Error('they differ');
      for (const model of models) await model.close();`,
    );
    expect(first).toBeLessThan(60);
    expect(others).toBeLessThan(56); // 8 x 14 MB of their own would be 112
  });

  it('of packed weights is shared between worker threads', () => {
    const { workers, perWorker } = run<{ workers: number; perWorker: number }>(
      'workers',
      `
      import { isMainThread, parentPort, Worker } from 'node:worker_threads';
      if (isMainThread) {
        const start = (task) => new Promise((resolve, reject) => {
          const worker = new Worker(new URL(import.meta.url), { argv: [task] });
          worker.once('message', () => resolve(worker)).once('error', reject);
        });
        const grown = async (task) => {
          const running = [await start(task)];
          const before = residentMb();
          for (let i = 0; i < 5; i++) running.push(await start(task));
          const growth = residentMb() - before;
          await Promise.all(running.map((worker) => worker.terminate()));
          return growth / 5;
        };
        const idle = await grown('idle'); // what a worker takes that only makes the weights
        const loading = await grown('load');
        console.log(JSON.stringify({ workers: 5, perWorker: loading - idle }));
      } else {
        const make = () => seededModel({ family: 'mobilenet_v2', width: 1, size: 32 }).source;
        if (process.argv[2] === 'idle') make();
        else globalThis.model = await load();
        for (let i = 0; i < 4; i++, await sleep(20)) gc();
        parentPort.postMessage('ready');
        setInterval(() => {}, 1000);
      }`,
    );
    expect(workers).toBe(5);
    expect(perWorker).toBeLessThan(12); // packed weights alone are 14
  });

  it('does not grow over loading and closing', () => {
    const { growth } = run<{ growth: number }>(
      'load-close',
      `
      const spec = seededModel({ family: 'mobilenet_v2', width: 0.35, size: 32, classes: 10 });
      const cycle = async () => {
        const model = await MobileNetV2.fromSpec(spec, { threads: 2 });
        await Promise.all([model.classify(image), model.embed(image), model.classMap(image)]);
        await model.close();
      };
      const leastOver = async (cycles) => {
        let least = Infinity;
        for (let i = 0; i < cycles; i++) {
          await cycle();
          if (i % 10 === 9) least = Math.min(least, residentMb());
        }
        return least;
      };
      const before = await leastOver(60);
      console.log(JSON.stringify({ growth: (await leastOver(60)) - before }));`,
    );
    expect(growth).toBeLessThan(30); // packed weights of 60 would be 150
  });
});

describe('a process', () => {
  it('ends by itself while a model is open, and a stream that nobody finishes', () => {
    expect(
      run(
        'open',
        `
        const model = await load();
        const stream = model.classifyStream(Array(50).fill(image));
        await stream.next();
        console.log(JSON.stringify('done'));`,
      ),
    ).toBe('done');
  });

  it('survives process.exit and worker.terminate in the middle of a batch', () => {
    expect(
      run(
        'terminate',
        `
        import { isMainThread, parentPort, Worker } from 'node:worker_threads';
        const model = await load(160);
        const images = Array(200).fill(image);
        if (isMainThread) {
          for (let i = 0; i < 3; i++) {
            const worker = new Worker(new URL(import.meta.url));
            await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
            await worker.terminate();
          }
          await model.classify(image);
          model.classifyBatch(images);
          console.log(JSON.stringify('exits'));
          setTimeout(() => process.exit(0), 30);
        } else {
          model.classifyBatch(images);
          setTimeout(() => parentPort.postMessage('busy'), 20);
        }`,
      ),
    ).toBe('exits');
  });
});
