/** From probabilities to typed results. */

/** One class of one image. */
export interface Classification {
  /** Raw output index of the model, whatever the labels are. */
  readonly index: number;
  /** Null when the model came without labels. */
  readonly label: string | null;
  /** 0 ... 1. */
  readonly probability: number;
}

/** The `count` most probable classes, best first; of equal ones the lower index first. */
export function topK(probabilities: Float32Array, count: number, labels: readonly string[] | null): Classification[] {
  const best: number[] = []; // indices, best first
  for (let i = 0; i < probabilities.length; i++) {
    const p = probabilities[i] as number;
    if (best.length === count && p <= (probabilities[best[count - 1] as number] as number)) continue;
    let at = best.length;
    while (at > 0 && (probabilities[best[at - 1] as number] as number) < p) at--;
    best.splice(at, 0, i);
    if (best.length > count) best.pop();
  }
  return best.map((index) => ({
    index,
    label: labels?.[index] ?? null,
    probability: probabilities[index] as number,
  }));
}
