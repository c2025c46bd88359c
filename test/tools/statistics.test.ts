import { describe, expect, it } from 'vitest';
import { parseCpuTicks } from '../../lib/tools/machine.js';
import { measure } from '../../lib/tools/measure.js';
import {
  blockMedians,
  median,
  medianUncertainty,
  ratioOfMedians,
  seededRandom,
  summarise,
} from '../../lib/tools/statistics.js';

/** Around `centre`, up to 5 % away. */
function noisy(centre: number, count: number, seed: number): number[] {
  const random = seededRandom(seed);
  return Array.from({ length: count }, () => centre * (0.95 + 0.1 * random()));
}

describe('statistics of run times', () => {
  it('percentiles by nearest rank', () => {
    const times = Array.from({ length: 100 }, (_, i) => 100 - i);
    expect(summarise(times)).toEqual({ min: 1, p50: 50, p90: 90, p99: 99, mean: 50.5 });
    expect(summarise([3])).toEqual({ min: 3, p50: 3, p90: 3, p99: 3, mean: 3 });
  });

  it('medians of odd and even counts, and of blocks', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
    expect(blockMedians([1, 1, 9, 2, 2, 2], 2)).toEqual([1, 2]);
    expect(blockMedians([5, 6], 32)).toEqual([5, 6]);
  });

  it('a median is uncertain from few or scattered values', () => {
    expect(medianUncertainty([1, 1, 1])).toBe(Number.POSITIVE_INFINITY);
    expect(medianUncertainty(new Array(50).fill(2))).toBe(0);
    expect(medianUncertainty(noisy(1, 400, 1))).toBeLessThan(medianUncertainty(noisy(1, 20, 1)));
  });

  it('a ratio of medians holds the true one in its confidence interval, and is the same each time', () => {
    const ratio = ratioOfMedians(noisy(9, 32, 2), noisy(10, 32, 3));
    expect(ratio.low).toBeLessThan(0.9);
    expect(ratio.high).toBeGreaterThan(0.9);
    expect(ratio.high).toBeLessThan(1);
    expect(ratioOfMedians(noisy(9, 32, 2), noisy(10, 32, 3))).toEqual(ratio);
    const same = ratioOfMedians(noisy(10, 32, 4), noisy(10, 32, 5));
    expect(same.low).toBeLessThan(1);
    expect(same.high).toBeGreaterThan(1);
  });
});

describe('measure', () => {
  const rules = { warmup: 2, runs: 10, seconds: null, stablePercent: null };

  it('calls once, warms up, counts the runs asked for', async () => {
    let calls = 0;
    const result = await measure(async () => void calls++, rules);
    expect(calls).toBe(1 + 2 + 10);
    expect(result).toMatchObject({ stoppedBy: 'runs', timesMs: { length: 10 } });
  });

  it('keeps as many calls under way as asked for, each in a slot of its own', async () => {
    const busy = new Set<number>();
    let most = 0;
    const call = async (slot: number) => {
      expect(busy.has(slot)).toBe(false);
      busy.add(slot);
      most = Math.max(most, busy.size);
      await new Promise((resolve) => setTimeout(resolve, 1));
      busy.delete(slot);
    };
    const result = await measure(call, rules, 3);
    expect(most).toBe(3);
    expect(result.timesMs).toHaveLength(10);
  });

  it('tells how far it is, up to 1', async () => {
    const shares: number[] = [];
    await measure(
      async () => undefined,
      rules,
      1,
      (share) => shares.push(share),
    );
    expect(shares.at(-1)).toBe(1);
    expect(shares).toEqual([...shares].sort((a, b) => a - b));
  });

  it('passes a failure on', async () => {
    await expect(measure(() => Promise.reject(new Error('broken')), rules)).rejects.toThrow('broken');
  });
});

describe('noise', () => {
  it('reads the ticks of /proc/stat', () => {
    expect(parseCpuTicks('cpu  10 1 5 70 4 0 2 8 3 0\ncpu0 1 2 3')).toEqual({ all: 100, stolen: 8, idle: 74 });
    expect(parseCpuTicks(null)).toBeNull();
    expect(parseCpuTicks('nonsense')).toBeNull();
  });
});
