/** A plan as text: time to the right, arena offsets upwards. */
import type { PlannedMemory, PlannedRange } from '../tools/memory.js';

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const RING = '=';
const SCRATCH = ':';
const FREE = '.';

export interface PlanDrawing {
  readonly lines: readonly string[];
  /** The letter of each tensor, in the order they are made. */
  readonly letters: ReadonlyMap<PlannedRange, string>;
}

/** @param width of the drawing with its scale, in characters. */
export function drawPlan(plan: PlannedMemory, width = 78, height = 16): PlanDrawing {
  const steps = plan.steps.length;
  const scale = `${Math.ceil(plan.arenaBytes / 1024)} KB`.length + 1;
  const column = Math.max(1, Math.floor((width - scale) / steps));
  const tensors = plan.ranges.filter(({ kind }) => kind === 'tensor').sort((a, b) => a.from - b.from);
  const letters = new Map(tensors.map((range, i) => [range, LETTERS[i % LETTERS.length] as string]));
  const symbol = (range: PlannedRange) => letters.get(range) ?? (range.kind === 'ring' ? RING : SCRATCH);
  const lines: string[] = [];
  for (let line = height - 1; line >= 0; line--) {
    const low = (line / height) * plan.arenaBytes;
    const high = ((line + 1) / height) * plan.arenaBytes;
    const cells = plan.steps.map((_, step) => symbolAt(plan.ranges, step, low, high, symbol).repeat(column));
    const label = line % 4 === 3 ? `${Math.round(high / 1024)} KB` : '';
    lines.push(`${label.padStart(scale - 1)} ${cells.join('')}`);
  }
  const marks = plan.steps
    .map((_, step) =>
      String(step + 1)
        .padEnd(column)
        .slice(0, column),
    )
    .join('');
  lines.push(`${'step'.padStart(scale - 1)} ${marks}`.trimEnd());
  return { lines, letters };
}

/** What takes most of the bytes [low, high) at a step. */
function symbolAt(
  ranges: readonly PlannedRange[],
  step: number,
  low: number,
  high: number,
  symbol: (range: PlannedRange) => string,
): string {
  const bytes = new Map<string, number>();
  for (const range of ranges) {
    if (range.from > step || range.to < step) continue;
    const shared = Math.min(high, range.offset + range.bytes) - Math.max(low, range.offset);
    if (shared > 0) bytes.set(symbol(range), (bytes.get(symbol(range)) ?? 0) + shared);
  }
  const used = [...bytes.values()].reduce((sum, b) => sum + b, 0);
  if (used < (high - low) / 2) return FREE;
  return [...bytes].reduce((most, entry) => (entry[1] > most[1] ? entry : most))[0];
}
