/** Calling something again and again under a stop rule. Knows nothing of models. */
import { blockMedians, medianUncertainty } from './statistics.js';

export interface StopRules {
  /** Calls before counting begins, the very first not included. */
  readonly warmup: number;
  /** Stop after this many counted calls. */
  readonly runs: number | null;
  /** Stop after this many seconds (but not before {@link MIN_RUNS} calls). */
  readonly seconds: number | null;
  /** Stop once the 95 % confidence interval of the median is within +- this many percent. */
  readonly stablePercent: number | null;
}

export interface Measurement {
  /** The very first call, in milliseconds. */
  readonly firstMs: number;
  /** One entry per counted call, in milliseconds, in the order they ended. */
  readonly timesMs: readonly number[];
  /** From the first counted call to the end of the last. */
  readonly wallMs: number;
  readonly stoppedBy: 'runs' | 'duration' | 'stable';
}

export const MIN_RUNS = 5;
/** Blocks whose medians must agree; below that many calls nothing counts as stable. */
const STABLE_BLOCKS = 16;
const STABLE_CHECK_MS = 250;

/**
 * @param call one call; `slot` in 0 ... concurrency - 1 tells calls that run at the same time apart.
 * @param concurrency calls under way at a time.
 * @param onProgress share of the measurement that is done, 0 ... 1.
 */
export async function measure(
  call: (slot: number) => Promise<void>,
  rules: StopRules,
  concurrency = 1,
  onProgress: (share: number) => void = () => undefined,
): Promise<Measurement> {
  const timed = async (slot: number) => {
    const started = performance.now();
    await call(slot);
    return performance.now() - started;
  };
  const firstMs = await timed(0);
  for (let i = 0; i < rules.warmup; i++) await Promise.all(Array.from({ length: concurrency }, (_, s) => timed(s)));

  const timesMs: number[] = [];
  let started = 0;
  let stoppedBy: Measurement['stoppedBy'] | null = null;
  let nextCheck = 0;
  const begun = performance.now();
  const ended = () => {
    const elapsed = performance.now() - begun;
    const bySeconds = rules.seconds === null ? 0 : elapsed / (rules.seconds * 1000);
    const byRuns = rules.runs === null ? 0 : timesMs.length / rules.runs;
    onProgress(Math.min(1, Math.max(bySeconds, byRuns)));
    if (rules.runs !== null && started >= rules.runs) stoppedBy ??= 'runs';
    else if (bySeconds >= 1 && started >= MIN_RUNS) stoppedBy ??= 'duration';
    else if (rules.stablePercent !== null && elapsed >= nextCheck && timesMs.length >= 4 * STABLE_BLOCKS) {
      nextCheck = elapsed + STABLE_CHECK_MS;
      if (medianUncertainty(blockMedians(timesMs, STABLE_BLOCKS)) * 100 <= rules.stablePercent) stoppedBy ??= 'stable';
    }
    return stoppedBy !== null;
  };
  const loop = async (slot: number) => {
    while (!ended()) {
      started++;
      timesMs.push(await timed(slot));
    }
  };
  await Promise.all(Array.from({ length: concurrency }, (_, slot) => loop(slot)));
  return { firstMs, timesMs, wallMs: performance.now() - begun, stoppedBy: stoppedBy ?? 'duration' };
}
