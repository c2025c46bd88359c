/** TensorFlow.js on the same weights, layer by layer, on the fastest of its backends that is installed. */
import { type ConvSpec, type ModelSpec, weightedLayers } from '../../model-spec.js';
import { findOptional } from '../optional-package.js';
import type { PeerFactory, PeerRequest } from './peer.js';

/** The part of its interface in use. */
interface Tensor {
  data(): Promise<Float32Array>;
  dispose(): void;
}
interface Tfjs {
  readonly version: { readonly 'tfjs-core'?: string; readonly tfjs?: string };
  enableProdMode(): void;
  setBackend(name: string): Promise<boolean>;
  ready(): Promise<void>;
  tidy<T>(run: () => T): T;
  tensor(values: Float32Array, shape: readonly number[]): Tensor;
  conv2d(x: Tensor, w: Tensor, strides: number, pad: Padding): Tensor;
  depthwiseConv2d(x: Tensor, w: Tensor, strides: number, pad: Padding): Tensor;
  add(a: Tensor, b: Tensor): Tensor;
  mul(a: Tensor, b: number): Tensor;
  relu(x: Tensor): Tensor;
  relu6(x: Tensor): Tensor;
  mean(x: Tensor, axes: readonly number[], keepDims: boolean): Tensor;
  reshape(x: Tensor, shape: readonly number[]): Tensor;
  softmax(x: Tensor): Tensor;
}
type Padding = 'same' | readonly [readonly [0, 0], readonly [1, 1], readonly [1, 1], readonly [0, 0]];

interface Layer {
  readonly weights: Tensor;
  readonly bias: Tensor;
}

export const tfjs: PeerFactory = {
  name: 'tfjs',
  packages: '@tensorflow/tfjs-node, or @tensorflow/tfjs @tensorflow/tfjs-backend-wasm',
  async open(request) {
    const found = await findTfjs();
    if (found === null) return null;
    if (request.spec.precision !== 'float32') return 'it has no 8-bit kernels: use --precision fp32';
    return { version: found.version, backend: found.backend, ...network(found.tf, request) };
  },
};

export async function findTfjs(): Promise<{ tf: Tfjs; backend: string; version: string | null } | null> {
  const native = await findOptional<Tfjs>('@tensorflow/tfjs-node');
  if (native) return { tf: native.exports, backend: 'tensorflow (tfjs-node)', version: native.version };
  const plain = await findOptional<Tfjs>('@tensorflow/tfjs');
  if (plain === null) return null;
  plain.exports.enableProdMode(); // no checks of every tensor, and no greeting
  const wasm = await findOptional<unknown>('@tensorflow/tfjs-backend-wasm'); // registers itself
  const backend = wasm && (await plain.exports.setBackend('wasm').catch(() => false)) ? 'wasm' : 'cpu';
  if (backend === 'cpu') await plain.exports.setBackend('cpu');
  await plain.exports.ready();
  return { tf: plain.exports, backend: backend === 'cpu' ? 'cpu (plain JavaScript)' : backend, version: plain.version };
}

function network(tf: Tfjs, { spec, batch, input }: PeerRequest) {
  const x = tf.tensor(input as Float32Array, [batch, spec.input.height, spec.input.width, 3]);
  const { run, close } = tfjsNetwork(tf, spec);
  return {
    run: () => run(x, batch),
    close: async () => {
      x.dispose();
      close();
    },
  };
}

/** `run` takes a batch, NHWC, and gives its probabilities; the batch stays the caller's. */
export function tfjsNetwork(tf: Tfjs, spec: ModelSpec) {
  const layers = new Map([...weightedLayers(spec)].map((conv) => [conv, makeLayer(tf, conv)]));
  const apply = (input: Tensor, conv: ConvSpec): Tensor => {
    const { weights, bias } = layers.get(conv) as Layer;
    const pad: Padding =
      conv.padding === 'same'
        ? 'same'
        : [
            [0, 0],
            [1, 1],
            [1, 1],
            [0, 0],
          ];
    const run = conv.depthwise ? tf.depthwiseConv2d : tf.conv2d;
    const sum = tf.add(run(input, weights, conv.stride, pad), bias);
    if (conv.activation === 'linear') return sum;
    return conv.activation === 'relu6' ? tf.relu6(sum) : tf.relu(sum);
  };
  const forward = (x: Tensor, batch: number) => {
    let flow = apply(x, spec.stem);
    for (const block of spec.blocks) {
      const entry = flow;
      if (block.expand) flow = apply(flow, block.expand);
      flow = apply(apply(flow, block.depthwise), block.project);
      if (block.residual) flow = tf.add(entry, flow);
    }
    if (spec.head) flow = apply(flow, spec.head);
    flow = tf.mean(flow, [1, 2], true);
    for (const { conv } of spec.classifier) flow = apply(flow, conv);
    const logits = tf.reshape(flow, [batch, -1]);
    return tf.softmax(spec.softmax.beta === 1 ? logits : tf.mul(logits, spec.softmax.beta));
  };
  return {
    run: async (x: Tensor, batch: number) => {
      const output = tf.tidy(() => forward(x, batch));
      const probabilities = await output.data();
      output.dispose();
      return probabilities;
    },
    close: () => {
      for (const { weights, bias } of layers.values()) {
        weights.dispose();
        bias.dispose();
      }
    },
  };
}

/** [ky][kx][in][out] or, depthwise, [ky][kx][channel][1]. */
function makeLayer(tf: Tfjs, conv: ConvSpec): Layer {
  const { kernel, inChannels, outChannels, depthwise } = conv;
  const values = conv.weights.values as Float32Array;
  const taps = kernel * kernel;
  let ordered = values;
  if (!depthwise) {
    ordered = new Float32Array(values.length);
    for (let o = 0; o < outChannels; o++) {
      for (let k = 0; k < taps * inChannels; k++) {
        ordered[k * outChannels + o] = values[o * taps * inChannels + k] as number;
      }
    }
  }
  const shape = depthwise ? [kernel, kernel, outChannels, 1] : [kernel, kernel, inChannels, outChannels];
  return {
    weights: tf.tensor(ordered, shape),
    bias: tf.tensor(conv.weights.bias as Float32Array, [outChannels]),
  };
}
