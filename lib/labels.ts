/** Label files, and fitting them to a model's classes. */
import { readFile, stat } from 'node:fs/promises';
import { describe, MobileNetError } from './errors.js';
import { MAX_LABEL_BYTES, splitLabels } from './formats/index.js';

/**
 * Reads labels from a text file (one per line; lines may be numbered 0, 1, 2 ... as Coral's are) or a JSON file (an
 * array, or Teachable Machine's metadata with `labels`).
 *
 * @throws MobileNetError FILE_NOT_FOUND, LABELS_INVALID.
 */
export async function readLabelFile(path: string): Promise<string[]> {
  let bytes: Buffer;
  try {
    const info = await stat(path); // before opening: to open a named pipe may wait for ever
    if (!info.isFile()) throw new MobileNetError('FILE_NOT_FOUND', `labels: ${path} is no regular file`);
    checkSize(info.size, path);
    bytes = await readFile(path);
  } catch (cause) {
    if (cause instanceof MobileNetError) throw cause;
    throw new MobileNetError('FILE_NOT_FOUND', `labels: cannot read ${path}`, { cause });
  }
  return parseLabels(bytes, path);
}

/** @internal The same for bytes; `source` is what messages call them. */
export function parseLabels(bytes: Uint8Array, source: string): string[] {
  checkSize(bytes.byteLength, source);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw invalid(`${source} is not UTF-8 text`);
  }
  if (/^\s*[[{]/.test(text)) {
    const parsed = parseJsonLabels(text);
    if (parsed !== null) return checkLabels(parsed, source);
  }
  const labels = splitLabels(text);
  if (labels === null) throw invalid(`${source} has more lines than any network has classes`);
  return checkLabels(labels, source);
}

function checkSize(bytes: number, source: string): void {
  if (bytes > MAX_LABEL_BYTES) throw invalid(`${source} has ${bytes} bytes, too many for labels`);
}

/** Null: the text is no JSON after all (a label may begin with a bracket). */
function parseJsonLabels(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value : ((value as { labels?: unknown }).labels ?? []);
  } catch {
    return null;
  }
}

/** @throws MobileNetError LABELS_INVALID unless `labels` is a non-empty array of strings. */
export function checkLabels(labels: unknown, source: string): string[] {
  if (!Array.isArray(labels) || labels.length === 0) throw invalid(`${source} holds no labels`);
  labels.forEach((label: unknown, i) => {
    if (typeof label !== 'string') throw invalid(`${source}: label ${i} is ${describe(label)}, not a string`);
  });
  return labels as string[];
}

const BACKGROUND = 'background';

/**
 * Labels by raw output index. TensorFlow's ImageNet networks have 1001 outputs, of which 0 is "background", everybody
 * else's have 1000; label files come in both lengths, so that one without the background is shifted, and one with it
 * loses it, as the network's outputs ask.
 *
 * @throws MobileNetError LABELS_INVALID for any other difference in number.
 */
export function alignLabels(labels: readonly string[], classes: number, source: string): readonly string[] {
  if (labels.length === classes) return labels;
  const hasBackground = labels[0]?.toLowerCase() === BACKGROUND;
  if (labels.length + 1 === classes && !hasBackground) return [BACKGROUND, ...labels];
  if (labels.length === classes + 1 && hasBackground) return labels.slice(1);
  throw invalid(`${source} has ${labels.length} labels, but the model has ${classes} classes`);
}

function invalid(message: string): MobileNetError {
  return new MobileNetError('LABELS_INVALID', `labels: ${message}`);
}
