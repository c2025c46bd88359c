/** Measuring a model through the public API. */
import { totalmem } from 'node:os';
import type { MobileNetV2 } from '../classifier.js';
import { MobileNetError } from '../errors.js';
import type { Precision } from '../model-spec.js';
import type { Isa } from '../native.js';
import { type ColdStart, measureColdStart } from './cold-start.js';
import { emptyInput, randomInput } from './input.js';
import { loadModel, type ModelRequest } from './load-model.js';
import { describeMachine, type Machine, NoiseWatch } from './machine.js';
import { type Measurement, measure, type StopRules } from './measure.js';
import type { PeerReport } from './peers/index.js';
import type { Profile } from './profile.js';
import { blockMedians, type LatencySummary, summarise } from './statistics.js';

export interface BenchRequest extends ModelRequest, StopRules {
  /** Images per call. */
  readonly batch: number;
  /** Calls under way at a time; null: twice the threads. */
  readonly concurrency: number | null;
  /** Fresh processes to start for the cold start; 0: none. */
  readonly cold: number;
  readonly profile: boolean;
  readonly peers: boolean;
}

/** One case; documented in the help of `bench`. Additions are allowed, changes are not. */
export interface BenchReport {
  readonly source: string;
  readonly precision: Precision;
  readonly batch: number;
  readonly threads: number;
  readonly isa: Isa;
  readonly concurrency: number;
  /** Of one call on the whole batch. */
  readonly latencyMs: LatencySummary;
  /** Counted calls. */
  readonly runs: number;
  readonly warmup: number;
  readonly stoppedBy: Measurement['stoppedBy'];
  /** Images per second. */
  readonly throughput: number;
  /** Real length of the arenas in use, all of them. */
  readonly arenaBytes: number;
  readonly peakRssBytes: number;
  readonly loadMs: number;
  readonly firstInferenceMs: number;
  /** Medians of up to 32 stretches of consecutive runs: what runs are compared by. */
  readonly blockMediansMs: readonly number[];
  readonly machine: Machine;
  /** Why the figures may be off; empty on a quiet machine. */
  readonly warnings: readonly string[];
  readonly cold?: ColdStart;
  readonly profile?: Profile;
  readonly peers?: readonly PeerReport[];
}

/** What goes on, for a progress bar: the phase, and the share of it that is done. */
export type OnProgress = (phase: string, share: number) => void;

/** A report, and the counted calls it is about. */
export interface BenchResult {
  readonly report: BenchReport;
  readonly timesMs: readonly number[];
}

/**
 * Times `model.infer` on preprocessed batches: input tensor -> probabilities.
 *
 * @throws MobileNetError as loading a model does; INVALID_ARGUMENT for options that do not fit the model.
 */
export async function bench(request: BenchRequest, onProgress: OnProgress = () => undefined): Promise<BenchResult> {
  const machine = describeMachine();
  const cold =
    request.cold > 0 ? await measureColdStart(request, request.cold, (s) => onProgress('cold start', s)) : null;
  const started = performance.now();
  const model = await loadModel(request);
  const loadMs = performance.now() - started;
  try {
    const concurrency = request.concurrency ?? 2 * model.info.threads;
    const watch = new NoiseWatch();
    const measurement = await measure(callOf(model, request.batch, concurrency), request, concurrency, (share) =>
      onProgress('measuring', share),
    );
    const latencyMs = summarise(measurement.timesMs);
    const warnings = watch.warnings(machine, latencyMs);
    const { info } = model;
    const runs = measurement.timesMs.length;
    const report: BenchReport = {
      ...{ source: info.source, precision: info.precision, batch: request.batch, threads: info.threads, isa: info.isa },
      ...{ concurrency, latencyMs, runs, warmup: request.warmup },
      stoppedBy: measurement.stoppedBy,
      throughput: (request.batch * runs * 1000) / measurement.wallMs,
      arenaBytes: info.arena.highWaterBytes,
      peakRssBytes: process.resourceUsage().maxRSS * 1024,
      ...{ loadMs, firstInferenceMs: measurement.firstMs },
      blockMediansMs: blockMedians(measurement.timesMs),
      ...{ machine, warnings },
      ...(cold && { cold }),
      ...(request.profile && { profile: await profileOf(request, onProgress) }),
      ...(request.peers && { peers: await peersOf(model, request, onProgress) }),
    };
    return { report, timesMs: measurement.timesMs };
  } finally {
    await model.close();
  }
}

/** Of all inputs and outputs of calls under way; below what one array can hold. */
const MAX_BATCH_BYTES = 2 ** 32;

/** One call of the model on a batch of its own; calls under way at the same time share neither input nor output. */
function callOf(model: MobileNetV2, batch: number, concurrency: number): (slot: number) => Promise<void> {
  const imageBytes = emptyInput(model.info, 1).byteLength + model.info.classes * Float32Array.BYTES_PER_ELEMENT;
  const bytes = imageBytes * batch * concurrency;
  const limit = Math.min(MAX_BATCH_BYTES, totalmem() / 2);
  if (bytes > limit) {
    const gigabytes = (count: number) => `${(count / 1e9).toFixed(1)} GB`;
    throw new MobileNetError(
      'INVALID_ARGUMENT',
      `--batch ${batch}: ${concurrency} such batches at a time take ${gigabytes(bytes)}, at most ${gigabytes(limit)} here`,
    );
  }
  const buffers = Array.from({ length: concurrency }, () => ({
    input: randomInput(model.info, batch),
    output: new Float32Array(batch * model.info.classes),
  }));
  return async (slot) => {
    const { input, output } = buffers[slot] as (typeof buffers)[number];
    await model.infer(input, { output });
  };
}

const PROFILE_SECONDS = 1;

async function profileOf(request: BenchRequest, onProgress: OnProgress): Promise<Profile> {
  onProgress('profile', 0);
  const { profile } = await import('./profile.js');
  const { readNetwork } = await import('./read-network.js');
  return profile(await readNetwork(request, request.precision), PROFILE_SECONDS);
}

async function peersOf(model: MobileNetV2, request: BenchRequest, onProgress: OnProgress): Promise<PeerReport[]> {
  const { measurePeers } = await import('./peers/index.js');
  const { readNetwork } = await import('./read-network.js');
  const spec = await readNetwork(request, request.precision);
  return measurePeers(model, spec, request, (share) => onProgress('peers', share));
}
