/** TensorFlow.js models from their files or from memory. Imported where one is met: most models are TFLite files. */
import { existsSync } from 'node:fs';
import { dirname, join, win32 } from 'node:path';
import { describe, MobileNetError } from '../errors.js';
import type { ModelSpec } from '../model-spec.js';
import { corrupt, naming, unsupported } from './failures.js';
import { isObject, type JsonObject, parseJson } from './json.js';
import { MAX_FILE_BYTES, MAX_JSON_BYTES, MAX_LABEL_BYTES } from './limits.js';
import type { TfjsModelSource } from './load.js';
import { asBytes, readBytes } from './read-file.js';
import { checkLayersModel, readTfjsLayers } from './tfjs-layers.js';
import { shardPaths } from './tfjs-weights.js';

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

export async function readModelJson(path: string, bytes: Uint8Array): Promise<ModelSpec> {
  const json = parseModelJson(bytes, path);
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
  const metadata = existsSync(metadataPath)
    ? parseJson(await readBytes(metadataPath, MAX_LABEL_BYTES), metadataPath)
    : null;
  return readTfjsLayers(json, concatenate(shards), { source: path, metadata });
}

/** @throws MobileNetError INVALID_ARGUMENT naming the field. */
function checkTexts({ labels }: TfjsModelSource, name: unknown): asserts name is string {
  if (typeof name !== 'string') {
    throw new MobileNetError('INVALID_ARGUMENT', `model source: name: expected a string, got ${describe(name)}`);
  }
  if (labels === undefined || labels === null) return;
  if (!Array.isArray(labels)) {
    throw new MobileNetError(
      'INVALID_ARGUMENT',
      `${name}: labels: expected an array of strings, got ${describe(labels)}`,
    );
  }
  const at = labels.findIndex((label) => typeof label !== 'string');
  if (at < 0) return;
  throw new MobileNetError(
    'INVALID_ARGUMENT',
    `${name}: labels[${at}]: expected a string, got ${describe(labels[at])}`,
  );
}

export function readTfjsSource(source: TfjsModelSource): ModelSpec {
  const name: unknown = source.name ?? 'TensorFlow.js model';
  checkTexts(source, name);
  const { modelJson, weights } = source;
  const text = modelJson instanceof Uint8Array ? asBytes(modelJson, `${name}: modelJson`) : modelJson;
  const isText = typeof text === 'string' || text instanceof Uint8Array;
  const json = isText ? parseModelJson(text, `${name}: modelJson`) : text;
  const parts = Array.isArray(weights) ? weights : [weights];
  return readTfjsLayers(json, concatenate(parts.map((part, i) => asBytes(part, `${name}: weights[${i}]`))), {
    source: name,
    metadata: source.metadata,
    labels: source.labels ?? null,
    preprocess: source.preprocess ?? null,
  });
}
