import { describe } from '../errors.js';
import { corrupt } from './failures.js';
import { FlatBuffer, type Table, type Tables } from './flatbuffer.js';
import { MAX_CHANNELS, MAX_LABEL_BYTES } from './limits.js';
import { readAppendedZip } from './zip.js';

/* Labels inside a TFLite file: "associated files" are a zip archive after the FlatBuffer, and a second FlatBuffer, in
 * the buffer that the model's metadata calls TFLITE_METADATA, says which of them names the outputs. */

const TENSOR_AXIS_LABELS = 2;
const TENSOR_VALUE_LABELS = 3;

function* take(tables: Tables, limit: number): Generator<Table> {
  for (let i = 0; i < Math.min(tables.length, limit); i++) yield tables.at(i);
}

/** The label file's name according to the metadata, or null. */
function nameFromMetadata(file: FlatBuffer, model: Table): string | null {
  for (const entry of take(model.tables(6, 'metadata'), 64)) {
    if (entry.string(0, 'name') !== 'TFLITE_METADATA') continue;
    const data = model.tables(4, 'buffers').at(entry.u32(1, 'buffer')).vector(0, 1, 'data');
    if (data === null) return null;
    const metadata = new FlatBuffer(file.bytes.subarray(data.start, data.start + data.length)).root('metadata');
    for (const subgraph of take(metadata.tables(3, 'subgraph_metadata'), 1)) {
      for (const output of take(subgraph.tables(3, 'output_tensor_metadata'), 1)) {
        for (const associated of take(output.tables(6, 'associated_files'), 64)) {
          const type = associated.u8(2, 'type');
          if (type === TENSOR_AXIS_LABELS || type === TENSOR_VALUE_LABELS) return associated.string(0, 'name');
        }
      }
    }
  }
  return null;
}

/**
 * Labels of a text file, one per line; empty lines at the end are none. When every line carries its own number ("0
 * background", "1 tench" ...: Coral's files and Teachable Machine's), the numbers are no part of the labels. Null: there
 * are more lines than any network has classes.
 */
export function splitLabels(text: string): string[] | null {
  const body = text.replace(/^\uFEFF/, '').trimEnd();
  if (body === '') return [];
  let count = 1; // before anything is made of the lines: a few KB of an archive unpack to millions
  for (let at = body.indexOf('\n'); at >= 0; at = body.indexOf('\n', at + 1)) {
    if (++count > MAX_CHANNELS) return null;
  }
  const lines = body.split('\n').map((line) => line.trim());
  const numbered: string[] = [];
  for (const [i, line] of lines.entries()) {
    const label = withoutNumber(line, i);
    if (label === null) return lines;
    numbered.push(label);
  }
  return numbered;
}

/** `label` of "7 label", "7: label" or "7, label"; null when the line does not begin with this number. */
function withoutNumber(line: string, number: number): string | null {
  const digits = String(number);
  if (!line.startsWith(digits)) return null;
  const mark = line[digits.length];
  const rest = line.slice(digits.length + (mark === ':' || mark === ',' ? 1 : 0));
  const label = rest.trimStart();
  return label === '' || label.length === rest.length ? null : label;
}

/** The same of a file's bytes, which must be UTF-8 text of plausible length. */
export function decodeLabels(bytes: Uint8Array, name: string): string[] {
  try {
    const labels = splitLabels(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    return labels ?? corrupt(`label file ${describe(name)}: more than ${MAX_CHANNELS} lines`);
  } catch (error) {
    if (error instanceof TypeError) return corrupt(`label file ${describe(name)}: is not UTF-8 text`, error);
    throw error;
  }
}

/**
 * The labels a TFLite file carries, or null: the associated file its metadata names, else the only .txt file.
 * Their number is the file's own; whether it fits the classes is not checked here.
 */
export function readTfliteLabels(file: FlatBuffer, model: Table): string[] | null {
  const entries = readAppendedZip(file.bytes);
  if (entries.length === 0) return null;
  const named = nameFromMetadata(file, model);
  const texts = entries.filter((entry) => /\.txt$/i.test(entry.name));
  const only = texts.length === 1 ? texts[0] : undefined;
  const entry = entries.find((candidate) => candidate.name === named) ?? only;
  if (entry === undefined) return null;
  return decodeLabels(entry.read(MAX_LABEL_BYTES), entry.name);
}
