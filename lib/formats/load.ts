import { closeSync, existsSync, openSync, read, type Stats, statSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { dirname, join, win32 } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, MobileNetError } from '../errors.js';
import type { ModelSpec, PreprocessRecipeName } from '../model-spec.js';
import { detectFormat } from './detect.js';
import { corrupt, naming, unsupported } from './failures.js';
import { isObject, type JsonObject, parseJson } from './json.js';
import { MAX_FILE_BYTES, MAX_JSON_BYTES } from './limits.js';
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

/** Called once, when a model's file is being read and the JavaScript thread has nothing to do. */
export type Meanwhile = () => void;

/** The bytes of a file, or null: it is a directory. At once, as opening it: a turn of the event loop takes far longer. */
function sizeOf(path: string): number | null {
  let info: Stats;
  try {
    info = statSync(path);
  } catch (error) {
    throw notFound(path, error);
  }
  if (info.isDirectory()) return null;
  if (!info.isFile()) throw new MobileNetError('INVALID_ARGUMENT', `${path}: is neither a file nor a directory`);
  if (info.size <= MAX_FILE_BYTES) return info.size;
  return unsupported(`${path}: ${info.size} bytes, expected a model file of at most ${MAX_FILE_BYTES}`);
}

function notFound(path: string, error: unknown): MobileNetError {
  const code = isObject(error) && error.code !== 'ENOENT' ? ` (${String(error.code)})` : '';
  return new MobileNetError('FILE_NOT_FOUND', `${path}: does not exist or cannot be read${code}`, { cause: error });
}

async function readBytes(path: string): Promise<Uint8Array> {
  const size = sizeOf(path);
  if (size === null) throw new MobileNetError('FILE_NOT_FOUND', `${path}: is a directory, expected a file`);
  return readWhole(path, size);
}

/** Read at the same time: most of a piece's time goes into new memory for it (14 MB: 10 ms in one, 6 ms in these). */
const PIECE_BYTES = 2 ** 21;

async function readWhole(path: string, size: number, meanwhile?: Meanwhile): Promise<Uint8Array> {
  let file: number | undefined;
  try {
    file = openSync(path, 'r');
    const bytes = Buffer.allocUnsafeSlow(size);
    const pieces: Promise<number>[] = [];
    for (let at = 0; at < size; at += PIECE_BYTES) {
      pieces.push(readPiece(file, bytes.subarray(at, at + PIECE_BYTES), at));
    }
    meanwhile?.();
    await Promise.allSettled(pieces); // all, before the file is closed
    const total = (await Promise.all(pieces)).reduce((sum, read) => sum + read, 0);
    return total === size ? bytes : corrupt(`${path}: has become shorter while it was read`);
  } catch (error) {
    throw error instanceof MobileNetError ? error : notFound(path, error);
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/** Fills `piece` with what is at `position`, and returns how many bytes there are before the file ends. */
function readPiece(file: number, piece: Uint8Array, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const readRest = (done: number) =>
      read(file, piece, done, piece.length - done, position + done, (error, bytes) => {
        if (error) reject(error);
        else if (bytes === 0 || done + bytes === piece.length) resolve(done + bytes);
        else readRest(done + bytes);
      });
    readRest(0);
  });
}

/**
 * Where a shard lies. model.json is not trusted to name files elsewhere: no absolute paths, no URLs, no "..". (What the
 * directory's owner links to from inside it is the owner's business: caches do so.)
 */
function shardFile(directory: string, path: string): string {
  const parts = path.split('/');
  const outside = path === '' || path.includes('\\') || path.includes('\0') || path.includes(':');
  if (outside || win32.isAbsolute(path) || parts.includes('..')) {
    corrupt(`weight file ${describe(path)}, expected a path inside the model's directory`);
  }
  return join(directory, ...parts);
}

function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const [only] = parts;
  if (parts.length === 1 && only !== undefined) return only;
  const total = parts.reduce((sum, part) => sum + part.length, 0);
  if (total > MAX_FILE_BYTES) unsupported(`weight files of ${total} bytes, expected at most ${MAX_FILE_BYTES}`);
  const all = new Uint8Array(total);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Parses model.json as far as to be sure that it is a layers model. */
function parseModelJson(bytes: string | Uint8Array, name: string): JsonObject {
  if (bytes.length > MAX_JSON_BYTES) unsupported(`${name}: ${bytes.length} bytes, expected at most ${MAX_JSON_BYTES}`);
  const json = parseJson(bytes, name);
  if (isObject(json) && isObject(json.modelTopology)) return json;
  throw new MobileNetError('MODEL_FORMAT_UNKNOWN', `${name}: JSON without a modelTopology, so no TensorFlow.js model`);
}

/** Apart, because most models are TFLite files, and loading one does not wait for this. */
function loadTfjsReader() {
  return Promise.all([import('./tfjs-layers.js'), import('./tfjs-weights.js')]);
}

