/** Placing buffers with known lifetimes in one arena. */

export const ALIGNMENT = 64;

export function alignUp(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}

/** A buffer that is in use from step `from` to step `to`, both included. */
export interface LiveRange {
  readonly name: string;
  /** A tensor between steps, the rows a chained stage keeps, or a kernel's own memory. */
  readonly kind: 'tensor' | 'ring' | 'scratch';
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
  const peak = peakLiveBytes(ranges);
  const indices = ranges.map((_, i) => i);
  const bySize = indices.toSorted((a, b) => size(ranges, b) - size(ranges, a) || a - b);
  const passesOn = (i: number) => (ranges[i] as LiveRange).from < (ranges[i] as LiveRange).to;
  const chain = indices.filter(passesOn).sort((a, b) => (ranges[a] as LiveRange).from - (ranges[b] as LiveRange).from);
  const atTop = new Set(chain.filter((_, k) => k % 2 === 1));
  const asChain = place(ranges, [...chain, ...bySize.filter((i) => !passesOn(i))], atTop, peak);
  if (asChain.bytes === peak) return asChain;
  const largestFirst = place(ranges, bySize, new Set(), peak);
  return asChain.bytes <= largestFirst.bytes ? asChain : largestFirst;
}

/** One after the other, each at the lowest gap that fits; those `atTop` at the highest one below the peak, if any. */
function place(
  ranges: readonly LiveRange[],
  order: readonly number[],
  atTop: ReadonlySet<number>,
  peak: number,
): Placement {
  const offsets = new Array<number>(ranges.length).fill(0);
  const placed: number[] = [];
  let most = 0;
  for (const i of order) {
    const { from, to } = ranges[i] as LiveRange;
    const bytes = size(ranges, i);
    const taken: Span[] = [];
    for (const j of placed) {
      const other = ranges[j] as LiveRange;
      if (other.from > to || other.to < from) continue;
      const begin = offsets[j] as number;
      taken.push({ begin, end: begin + size(ranges, j) });
    }
    const high = atTop.has(i) ? highestGap(taken, bytes, peak) : null;
    const offset = high ?? lowestGap(taken, bytes);
    offsets[i] = offset;
    most = Math.max(most, offset + bytes);
    placed.push(i);
  }
  return { offsets, bytes: most };
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

/** Most bytes that are live at one step: no plan can need less. */
export function peakLiveBytes(ranges: readonly LiveRange[]): number {
  const live: number[] = []; // by step
  let peak = 0;
  for (const { bytes, from, to } of ranges) {
    for (let step = from; step <= to; step++) {
      const sum = (live[step] ?? 0) + alignUp(bytes);
      live[step] = sum;
      if (sum > peak) peak = sum;
    }
  }
  return peak;
}
