/** What a peer is to the measurement. */
import type { ModelSpec } from '../../model-spec.js';
import type { InputBatch } from '../input.js';

export interface PeerRequest {
  readonly spec: ModelSpec;
  readonly batch: number;
  readonly threads: number;
  /** NHWC, as our model takes it; the peer keeps a copy in the layout it likes, before the clock runs. */
  readonly input: InputBatch;
}

export interface Peer {
  readonly version: string | null;
  /** Which of the peer's engines runs. */
  readonly backend: string;
  /** One call on the whole batch; the probabilities. */
  run(): Promise<Float32Array>;
  close(): Promise<void>;
}

export interface PeerFactory {
  readonly name: string;
  /** What to install when {@link open} gives null. */
  readonly packages: string;
  /** Null when the package is not installed; a sentence when it cannot run this model. */
  open(request: PeerRequest): Promise<Peer | string | null>;
}

/** NHWC -> NCHW. */
export function channelsFirstInput(input: InputBatch, batch: number, pixels: number): InputBatch {
  const result = input.slice();
  for (let n = 0; n < batch; n++) {
    for (let p = 0; p < pixels; p++) {
      for (let c = 0; c < 3; c++) {
        result[(n * 3 + c) * pixels + p] = input[(n * pixels + p) * 3 + c] as number;
      }
    }
  }
  return result;
}
