/** onnxruntime-node on a graph made of the same weights. */
import { encodeOnnx } from '../onnx/graph.js';
import { mobilenetToOnnx } from '../onnx/mobilenet.js';
import { findOptional } from '../optional-package.js';
import { channelsFirstInput, type PeerFactory } from './peer.js';

/** The part of onnxruntime-node's interface in use. */
interface Session {
  run(feeds: Record<string, unknown>): Promise<Record<string, { data: Float32Array }>>;
  release(): Promise<void>;
}
export interface OnnxRuntime {
  readonly InferenceSession: { create(model: Uint8Array, options: object): Promise<Session> };
  readonly Tensor: new (type: string, data: unknown, dims: readonly number[]) => unknown;
}

export const onnxruntime: PeerFactory = {
  name: 'onnxruntime-node',
  packages: 'onnxruntime-node',
  async open({ spec, batch, threads, input }) {
    const found = await findOptional<OnnxRuntime>('onnxruntime-node');
    if (found === null) return null;
    const graph = mobilenetToOnnx(spec, batch);
    const { InferenceSession, Tensor } = found.exports;
    const session = await InferenceSession.create(await encodeOnnx(graph), {
      executionProviders: ['cpu'],
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      logSeverityLevel: 3,
    });
    const pixels = spec.input.height * spec.input.width;
    const feeds = {
      [graph.input.name]: new Tensor(graph.input.type, channelsFirstInput(input, batch, pixels), graph.input.dims),
    };
    return {
      version: found.version,
      backend: 'cpu',
      run: async () => (await session.run(feeds))[graph.output.name]?.data as Float32Array,
      close: () => session.release(),
    };
  },
};
