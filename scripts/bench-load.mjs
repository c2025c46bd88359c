// npm run bench:load: from the start of a process to its first output on a ready tensor, less Node's own start, beside
// onnxruntime-node with the same network. Whole processes, in turns, so that all see the same machine: none decodes an
// image, and each reads its model from a file and runs it on a tensor of zeros with its default threads.
//
//   --ours MODEL     a model file of ours, --theirs MODEL the same network as ONNX
//                    (default: the int8 and the float file in ../shared/models/imagenet)
//   --rounds N       processes of each (default 15)
//   --peers DIR      where the peers are installed on demand (default: the user's cache folder); --no-peers: without
//   --json           one JSON object
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { setUp } from './build.mjs';
import { installPeers, median, peersFolder } from './peers.mjs';
import { root, runScript, SetupError } from './setup.mjs';

const { values: options } = parseArgs({
  options: {
    ours: { type: 'string' },
    theirs: { type: 'string' },
    rounds: { type: 'string', default: '15' },
    peers: { type: 'string', default: peersFolder },
    'no-peers': { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});
const say = options.json ? () => {} : console.log;

/** Programs for `node -e`, which start by the cheapest way each package has. All say one byte when they are done. */
const DONE = "require('node:fs').writeSync(1, '.')";
const PROGRAMS = {
  'bare Node': () => DONE,
  mobilenetv2: ({ ours, tensor }) => `
    import(${quoted(pathToFileURL(join(root, 'dist', 'index.js')))}).then(async ({ MobileNetV2 }) => {
      const model = await MobileNetV2.load(${quoted(ours)});
      await model.infer(new ${tensor.type}(${tensor.length}));
      ${DONE};
    });`,
  'onnxruntime-node': ({ theirs, tensor, dims }) => `
    const ort = require(${quoted(createRequire(join(options.peers, 'x.js')).resolve('onnxruntime-node'))});
    ort.InferenceSession.create(${quoted(theirs)}).then(async (session) => {
      const input = new ort.Tensor('float32', new Float32Array(${tensor.length}), ${JSON.stringify(dims)});
      await session.run({ [session.inputNames[0]]: input });
      ${DONE};
    });`,
};

/** The tensor that runs, which whoever has one ready knows the shape of. */
async function withTensor(network) {
  const { MobileNetV2 } = await import('../dist/index.js');
  const model = await MobileNetV2.load(network.ours);
  const { input, precision } = model.info;
  await model.close();
  const { height, width } = input;
  const type = { float32: 'Float32Array', int8: 'Int8Array', uint8: 'Uint8Array' }[precision];
  return { ...network, tensor: { type, length: height * width * 3 }, dims: [1, 3, height, width] };
}

function quoted(value) {
  return JSON.stringify(String(value));
}

/** Milliseconds from starting the process to its byte. */
function start(name, program) {
  return new Promise((resolve, reject) => {
    const started = performance.now();
    const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
    let elapsed = null;
    child.stdout.once('data', () => {
      elapsed = performance.now() - started;
    });
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0 && elapsed !== null) resolve(elapsed);
      else reject(new SetupError(`${name} ended with ${code}`));
    });
  });
}

function networks() {
  if (options.ours !== undefined || options.theirs !== undefined) {
    if (options.ours === undefined || (options.theirs === undefined && !options['no-peers'])) {
      throw new SetupError('--ours and --theirs are one network in two files: give both');
    }
    return [{ name: options.ours, ours: options.ours, theirs: options.theirs }];
  }
  const file = (rest) => join(root, '..', 'shared', 'models', 'imagenet', `mobilenet_v2_1.0_224_${rest}`);
  const found = [
    { name: 'int8', ours: file('int8.tflite'), theirs: file('qdq.onnx') },
    { name: 'float32', ours: file('float.tflite'), theirs: file('float.onnx') },
  ].filter(({ ours, theirs }) => existsSync(ours) && existsSync(theirs));
  if (found.length === 0) throw new SetupError('no models in ../shared/models/imagenet: give --ours and --theirs');
  return found;
}

/** Least and median of each; those of Node alone are taken off the others. */
async function measure(network) {
  const names = Object.keys(PROGRAMS).filter((name) => name !== 'onnxruntime-node' || !options['no-peers']);
  const times = Object.fromEntries(names.map((name) => [name, []]));
  for (let round = 0; round <= Number(options.rounds); round++) {
    for (const name of names) {
      const elapsed = await start(name, PROGRAMS[name](network));
      if (round > 0) times[name].push(elapsed); // the first reads files that no cache has yet
    }
  }
  const bare = { least: Math.min(...times['bare Node']), median: median(times['bare Node']) };
  const net = (name) => ({ least: Math.min(...times[name]) - bare.least, median: median(times[name]) - bare.median });
  const rest = names.filter((name) => name !== 'bare Node');
  return { network: network.name, bareNodeMs: bare, netMs: Object.fromEntries(rest.map((name) => [name, net(name)])) };
}

function print({ network, bareNodeMs, netMs }) {
  const line = (name, { least, median }) =>
    say(`  ${name.padEnd(28)}${least.toFixed(1).padStart(8)}${median.toFixed(1).padStart(8)}`);
  say(`\n${network}`.padEnd(31) + 'least  median (ms)'.padStart(19));
  line('bare Node', bareNodeMs);
  for (const [name, net] of Object.entries(netMs)) line(`${name}, less that`, net);
  const { mobilenetv2: ours, 'onnxruntime-node': theirs } = netMs;
  if (theirs) line('ours / theirs (%)', percent(ours, theirs));
}

function percent(ours, theirs) {
  return { least: (100 * ours.least) / theirs.least, median: (100 * ours.median) / theirs.median };
}

await runScript(async () => {
  const wanted = networks();
  if (!options.json) await setUp();
  if (!options['no-peers']) installPeers(options.peers, say);
  const results = [];
  for (const network of wanted) {
    results.push(await measure(await withTensor(network)));
    if (!options.json) print(results.at(-1));
  }
  if (options.json) console.log(JSON.stringify({ threads: availableParallelism(), results }));
});
