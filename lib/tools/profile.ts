/** Where the time of one image goes, operator by operator, beside what the machine could do. */
import { Engine } from '../engine.js';
import type { ModelSpec } from '../model-spec.js';
import { isaCeiling, native } from '../native.js';
import { randomInput } from './input.js';
import { median } from './statistics.js';
import { workOf } from './work.js';

export interface OpProfile {
  readonly name: string;
  readonly what: string;
  /** Registry name of the kernel that ran. */
  readonly kernel: string;
  /** Median over the runs. */
  readonly ms: number;
  readonly macs: number;
  /** 1e9 multiply-accumulates per second. */
  readonly gmacPerSecond: number;
  /** Of the machine's measured peak, 0 ... 1; null where no peak loop is written. */
  readonly shareOfPeak: number | null;
  readonly weightBytes: number;
  /** Input and output tensors. */
  readonly activationBytes: number;
}

export interface Profile {
  readonly ops: readonly OpProfile[];
  /** Sum over the operators. */
  readonly ms: number;
  readonly macs: number;
  readonly shareOfPeak: number | null;
  readonly runs: number;
  /** Multiply-accumulate peak of one thread in this network's dtype, in 1e9 per second. */
  readonly peakGmacPerSecond: number | null;
  /** Copying memory with one thread, read and written bytes counted: [buffer bytes, 1e9 bytes per second]. */
  readonly bandwidth: readonly Bandwidth[];
}

export interface Bandwidth {
  readonly bytes: number;
  readonly gbytesPerSecond: number;
}

const MAX_RUNS = 500;

/** One image on the calling thread, again and again for `seconds`. Blocks the event loop while an image runs. */
export async function profile(spec: ModelSpec, seconds: number): Promise<Profile> {
  const engine = new Engine(spec, { threads: 1 });
  try {
    const { height, width } = spec.input;
    const input = randomInput(spec, 1);
    const work = workOf(engine.compiled, height, width);
    const samples: number[][] = work.map(() => []);
    await engine.profile(height, width, input); // touches the arena and the weights
    const end = performance.now() + seconds * 1000;
    let runs = 0;
    while (runs === 0 || (performance.now() < end && runs < MAX_RUNS)) {
      const nanoseconds = await engine.profile(height, width, input);
      for (const [i, times] of samples.entries()) times.push(nanoseconds[i] as number);
      runs++;
    }
    const peak = native().machinePeak(isaCeiling())[engine.compiled.dtype];
    const shareOf = (macs: number, ms: number) => (peak === null ? null : macs / (ms / 1000) / peak);
    const ops = work.map((op, i): OpProfile => {
      const ms = median(samples[i] as number[]) / 1e6;
      return {
        ...{ name: op.name, what: op.what, kernel: engine.facts.kernels[i] as string, ms, macs: op.macs },
        gmacPerSecond: op.macs / ms / 1e6,
        shareOfPeak: shareOf(op.macs, ms),
        ...{ weightBytes: op.weightBytes, activationBytes: op.activationBytes },
      };
    });
    const ms = ops.reduce((sum, op) => sum + op.ms, 0);
    const macs = ops.reduce((sum, op) => sum + op.macs, 0);
    return {
      ...{ ops, ms, macs, runs, shareOfPeak: shareOf(macs, ms) },
      peakGmacPerSecond: peak === null ? null : peak / 1e9,
      bandwidth: [256 * 1024, 64 * 1024 * 1024].map(measureBandwidth),
    };
  } finally {
    engine.release();
  }
}

/** Best of several copies of a buffer of `bytes`: one that fits the inner caches, or one that fits none. */
function measureBandwidth(bytes: number): Bandwidth {
  const from = new Uint8Array(bytes).fill(1);
  const to = new Uint8Array(bytes);
  const repeats = Math.max(1, Math.round(2 ** 24 / bytes));
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 12; i++) {
    const started = performance.now();
    for (let k = 0; k < repeats; k++) to.set(from);
    best = Math.min(best, (performance.now() - started) / repeats);
  }
  return { bytes, gbytesPerSecond: (2 * bytes) / best / 1e6 };
}
