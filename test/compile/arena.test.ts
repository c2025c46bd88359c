/** Placing live ranges: on random ranges, and on chains, where the peak can be reached. */
import { describe, expect, it } from 'vitest';
import { ALIGNMENT, alignUp, type LiveRange, peakLiveBytes, placeRanges } from '../../lib/compile/arena.js';
import { seededRandom } from './seeded-input.js';

function range(bytes: number, from: number, to: number): LiveRange {
  return { name: `${bytes} bytes`, kind: 'tensor' as const, bytes, from, to };
}

function expectSound(ranges: readonly LiveRange[]): void {
  const { offsets, bytes } = placeRanges(ranges);
  expect(offsets.length).toBe(ranges.length);
  expect(bytes % ALIGNMENT).toBe(0);
  expect(bytes).toBeGreaterThanOrEqual(peakLiveBytes(ranges));
  expect(bytes).toBeLessThanOrEqual(ranges.reduce((sum, r) => sum + alignUp(r.bytes), 0));
  ranges.forEach((a, i) => {
    const at = offsets[i] as number;
    expect(at % ALIGNMENT).toBe(0);
    expect(at).toBeGreaterThanOrEqual(0);
    expect(at + a.bytes).toBeLessThanOrEqual(bytes);
    ranges.slice(i + 1).forEach((b, k) => {
      const other = offsets[i + 1 + k] as number;
      const together = a.from <= b.to && b.from <= a.to;
      if (together && at < other + b.bytes && other < at + a.bytes) {
        expect.fail(`${a.name} at ${at} and ${b.name} at ${other} overlap`);
      }
    });
  });
}

describe('peakLiveBytes', () => {
  it('adds what is live at one step, in aligned bytes', () => {
    expect(peakLiveBytes([])).toBe(0);
    expect(peakLiveBytes([range(1, 0, 0)])).toBe(64);
    expect(peakLiveBytes([range(64, 0, 1), range(65, 1, 2), range(64, 2, 2)])).toBe(192);
  });
});

describe('placeRanges', () => {
  it('gives nothing to nothing', () => expect(placeRanges([])).toEqual({ offsets: [], bytes: 0 }));

  it('reuses the bytes of what is over', () => {
    expect(placeRanges([range(640, 0, 0), range(640, 1, 1)]).bytes).toBe(640);
    expect(placeRanges([range(640, 0, 1), range(640, 1, 1)]).bytes).toBe(1280);
  });

  it('is sound on random ranges', () => {
    const random = seededRandom(11);
    for (let round = 0; round < 300; round++) {
      const ranges = Array.from({ length: 1 + Math.floor(random() * 24) }, () => {
        const from = Math.floor(random() * 12);
        return range(Math.floor(random() * 5000), from, from + Math.floor(random() * 4));
      });
      expectSound(ranges);
    }
  });

  it('reaches the peak of random chains: tensors from step to step, and buffers within one', () => {
    const random = seededRandom(12);
    for (let round = 0; round < 300; round++) {
      const steps = 1 + Math.floor(random() * 10);
      const ranges = Array.from({ length: steps }, (_, step) => [
        range(Math.floor(random() * 9000), step, Math.min(step + 1, steps - 1)),
        ...Array.from({ length: Math.floor(random() * 5) }, () => range(Math.floor(random() * 3000), step, step)),
      ]).flat();
      expectSound(ranges);
      expect(placeRanges(ranges).bytes).toBe(peakLiveBytes(ranges));
    }
  });
});
