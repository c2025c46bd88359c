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
 * Offsets such that no two ranges that are live at the same step overlap. Tensors that go from step to step lie at
 * alternate ends of the peak, so that every step's input and output leave one gap between them, in which the buffers of
 * that step fit: a chain needs its peak and no more. Where lifetimes are less regular than that, the largest first may
 * be better, and is then taken.
 */
export function placeRanges(ranges: readonly LiveRange[]): Placement {
  const indices = ranges.map((_, i) => i);
  const bySize = indices.toSorted((a, b) => size(ranges, b) - size(ranges, a) || a - b);
  const passesOn = (i: number) => (ranges[i] as LiveRange).from < (ranges[i] as LiveRange).to;
  const chain = indices.filter(passesOn).sort((a, b) => (ranges[a] as LiveRange).from - (ranges[b] as LiveRange).from);
  const atTop = new Set(chain.filter((_, k) => k % 2 === 1));
  const asChain = place(ranges, [...chain, ...bySize.filter((i) => !passesOn(i))], atTop);
  const largestFirst = place(ranges, bySize, new Set());
  return asChain.bytes <= largestFirst.bytes ? asChain : largestFirst;
}

/** One after the other, each at the lowest gap that fits; those `atTop` at the highest one below the peak, if any. */
function place(ranges: readonly LiveRange[], order: readonly number[], atTop: ReadonlySet<number>): Placement {
  const peak = peakLiveBytes(ranges);
  const offsets = new Array<number>(ranges.length).fill(0);
  const placed: number[] = [];
  for (const i of order) {
    const taken = placed
      .filter((j) => overlaps(ranges[i] as LiveRange, ranges[j] as LiveRange))
      .map((j) => ({ begin: offsets[j] as number, end: (offsets[j] as number) + size(ranges, j) }));
    const high = atTop.has(i) ? highestGap(taken, size(ranges, i), peak) : null;
    offsets[i] = high ?? lowestGap(taken, size(ranges, i));
    placed.push(i);
  }
  const bytes = offsets.reduce((most, offset, i) => Math.max(most, offset + size(ranges, i)), 0);
  return { offsets, bytes };
}

interface Span {
  readonly begin: number;
  readonly end: number;
}

function lowestGap(taken: readonly Span[], bytes: number): number {
  let offset = 0;
  for (const { begin, end } of taken.toSorted((a, b) => a.begin - b.begin)) {
    if (offset + bytes <= begin) break;
    offset = Math.max(offset, end);
  }
  return offset;
}

/** Null: there is none below `limit`. */
function highestGap(taken: readonly Span[], bytes: number, limit: number): number | null {
  let offset = limit - bytes;
  for (const { begin, end } of taken.toSorted((a, b) => b.end - a.end)) {
    if (offset >= end) break;
    offset = Math.min(offset, begin - bytes);
  }
  return offset < 0 ? null : offset;
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
