/**
 * The order in which the stages of a row chain take turns, as native/engine/row_chain.h runs it. Played here to find
 * how many rows each ring must keep; native plays it once more before it trusts a program.
 */
import type { NativeOp, StageShape } from '../native.js';

/** What the order depends on. */
export interface ChainStage {
  readonly op: NativeOp;
  readonly shape: StageShape;
  readonly stripRows: number;
}

function window(op: NativeOp): { kernel: number; stride: number } | null {
  if (op.kind === 'stem' || op.kind === 'pointwise') return op.conv;
  return op.kind === 'invertedResidual' ? op.depthwise : null;
}

/** One past the last input row that output rows below rowEnd read. */
function inputRowsNeeded({ op, shape }: ChainStage, rowEnd: number): number {
  const w = window(op);
  if (w === null) return shape.inHeight;
  return Math.min((rowEnd - 1) * w.stride - shape.padTop + w.kernel, shape.inHeight);
}

/** First input row that output row `row` reads when it is the first one made. */
function firstInputRow({ op, shape }: ChainStage, row: number): number {
  const w = window(op);
  return w === null ? 0 : Math.max(row * w.stride - shape.padTop, 0);
}

/** First input row still needed when output rows from rowBegin on are made and expansion has come to nextExpanded. */
function firstLiveRow(stage: ChainStage, rowBegin: number, nextExpanded: number): number {
  const { op } = stage;
  if (op.kind !== 'invertedResidual' || op.expand === null) return firstInputRow(stage, rowBegin);
  return op.residual ? Math.min(nextExpanded, rowBegin) : nextExpanded;
}

/**
 * Rows that each stage's output must keep so that rows [rowBegin, rowEnd) of the last stage can be made. The last
 * entry is the last stage's whole height.
 */
export function ringRows(stages: readonly ChainStage[], rowBegin: number, rowEnd: number): number[] {
  const last = stages.length - 1;
  if (last === 0) return [(stages[0] as ChainStage).shape.outHeight]; // no rings, whatever the order
  const next: number[] = [];
  const expanded: number[] = [];
  let row = rowBegin;
  for (let k = last; k >= 0; k--) {
    const stage = stages[k] as ChainStage;
    next[k] = row;
    row = firstInputRow(stage, row);
    expanded[k] = row;
  }
  const rows = stages.map((stage, k) => (k === last ? stage.shape.outHeight : 1));

  const produce = (k: number, until: number): void => {
    const stage = stages[k] as ChainStage;
    const limit = k === last ? rowEnd : stage.shape.outHeight;
    for (let begin = next[k] as number; begin < until; begin = next[k] as number) {
      const end = Math.min(begin + stage.stripRows, limit);
      if (k > 0) {
        produce(k - 1, inputRowsNeeded(stage, end));
        const live = (next[k - 1] as number) - firstLiveRow(stage, begin, expanded[k] as number);
        rows[k - 1] = Math.max(rows[k - 1] as number, live);
      }
      rows[k] = Math.max(rows[k] as number, end - begin);
      expanded[k] = Math.max(expanded[k] as number, inputRowsNeeded(stage, end));
      next[k] = end;
    }
  };
  produce(last, rowEnd);
  return rows.map((count, k) => Math.min(count, (stages[k] as ChainStage).shape.outHeight));
}
