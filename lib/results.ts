/** From the network's outputs to typed results: which classes, in what form. */
import type { ImageOutcome } from './batch.js';
import { invalidArgument } from './errors.js';
import { type ClassifyOptions, checkBoolean, checkChoice, checkInteger, checkNumber } from './options.js';

/** One class of one image. */
export interface Classification {
  /** Raw output index of the model, whatever the labels are. */
  readonly index: number;
  /** Null when the model came without labels. */
  readonly label: string | null;
  /** 0 ... 1. */
  readonly probability: number;
}

/** With `logits: true`. */
export interface ClassificationWithLogit extends Classification {
  /** The network's output before softmax; of a quantised network its dequantised value. */
  readonly logit: number;
}

/** With `outputs: 'typed-array'`: entry i of each array is about the i-th best class. All have the same length. */
export interface ClassScores {
  /** Raw output indices. */
  readonly indices: Int32Array;
  /** 0 ... 1, not ascending. */
  readonly probabilities: Float32Array;
  /** With `logits: true`, else null. */
  readonly logits: Float32Array | null;
}

/** What {@link ClassifyOptions} make of one image. */
export type ClassifyResult<O extends ClassifyOptions> = O extends { readonly outputs: 'typed-array' }
  ? ClassScores
  : O extends { readonly logits: true }
    ? ClassificationWithLogit[]
    : Classification[];

/** What one image of a batch or stream gave: predictions, or the reason why it has none. */
export type ImageResult<Predictions> = ImageOutcome<{ predictions: Predictions }>;

/** What one image of a batch gave: its vector, or the reason why it has none. */
export type EmbeddingResult = ImageOutcome<{ embedding: Float32Array }>;

/** Which classes of an image are wanted, and how: {@link ClassifyOptions} checked once per call. */
export interface Selection {
  readonly count: number;
  readonly minProbability: number;
  /** By class: 1 where wanted. Null: all are. */
  readonly mask: Uint8Array | null;
  readonly logits: boolean;
  readonly typedArrays: boolean;
}

/** @throws MobileNetError INVALID_ARGUMENT naming the option. */
export function checkSelection(options: ClassifyOptions, labels: ClassLabels): Selection {
  const { topK = 5, minProbability = 0, allow, deny, logits = false, outputs = 'objects' } = options;
  let mask: Uint8Array | null = null;
  if (allow !== undefined) mask = labels.mark(new Uint8Array(labels.classes), 'allow', allow, 1);
  if (deny !== undefined) mask = labels.mark(mask ?? new Uint8Array(labels.classes).fill(1), 'deny', deny, 0);
  return {
    count: checkInteger('topK', topK, 1, Number.MAX_SAFE_INTEGER),
    minProbability: checkNumber('minProbability', minProbability, 0, 1),
    mask,
    logits: checkBoolean('logits', logits),
    typedArrays: checkChoice('outputs', outputs, ['objects', 'typed-array']) === 'typed-array',
  };
}

/** A model's labels by class, and its classes by label. */
export class ClassLabels {
  #byLabel: Map<string, number[]> | null = null;

  constructor(
    readonly classes: number,
    readonly labels: readonly string[] | null,
  ) {}

  /** Writes `value` into `mask` at each class of the list. */
  mark(mask: Uint8Array, option: string, list: readonly (string | number)[], value: 0 | 1): Uint8Array {
    if (!Array.isArray(list)) throw invalidArgument(option, 'an array of labels or indices', list);
    list.forEach((item, i) => {
      for (const index of this.indicesOf(`${option}[${i}]`, item)) mask[index] = value;
    });
    return mask;
  }

  /**
   * The classes a label or an index means.
   *
   * @param name what messages call the value.
   * @throws MobileNetError INVALID_ARGUMENT.
   */
  indicesOf(name: string, item: unknown): readonly number[] {
    if (typeof item === 'number') return [checkInteger(name, item, 0, this.classes - 1)];
    if (typeof item !== 'string') throw invalidArgument(name, 'a label or an index', item);
    if (this.labels === null) throw invalidArgument(name, 'an index: the model has no labels', item);
    const found = this.#map(this.labels).get(item);
    if (found === undefined) throw invalidArgument(name, "one of the model's labels", item);
    return found;
  }

  /** The one class a label or an index means. @throws MobileNetError INVALID_ARGUMENT when there are several. */
  indexOf(name: string, item: unknown): number {
    const [index, ...others] = this.indicesOf(name, item);
    if (others.length === 0) return index as number;
    throw invalidArgument(name, `an index: classes ${[index, ...others].join(' and ')} share this label`, item);
  }

  #map(labels: readonly string[]): Map<string, number[]> {
    if (this.#byLabel === null) {
      this.#byLabel = new Map();
      for (const [i, label] of labels.entries()) {
        const known = this.#byLabel.get(label);
        if (known) known.push(i);
        else this.#byLabel.set(label, [i]);
      }
    }
    return this.#byLabel;
  }
}

/** The wanted classes, best first; of equal ones the lower index first. */
export function selectClasses(probabilities: Float32Array, { count, minProbability, mask }: Selection): number[] {
  const best: number[] = [];
  for (let i = 0; i < probabilities.length; i++) {
    const p = probabilities[i] as number;
    if (p < minProbability || (mask !== null && mask[i] === 0)) continue;
    if (best.length === count && p <= (probabilities[best[count - 1] as number] as number)) continue;
    let at = best.length;
    while (at > 0 && (probabilities[best[at - 1] as number] as number) < p) at--;
    best.splice(at, 0, i);
    if (best.length > count) best.pop();
  }
  return best;
}

/** One image's result in the form the selection asks for; the arrays given are not kept. */
export function toResult(
  probabilities: Float32Array,
  logits: Float32Array,
  selection: Selection,
  { labels }: ClassLabels,
): Classification[] | ClassScores {
  const chosen = selectClasses(probabilities, selection);
  const at = (values: Float32Array) => (index: number) => values[index] as number;
  if (selection.typedArrays) {
    return {
      indices: Int32Array.from(chosen),
      probabilities: Float32Array.from(chosen, at(probabilities)),
      logits: selection.logits ? Float32Array.from(chosen, at(logits)) : null,
    };
  }
  return chosen.map((index) => ({
    index,
    label: labels?.[index] ?? null,
    probability: probabilities[index] as number,
    ...(selection.logits && { logit: logits[index] as number }),
  }));
}
