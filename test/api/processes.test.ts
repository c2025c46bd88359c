/** How processes and worker threads end while models are open or busy; each case in processes of its own, on dist/. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NODE_FLAGS } from '../support/node-flags.js';
import { repositoryRoot } from '../support/shared.js';

const dist = join(repositoryRoot, 'dist');

/** Begins every program. */
const PRELUDE = `
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { MobileNetV2 } from ${JSON.stringify(join(dist, 'index.js'))};
import { seededModel } from ${JSON.stringify(join(dist, 'tools', 'seeded-model.js'))};
const SIZE = 96;
const load = (precision = 'float32') =>
  MobileNetV2.fromSpec(seededModel({ family: 'mobilenet_v2', width: 0.35, size: SIZE, classes: 10, precision }), { threads: 2 });
const image = (i = 0) => ({ data: new Uint8Array(SIZE * SIZE * 3).fill(i), width: SIZE, height: SIZE, channels: 3 });
const batch = (n) => new Float32Array(n * SIZE * SIZE * 3);
const inferForever = async (model) => {
  for (const images = batch(500); ; ) await model.infer(images);
};
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const message = (worker) => new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
const start = (data) => new Worker(new URL(import.meta.url), { workerData: data });
`;

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'mobilenetv2-processes-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

interface Ended {
  readonly status: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

function write(name: string, program: string): string {
  const file = join(directory, `${name}.mjs`);
  writeFileSync(file, PRELUDE + program);
  return file;
}

function run(file: string, ...args: string[]): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [...NODE_FLAGS, file, ...args], { timeout: 60_000 });
    const [stdout, stderr]: Buffer[][] = [[], []];
    child.stdout.on('data', (data: Buffer) => stdout?.push(data));
    child.stderr.on('data', (data: Buffer) => stderr?.push(data));
    child.on('close', (status, signal) => {
      const text = (parts: Buffer[] | undefined) => Buffer.concat(parts ?? []).toString();
      resolve({ status, signal, stdout: text(stdout), stderr: text(stderr) });
    });
  });
}

const ended = (stdout: string, status = 0): Ended => ({ status, signal: null, stdout: `${stdout}\n`, stderr: '' });

describe('a process', { timeout: 90_000 }, () => {
  it('ends by itself with an idle model that nobody closed, and after all that is under way', async () => {
    const idle = write('idle', `const model = await load(); await model.classify(image()); console.log('idle');`);
    expect(await run(idle)).toEqual(ended('idle'));
    const unused = write('unused', `const model = await load(); console.log('unused');`);
    expect(await run(unused)).toEqual(ended('unused'));
    const last = write(
      'last',
      `const model = await load(); model.infer(batch(20)).then((out) => console.log(out.length));`,
    );
    expect(await run(last)).toEqual(ended('200'));
  });

  it('exits in the middle of an inference with the code it was given, 20 times', async () => {
    const file = write(
      'exit',
      `
      const model = await load();
      await model.classify(image()); // the threads exist
      inferForever(model);
      for (let i = 0; i < 20; i++) model.classify(image(i));
      setTimeout(() => {
        console.log('exits');
        process.exit(7);
      }, Number(process.argv[2]));`,
    );
    for (let i = 0; i < 20; i += 2) {
      const both = await Promise.all([run(file, String(i)), run(file, String(i + 1))]);
      expect(both).toEqual([ended('exits', 7), ended('exits', 7)]);
    }
  });

  it('reports an error that nobody catches in the middle of an inference, and ends with code 1', async () => {
    const file = write(
      'uncaught',
      `const model = await load(); inferForever(model); setTimeout(() => { throw new Error('mine'); }, 10);`,
    );
    const { status, signal, stderr } = await run(file);
    expect({ status, signal }).toEqual({ status: 1, signal: null });
    expect(stderr).toContain('Error: mine');
  });
});

describe('worker threads', { timeout: 90_000 }, () => {
  it('run models side by side and agree with the main thread', async () => {
    const file = write(
      'side-by-side',
      `
      const results = async () => {
        const model = await load();
        const all = await Promise.all(Array.from({ length: 8 }, (_, i) => model.classify(image(i * 30))));
        await model.close();
        return JSON.stringify(all);
      };
      if (isMainThread) {
        const workers = [1, 2, 3, 4].map(start);
        const [own, ...others] = await Promise.all([results(), ...workers.map(message)]);
        console.log(others.every((other) => other === own) ? 'equal' : 'different');
      } else {
        parentPort.postMessage(await results());
      }`,
    );
    expect(await run(file)).toEqual(ended('equal'));
  });

  it('may be terminated in the middle of anything, 60 times, and the process goes on', async () => {
    const file = write(
      'terminate',
      `
      if (isMainThread) {
        for (let round = 0; round < 20; round++) {
          const workers = ['float32', 'int8', 'float32'].map(start);
          await Promise.all(workers.map(message));
          await sleep(round * 1.3);
          await Promise.all(workers.map((worker) => worker.terminate()));
        }
        const model = await load();
        console.log((await model.classify(image())).length);
      } else {
        parentPort.postMessage('begins');
        for (;;) {
          const model = await load(workerData);
          await Promise.all([model.infer(batch(3)), model.classifyBatch([1, 2, 3, 4].map(image)), model.embed(image())]);
          await model.close();
        }
      }`,
    );
    expect(await run(file)).toEqual(ended('5'));
  });

  it('may exit in the middle of an inference', async () => {
    const file = write(
      'worker-exit',
      `
      if (isMainThread) {
        const codes = [];
        for (let i = 0; i < 10; i++) {
          const worker = start(i);
          codes.push(await new Promise((resolve) => worker.once('exit', resolve)));
        }
        console.log(codes.join(' '));
      } else {
        const model = await load();
        inferForever(model);
        setTimeout(() => process.exit(workerData), workerData * 2);
      }`,
    );
    expect(await run(file)).toEqual(ended('0 1 2 3 4 5 6 7 8 9'));
  });

  it('may be the only ones that load the addon, one after the other', async () => {
    // Ending the only environment that loaded an addon unmaps it, unless it is linked to stay.
    const file = join(directory, 'only.mjs');
    const inner = write(
      'only-inner',
      `
      const model = await load();
      await model.classify(image());
      if (workerData) await model.close();
      parentPort.postMessage('done');`,
    );
    writeFileSync(
      file,
      `
      import { Worker } from 'node:worker_threads';
      for (let i = 0; i < 8; i++) {
        const worker = new Worker(${JSON.stringify(inner)}, { workerData: i % 2 });
        const code = await new Promise((resolve, reject) => worker.once('exit', resolve).once('error', reject));
        if (code !== 0) throw new Error('code ' + code);
        await new Promise((resolve) => setTimeout(resolve, 20)); // pool threads wake up in the meantime
      }
      console.log('done');`,
    );
    expect(await run(file)).toEqual(ended('done'));
  });
});
