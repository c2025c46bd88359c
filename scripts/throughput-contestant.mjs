// One engine of bench-throughput.mjs, in a process of its own: told what to run, it answers when it is ready, and then,
// for every 'go', works through the photos once.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import sharp from 'sharp';
import { MobileNetV2 } from '../dist/index.js';
import { loadSeeded } from '../dist/tools/load-seeded.js';
import { encodeOnnx } from '../dist/tools/onnx/graph.js';
import { mobilenetToOnnx } from '../dist/tools/onnx/mobilenet.js';
import { loadOptional } from '../dist/tools/optional-package.js';
import { findTfjs, tfjsNetwork } from '../dist/tools/peers/tfjs.js';
import { readNetwork } from '../dist/tools/read-network.js';

/** Each opens to a function that takes the photos' paths and resolves with their best classes. */
const ENGINES = {
  mobilenetv2: async ({ network, precision, threads }) => {
    const model = network.arch
      ? await loadSeeded(network.arch, precision, { threads })
      : await MobileNetV2.load(network.model, { threads, ...(precision === 'fp32' && { precision: 'float32' }) });
    return {
      run: async (photos) => {
        const best = [];
        for await (const { predictions, error } of model.classifyStream(photos, { topK: 1 })) {
          if (error) throw error;
          best.push(predictions[0].index);
        }
        return best;
      },
    };
  },

  'onnxruntime-node': async ({ network, precision, threads }) => {
    const { exports: ort, version } = await loadOptional('onnxruntime-node', 'this contestant');
    const spec = await readNetwork(network, precision);
    const { height, width } = spec.input;
    const graph = mobilenetToOnnx(spec, 1);
    const session = await ort.InferenceSession.create(await encodeOnnx(graph), { intraOpNumThreads: threads });
    const store = normaliser(spec);
    const classify = async (path) => {
      const pixels = await cropped(path, width, height);
      const input = allocate(spec.precision, pixels.length);
      const plane = width * height;
      for (let p = 0; p < plane; p++) {
        for (let c = 0; c < 3; c++) input[c * plane + p] = store(pixels[p * 3 + c]);
      }
      const feeds = { [graph.input.name]: new ort.Tensor(graph.input.type, input, graph.input.dims) };
      return best((await session.run(feeds))[graph.output.name].data);
    };
    return { version, run: (photos) => severalAtATime(photos, 2 * threads, classify) };
  },

  'tfjs-wasm': async ({ network, threads }) => {
    const { tf, backend, version } = (await findTfjs()) ?? {};
    if (backend !== 'wasm') throw new Error(`TensorFlow.js with its wasm backend is not installed (found: ${backend})`);
    const spec = await readNetwork(network, 'fp32');
    const { height, width } = spec.input;
    const net = tfjsNetwork(tf, spec);
    const store = normaliser(spec);
    const classify = async (path) => {
      const x = tf.tensor(Float32Array.from(await cropped(path, width, height), store), [1, height, width, 3]);
      const probabilities = await net.run(x, 1);
      x.dispose();
      return best(probabilities);
    };
    return { version, run: (photos) => severalAtATime(photos, 2 * threads, classify) };
  },

  'sharp, decoding alone': async ({ threads }) => ({
    version: sharp.versions.sharp,
    run: (photos) => severalAtATime(photos, 2 * threads, async (path) => (await sharp(path).raw().toBuffer()).length),
  }),
};

/** The centre square, resized, as bytes. */
function cropped(path, width, height) {
  return sharp(path).resize(width, height, { fit: 'cover' }).removeAlpha().raw().toBuffer();
}

/** From a byte to an input value in [-1, 1], quantised as the network asks. */
function normaliser({ precision, input }) {
  if (precision === 'float32') return (byte) => byte / 127.5 - 1;
  const { scale, zeroPoint } = input.quantization;
  const lowest = precision === 'int8' ? -128 : 0;
  const table = Array.from({ length: 256 }, (_, byte) => {
    const q = Math.round((byte / 127.5 - 1) / scale) + zeroPoint;
    return Math.min(Math.max(q, lowest), lowest + 255);
  });
  return (byte) => table[byte];
}

function allocate(precision, length) {
  const Type = { float32: Float32Array, int8: Int8Array, uint8: Uint8Array }[precision];
  return new Type(length);
}

function best(values) {
  return values.reduce((top, value, i) => (value > values[top] ? i : top), 0);
}

async function severalAtATime(items, count, work) {
  const results = [];
  let next = 0;
  const loop = async () => {
    while (next < items.length) {
      const i = next++;
      results[i] = await work(items[i]);
    }
  };
  await Promise.all(Array.from({ length: count }, loop));
  return results;
}

async function turn(engine, photos) {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const started = performance.now();
  await engine.run(photos);
  const seconds = (performance.now() - started) / 1000;
  delay.disable();
  return { imagesPerSecond: photos.length / seconds, delayP99Ms: delay.percentile(99) / 1e6 };
}

process.once('message', async (setup) => {
  try {
    const engine = await ENGINES[setup.name](setup);
    await engine.run(setup.photos.slice(0, 20)); // warm-up
    process.on('message', async () => process.send(await turn(engine, setup.photos)));
    process.send({ version: engine.version ?? null });
  } catch (error) {
    process.send({ error: `${setup.name}: ${error.message}` });
  }
});
