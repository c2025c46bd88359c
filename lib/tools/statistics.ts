/** What a list of run times says, and how sure it is. */

/** Of one call on the whole batch, in milliseconds. */
export interface LatencySummary {
  readonly min: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly mean: number;
}

/** Percentile by nearest rank of ascending values; NaN of none. */
export function percentile(ascending: readonly number[], p: number): number {
  return ascending[Math.max(0, Math.ceil(p * ascending.length) - 1)] ?? Number.NaN;
}

export function ascending(values: readonly number[]): number[] {
  return [...values].sort((a, b) => a - b);
}

export function median(values: readonly number[]): number {
  const sorted = ascending(values);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}

export function summarise(times: readonly number[]): LatencySummary {
  const sorted = ascending(times);
  return {
    min: percentile(sorted, 0),
    p50: percentile(sorted, 0.5),
    p90: percentile(sorted, 0.9),
    p99: percentile(sorted, 0.99),
    mean: sorted.reduce((sum, t) => sum + t, 0) / sorted.length,
  };
}

/** Medians of up to `count` equal stretches of consecutive runs. Neighbouring runs share a disturbance; stretches less so. */
export function blockMedians(times: readonly number[], count = 32): number[] {
  const blocks = Math.min(count, times.length);
  return Array.from({ length: blocks }, (_, i) =>
    median(times.slice(Math.floor((i * times.length) / blocks), Math.floor(((i + 1) * times.length) / blocks))),
  );
}

/**
 * Half the width of the 95 % confidence interval of the median, as a share of the median; by order statistics, so
 * without assuming a distribution. Infinity below 6 values, where no such interval exists.
 */
export function medianUncertainty(values: readonly number[]): number {
  const n = values.length;
  if (n < 6) return Number.POSITIVE_INFINITY;
  const sorted = ascending(values);
  const half = 0.98 * Math.sqrt(n); // 1.96 standard deviations of a binomial with p = 1/2
  const low = sorted[Math.max(0, Math.floor(n / 2 - half))] as number;
  const high = sorted[Math.min(n - 1, Math.ceil(n / 2 + half))] as number;
  return (high - low) / 2 / median(values);
}

/** A small generator (mulberry32) whose numbers in [0, 1) depend on the seed alone. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export interface Ratio {
  /** Median of `now` / median of `before`: below 1 means `now` is faster. */
  readonly ratio: number;
  /** 95 % confidence interval of the ratio. */
  readonly low: number;
  readonly high: number;
}

const RESAMPLES = 2000;

/** The ratio of two medians with a bootstrap confidence interval (seeded: the same input gives the same answer). */
export function ratioOfMedians(now: readonly number[], before: readonly number[]): Ratio {
  const random = seededRandom(1);
  const resampled = (values: readonly number[]) =>
    median(values.map(() => values[Math.floor(random() * values.length)] as number));
  const ratios = ascending(Array.from({ length: RESAMPLES }, () => resampled(now) / resampled(before)));
  return { ratio: median(now) / median(before), low: percentile(ratios, 0.025), high: percentile(ratios, 0.975) };
}
