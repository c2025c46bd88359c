import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, MobileNetError } from '../errors.js';
import type { ModelSpec, PreprocessRecipeName } from '../model-spec.js';
import { detectFormat } from './detect.js';
import type { FirstOutside } from './graph.js';
import { MAX_LABEL_BYTES } from './limits.js';
import { asBytes, notFound, readBytes, readWhole, sizeOf } from './read-file.js';
import { readTflite } from './tflite.js';
import { decodeLabels } from './tflite-labels.js';

/** A TensorFlow.js layers model in memory. */
export interface TfjsModelSource {
  /** model.json: its text, bytes or parsed; or tfjs' ModelArtifacts. */
  readonly modelJson: object | string | Uint8Array;
  /** The weight files in the manifest's order, or all of them in one. */
  readonly weights: Uint8Array | ArrayBuffer | readonly (Uint8Array | ArrayBuffer)[];
  /** Teachable Machine's metadata.json, parsed: gives labels and the preprocessing recipe. */
  readonly metadata?: object;
  readonly labels?: readonly string[];
  readonly preprocess?: PreprocessRecipeName;
  /** What to call it in messages. */
  readonly name?: string;
}

/**
 * A path (or file: URL) of a .tflite file, of a TensorFlow.js model.json or of the directory that holds either; the
 * bytes of a TFLite file; or a TensorFlow.js model in memory.
 */
export type ModelSource = string | URL | Uint8Array | ArrayBuffer | TfjsModelSource;

/** What makes reading quicker. */
export interface ReadHelp {
  /** Called once, when a model's file is being read and the JavaScript thread has nothing to do. Must not throw. */
  readonly meanwhile?: () => void;
  /** As {@link firstOutside}; called after `meanwhile`. */
  readonly firstOutside?: FirstOutside;
}

/** Teachable Machine's TensorFlow Lite export: one .tflite file, and labels.txt beside it. */
async function readTfliteDirectory(path: string, find?: FirstOutside): Promise<ModelSpec> {
  const names = await readdir(path).catch((error) => {
    throw notFound(path, error);
  });
  const models = names.filter((name) => /\.tflite$/i.test(name));
  const [name] = models;
  if (name === undefined || models.length > 1) {
    const found = name === undefined ? 'no model.json and no .tflite file' : `${models.length} .tflite files: name one`;
    throw new MobileNetError('FILE_NOT_FOUND', `${path}: the directory holds ${found}`);
  }
  const file = join(path, name);
  const spec = readTflite(await readBytes(file), file, find);
  const labels = join(path, 'labels.txt');
  return existsSync(labels)
    ? { ...spec, labels: decodeLabels(await readBytes(labels, MAX_LABEL_BYTES), labels) }
    : spec;
}

async function readPath(path: string, { meanwhile, firstOutside }: ReadHelp): Promise<ModelSpec> {
  const size = sizeOf(path);
  if (size === null) {
    const inside = join(path, 'model.json');
    if (!existsSync(inside)) return readTfliteDirectory(path, firstOutside);
    return (await import('./tfjs-source.js')).readModelJson(inside, await readBytes(inside));
  }
  const bytes = await readWhole(path, size, meanwhile);
  if (detectFormat(bytes, path) === 'tflite') return readTflite(bytes, path, firstOutside);
  return (await import('./tfjs-source.js')).readModelJson(path, bytes);
}

function readInMemory(bytes: Uint8Array, { firstOutside }: ReadHelp): ModelSpec {
  if (detectFormat(bytes, 'model bytes') === 'tflite') return readTflite(bytes, 'model bytes', firstOutside);
  throw new MobileNetError(
    'INVALID_ARGUMENT',
    'model bytes: a JSON file alone, but the weights of a TensorFlow.js model are in other files; pass its path, or ' +
      '{ modelJson, weights }',
  );
}

/** @throws MobileNetError INVALID_ARGUMENT for a URL that names another machine, or no path. */
function pathOf(url: URL): string {
  try {
    return fileURLToPath(url);
  } catch (cause) {
    throw new MobileNetError('INVALID_ARGUMENT', `model source: ${url.href}: ${(cause as Error).message}`, { cause });
  }
}

function isTfjsSource(source: unknown): source is TfjsModelSource {
  return typeof source === 'object' && source !== null && 'modelJson' in source && 'weights' in source;
}

/**
 * Reads a model of any known format into the normalised description. The bytes of a source in memory must stay as they
 * are while the result is used: weights may be views of them.
 *
 * @throws MobileNetError FILE_NOT_FOUND, INVALID_ARGUMENT, MODEL_FORMAT_UNKNOWN, MODEL_CORRUPT or MODEL_UNSUPPORTED
 */
export async function readModel(source: ModelSource, help: ReadHelp = {}): Promise<ModelSpec> {
  if (typeof source === 'string') return readPath(source, help);
  if (source instanceof URL) {
    if (source.protocol === 'file:') return readPath(pathOf(source), help);
    throw new MobileNetError('INVALID_ARGUMENT', `model source: ${source.protocol} URL, expected file:`);
  }
  if (source instanceof Uint8Array || source instanceof ArrayBuffer)
    return readInMemory(asBytes(source, 'model bytes'), help);
  if (isTfjsSource(source)) return (await import('./tfjs-source.js')).readTfjsSource(source);
  throw new MobileNetError(
    'INVALID_ARGUMENT',
    `model source: ${describe(source)}, expected a path, bytes or { modelJson, weights }`,
  );
}
