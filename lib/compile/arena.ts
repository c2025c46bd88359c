/** Placing buffers with known lifetimes in one arena. */

export const ALIGNMENT = 64;

export function alignUp(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}

/** A buffer that is in use from step `from` to step `to`, both included. */
export interface LiveRange {
  readonly name: string;
  readonly bytes: number;
  readonly from: number;
  readonly to: number;
}

export interface Placement {
  /** Offset of each range, in the order given; multiples of {@link ALIGNMENT}. */
  readonly offsets: readonly number[];
  readonly bytes: number;
}

/**
 * Offsets such that no two ranges that are live at the same step overlap: largest first, each at the lowest gap that
 * fits. Not optimal in general, but at the peak of a chain of tensors it is (tested against the peak of live bytes).
 */
export function placeRanges(ranges: readonly LiveRange[]): Placement {
  const order = ranges.map((_, i) => i).sort((a, b) => size(ranges, b) - size(ranges, a) || a - b);
  const offsets = new Array<number>(ranges.length).fill(0);
  const placed: number[] = [];
  let total = 0;
  for (const i of order) {
    const range = ranges[i] as LiveRange;
    const neighbours = placed
      .filter((j) => overlaps(range, ranges[j] as LiveRange))
      .sort((a, b) => (offsets[a] as number) - (offsets[b] as number));
    let offset = 0;
    for (const j of neighbours) {
      const start = offsets[j] as number;
      if (offset + size(ranges, i) <= start) break;
      offset = Math.max(offset, start + size(ranges, j));
    }
    offsets[i] = offset;
    total = Math.max(total, offset + size(ranges, i));
    placed.push(i);
  }
  return { offsets, bytes: total };
}

function size(ranges: readonly LiveRange[], i: number): number {
  return alignUp((ranges[i] as LiveRange).bytes);
}

function overlaps(a: LiveRange, b: LiveRange): boolean {
  return a.from <= b.to && b.from <= a.to;
}

/** Most bytes that are live at one step: no plan can need less. */
export function peakLiveBytes(ranges: readonly LiveRange[]): number {
  const steps = ranges.reduce((last, r) => Math.max(last, r.to), 0) + 1;
  let peak = 0;
  for (let step = 0; step < steps; step++) {
    const live = ranges.filter((r) => r.from <= step && step <= r.to);
    peak = Math.max(
      peak,
      live.reduce((sum, r) => sum + alignUp(r.bytes), 0),
    );
  }
  return peak;
}
