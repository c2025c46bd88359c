// Times all networks in turns in one run, so that all see the same machine.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import envPaths from 'env-paths';
import { root } from '../setup.mjs';

const RUNTIME = 'onnxruntime-node@1.30.0';
const WARM_UP = 3;

/**
 * ONNX Runtime from the repository, or from a cache folder outside it, where it is put once: it unpacks to 300 MB.
 * Null, with the reason on stderr, when it is not to be had.
 */
export function findOnnxRuntime({ install }) {
  const folder = join(envPaths('mobilenetv2', { suffix: '' }).cache, 'onnxruntime');
  for (const place of [root, folder]) {
    try {
      return createRequire(join(place, 'package.json'))('onnxruntime-node');
    } catch {
      // not there
    }
  }
  if (!install) return null;
  console.error(`Installing ${RUNTIME} into ${folder}, once (300 MB) ...`);
  mkdirSync(folder, { recursive: true });
  // Its install script fetches GPU libraries; the CPU's are in the package.
  const args = ['install', '--prefix', folder, '--ignore-scripts', '--no-audit', '--no-fund', RUNTIME];
  const npm = process.env.npm_execpath;
  const result = npm?.endsWith('.js')
    ? spawnSync(process.execPath, [npm, ...args], { encoding: 'utf8', cwd: folder })
    : spawnSync('npm', args, { encoding: 'utf8', cwd: folder, shell: process.platform === 'win32' });
  if (result.status === 0 && existsSync(join(folder, 'node_modules'))) return findOnnxRuntime({ install: false });
  console.error(
    `${RUNTIME} could not be installed: ${(result.stderr ?? result.error?.message ?? '').trim().split('\n')[0]}`,
  );
  return null;
}

async function loader(path) {
  return import(pathToFileURL(join(root, 'dist', ...path.split('/'))).href);
}

/** A function that runs one image on one thread. */
async function runnerOf({ spec, graph }, onnxRuntime) {
  if (spec) {
    const { MobileNetV2 } = await loader('index.js');
    const model = await MobileNetV2.fromSpec(spec, { threads: 1 });
    const input = new Float32Array(spec.input.height * spec.input.width * 3).fill(0.5);
    const output = new Float32Array(model.info.classes);
    return { run: () => model.infer(input, { output }), close: () => model.close() };
  }
  if (onnxRuntime === null) return null;
  const { encodeOnnx } = await loader('tools/onnx/graph.js');
  const session = await onnxRuntime.InferenceSession.create(await encodeOnnx(graph), {
    executionProviders: ['cpu'],
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
  });
  const { name, dims } = graph.input;
  const values = new Float32Array(dims.reduce((product, dim) => product * dim, 1)).fill(0.5);
  const feeds = { [name]: new onnxRuntime.Tensor('float32', values, dims) };
  return { run: () => session.run(feeds), close: () => session.release() };
}

/**
 * Median milliseconds of each built network, null for those without an engine here.
 *
 * @param seconds of measuring per network, in `rounds` turns.
 */
export async function measureLatencies(built, onnxRuntime, { seconds = 2, rounds = 8 } = {}) {
  const runners = [];
  for (const system of built) runners.push(await runnerOf(system, onnxRuntime));
  const times = built.map(() => []);
  for (const runner of runners) for (let i = 0; runner && i < WARM_UP; i++) await runner.run();
  for (let round = 0; round < rounds; round++) {
    for (const [i, runner] of runners.entries()) {
      if (runner === null) continue;
      const end = performance.now() + (seconds * 1000) / rounds;
      do {
        const started = performance.now();
        await runner.run();
        times[i].push(performance.now() - started);
      } while (performance.now() < end);
    }
  }
  for (const runner of runners) await runner?.close();
  const { median } = await loader('tools/statistics.js');
  return times.map((list) => (list.length > 0 ? median(list) : null));
}
