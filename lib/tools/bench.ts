/** Measuring a model through the public API. */
import type { MobileNetV2 } from '../classifier.js';
import type { Isa } from '../native.js';

export interface BenchOptions {
  /** Images per call. */
  readonly batch: number;
  /** How long to measure, after the warm-up. */
  readonly seconds: number;
}

/** Of one call on the whole batch, in milliseconds. */
export interface LatencySummary {
  readonly min: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly mean: number;
}

export interface BenchReport {
  readonly latencyMs: LatencySummary;
  readonly runs: number;
  /** Images per second. */
  readonly throughput: number;
  readonly isa: Isa;
  readonly threads: number;
  /** Real length of the arenas in use, all of them. */
  readonly arenaBytes: number;
  readonly peakRssBytes: number;
  readonly firstInferenceMs: number;
}

const WARM_UP_RUNS = 3;
const MIN_RUNS = 5;

/**
 * Times `model.infer` on a preprocessed batch: input tensor -> probabilities. The first call is reported apart, the
 * next few are not counted.
 */
export async function bench(model: MobileNetV2, { batch, seconds }: BenchOptions): Promise<BenchReport> {
  const input = randomInput(model, batch);
  const output = new Float32Array(batch * model.info.classes);
  const call = async () => {
    const started = performance.now();
    await model.infer(input, { output });
    return performance.now() - started;
  };
  const firstInferenceMs = await call();
  for (let i = 0; i < WARM_UP_RUNS; i++) await call();
  const times: number[] = [];
  const end = performance.now() + seconds * 1000;
  while (performance.now() < end || times.length < MIN_RUNS) times.push(await call());
  const latencyMs = summarise(times);
  const { isa, threads, arena } = model.info;
  return {
    latencyMs,
    runs: times.length,
    throughput: (batch * 1000) / latencyMs.mean,
    isa,
    threads,
    arenaBytes: arena.highWaterBytes,
    peakRssBytes: process.resourceUsage().maxRSS * 1024,
    firstInferenceMs,
  };
}

/** Seeded noise over the whole range of the model's input type. */
function randomInput(model: MobileNetV2, batch: number): Float32Array | Uint8Array | Int8Array {
  const { precision, input } = model.info;
  const length = batch * input.height * input.width * 3;
  let state = 1;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 24;
  };
  if (precision === 'uint8') return new Uint8Array(length).map(next);
  if (precision === 'int8') return new Int8Array(length).map(next);
  return new Float32Array(length).map(() => next() / 127.5 - 1);
}

/** Percentiles by nearest rank. */
export function summarise(times: readonly number[]): LatencySummary {
  const sorted = [...times].sort((a, b) => a - b);
  const rank = (p: number) => sorted[Math.max(0, Math.ceil(p * sorted.length) - 1)] ?? Number.NaN;
  return {
    min: rank(0),
    p50: rank(0.5),
    p90: rank(0.9),
    p99: rank(0.99),
    mean: sorted.reduce((sum, t) => sum + t, 0) / sorted.length,
  };
}