async function readModelJson(path: string, bytes: Uint8Array): Promise<ModelSpec> {
  const json = parseModelJson(bytes, path);
  const [{ checkLayersModel, readTfjsLayers }, { shardPaths }] = await loadTfjsReader();
  const directory = dirname(path);
  const files = naming(path, () => {
    checkLayersModel(json); // before its shards, which may be large
    return shardPaths(json).map((shard) => shardFile(directory, shard));
  });
  const shards: Uint8Array[] = [];
  let total = 0;
  for (const file of files) {
    const shard = await readBytes(file);
    total += shard.length;
    if (total > MAX_FILE_BYTES) unsupported(`${path}: weight files of more than ${MAX_FILE_BYTES} bytes`);
    shards.push(shard);
  }
  const metadataPath = join(directory, 'metadata.json');
  const metadata = existsSync(metadataPath) ? parseJson(await readBytes(metadataPath), metadataPath) : null;
  return readTfjsLayers(json, concatenate(shards), { source: path, metadata });
}

/** Teachable Machine's TensorFlow Lite export: one .tflite file, and labels.txt beside it. */
async function readTfliteDirectory(path: string): Promise<ModelSpec> {
  const models = (await readdir(path)).filter((name) => /\.tflite$/i.test(name));
  const [name] = models;
  if (name === undefined || models.length > 1) {
    const found = name === undefined ? 'no model.json and no .tflite file' : `${models.length} .tflite files: name one`;
    throw new MobileNetError('FILE_NOT_FOUND', `${path}: the directory holds ${found}`);
  }
  const file = join(path, name);
  const spec = readTflite(await readBytes(file), file);
  const labels = join(path, 'labels.txt');
  return existsSync(labels) ? { ...spec, labels: decodeLabels(await readBytes(labels), labels) } : spec;
}

async function readPath(path: string, meanwhile?: Meanwhile): Promise<ModelSpec> {
  const size = sizeOf(path);
  if (size === null) {
    const inside = join(path, 'model.json');
    return existsSync(inside) ? readModelJson(inside, await readBytes(inside)) : readTfliteDirectory(path);
  }
  const bytes = await readWhole(path, size, meanwhile);
  return detectFormat(bytes, path) === 'tflite' ? readTflite(bytes, path) : readModelJson(path, bytes);
}

function readInMemory(bytes: Uint8Array): ModelSpec {
  if (detectFormat(bytes, 'model bytes') === 'tflite') return readTflite(bytes, 'model bytes');
  throw new MobileNetError(
    'INVALID_ARGUMENT',
    'model bytes: a JSON file alone, but the weights of a TensorFlow.js model are in other files; pass its path, or ' +
      '{ modelJson, weights }',
  );
}

function asBytes(value: unknown, what: string): Uint8Array {
  if (value instanceof Uint8Array) return value;
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  throw new MobileNetError('INVALID_ARGUMENT', `${what}: expected a Uint8Array or ArrayBuffer, got ${describe(value)}`);
}

async function readTfjsSource(source: TfjsModelSource): Promise<ModelSpec> {
  const name = source.name ?? 'TensorFlow.js model';
  const { modelJson, weights } = source;
  const isText = typeof modelJson === 'string' || modelJson instanceof Uint8Array;
  const json = isText ? parseModelJson(modelJson, `${name}: modelJson`) : modelJson;
  const [{ readTfjsLayers }] = await loadTfjsReader();
  const parts = Array.isArray(weights) ? weights : [weights];
  return readTfjsLayers(json, concatenate(parts.map((part, i) => asBytes(part, `${name}: weights[${i}]`))), {
    source: name,
    metadata: source.metadata,
    labels: source.labels ?? null,
    preprocess: source.preprocess ?? null,
  });
}

/**
 * Reads a model of any known format into the normalised description. The bytes of a source in memory must stay as they
 * are while the result is used: weights may be views of them.
 *
 * @param meanwhile called while a file is read, if the source is one; must not throw.
 * @throws MobileNetError FILE_NOT_FOUND, INVALID_ARGUMENT, MODEL_FORMAT_UNKNOWN, MODEL_CORRUPT or MODEL_UNSUPPORTED
 */
export async function readModel(source: ModelSource, meanwhile?: Meanwhile): Promise<ModelSpec> {
  if (typeof source === 'string') return readPath(source, meanwhile);
  if (source instanceof URL) {
    if (source.protocol === 'file:') return readPath(fileURLToPath(source), meanwhile);
    throw new MobileNetError('INVALID_ARGUMENT', `model source: ${source.protocol} URL, expected file:`);
  }
  if (source instanceof Uint8Array || source instanceof ArrayBuffer)
    return readInMemory(asBytes(source, 'model bytes'));
  if (isObject(source) && 'modelJson' in source && 'weights' in source) return readTfjsSource(source);
  throw new MobileNetError(
    'INVALID_ARGUMENT',
    `model source: ${describe(source)}, expected a path, bytes or { modelJson, weights }`,
  );
}
