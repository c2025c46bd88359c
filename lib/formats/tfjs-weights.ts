import { describe } from '../errors.js';
import { corrupt } from './failures.js';
import { float16ToFloat32 } from './float16.js';
import { checkFinite, WeightBudget } from './graph.js';
import { array, integer, type JsonObject, number, object, string } from './json.js';
import { MAX_SHARDS } from './limits.js';

/** How a weight is stored: as it is, or quantised for the download. */
type Storage =
  | { readonly kind: 'float32' }
  | { readonly kind: 'float16' }
  | { readonly kind: 'uint8' | 'uint16'; readonly scale: number; readonly min: number };

interface Entry {
  readonly name: string;
  readonly shape: readonly number[];
  /** Null: neither float32 nor quantised float32; nothing a MobileNet's layers use. */
  readonly storage: Storage | null;
  readonly start: number;
  readonly count: number;
  readonly bytes: number;
}

const MAX_WEIGHTS = 10_000;
const bytesOf = new Map([
  ['float32', 4],
  ['float16', 2],
  ['uint8', 1],
  ['uint16', 2],
  ['int32', 4],
  ['bool', 1],
  ['complex64', 8],
]);

/** Paths of the shard files, in order. Empty files count: each is opened. */
export function shardPaths(modelJson: JsonObject): string[] {
  const groups = array(modelJson.weightsManifest, 'weightsManifest');
  const paths: string[] = [];
  for (const [i, group] of groups.entries()) {
    const what = `weightsManifest[${i}]`;
    for (const [k, path] of array(object(group, what).paths, `${what}.paths`).entries()) {
      if (paths.length === MAX_SHARDS) corrupt(`weightsManifest: more than ${MAX_SHARDS} weight files`);
      paths.push(string(path, `${what}.paths[${k}]`));
    }
  }
  return paths;
}

/** The manifest's weights: all groups', or the `weightSpecs` that tfjs' ModelArtifacts have instead. */
function weightSpecs(modelJson: JsonObject): readonly unknown[] {
  if (modelJson.weightsManifest === undefined && modelJson.weightSpecs !== undefined) {
    return array(modelJson.weightSpecs, 'weightSpecs');
  }
  return array(modelJson.weightsManifest, 'weightsManifest').flatMap((group, i) =>
    array(object(group, `weightsManifest[${i}]`).weights, `weightsManifest[${i}].weights`),
  );
}

/** The weights of a TensorFlow.js model by name, decoded when asked for. */
export class TfjsWeights {
  private readonly entries = new Map<string, Entry>();
  /** Shorter names for nested models' and cells' weights; null where two would share one. */
  private readonly aliases = new Map<string, Entry | null>();
  private readonly budget: WeightBudget;

  /** @param bytes all shards, concatenated */
  constructor(
    modelJson: JsonObject,
    private readonly bytes: Uint8Array,
  ) {
    this.budget = new WeightBudget(bytes.length);
    const specs = weightSpecs(modelJson);
    if (specs.length > MAX_WEIGHTS)
      corrupt(`weightsManifest: ${specs.length} weights, expected at most ${MAX_WEIGHTS}`);
    let start = 0;
    for (const [i, spec] of specs.entries()) {
      const entry = readEntry(object(spec, `weight ${i} of the manifest`), i, start);
      if (this.entries.has(entry.name)) corrupt(`weight ${describe(entry.name)}: is in the manifest twice`);
      this.entries.set(entry.name, entry);
      for (const alias of shorterNames(entry.name)) this.aliases.set(alias, this.aliases.has(alias) ? null : entry);
      start += entry.bytes;
      if (start > bytes.length) {
        corrupt(
          `weight ${describe(entry.name)}: ends at byte ${start}, but the weight files have ${bytes.length} bytes`,
        );
      }
    }
    if (start !== bytes.length) corrupt(`the weight files have ${bytes.length} bytes, but the manifest lists ${start}`);
  }

  /**
   * Float32 values of the weight `layer/name` of that shape, or null when there is none and it is optional.
   * Dequantised as tfjs does: q * scale + min in double, rounded once.
   */
  find(layer: string, name: string, shape: readonly number[]): Float32Array | null {
    const full = `${layer}/${name}`;
    const entry = this.entries.get(full) ?? this.aliases.get(full);
    if (entry === undefined || entry === null) return null;
    const what = `weight ${describe(entry.name)}`;
    if (entry.shape.join() !== shape.join()) {
      corrupt(`${what}: shape [${entry.shape.join(', ')}], but its layer needs [${shape.join(', ')}]`);
    }
    this.budget.take(entry.count, { what });
    return checkFinite(this.decode(entry, what), what);
  }

  get(layer: string, name: string, shape: readonly number[]): Float32Array {
    return this.find(layer, name, shape) ?? corrupt(`weight ${describe(`${layer}/${name}`)}: is not in the manifest`);
  }

  private decode(entry: Entry, what: string): Float32Array {
    const { storage, start, count, bytes } = entry;
    if (storage === null) return corrupt(`${what}: is not float32`);
    // A copy, for shards have no alignment; hosts are little-endian, as the shards are.
    const { buffer } = new Uint8Array(this.bytes.subarray(start, start + bytes));
    if (storage.kind === 'float32') return new Float32Array(buffer);
    if (storage.kind === 'float16') return float16ToFloat32(new Uint16Array(buffer));
    const { kind, scale, min } = storage;
    const stored = kind === 'uint8' ? new Uint8Array(buffer) : new Uint16Array(buffer);
    const result = new Float32Array(count);
    for (let i = 0; i < count; i++) result[i] = (stored[i] as number) * scale + min;
    return result;
  }
}

function readEntry(spec: JsonObject, index: number, start: number): Entry {
  const name = string(spec.name, `name of weight ${index} of the manifest`);
  const what = `weight ${describe(name)}`;
  const shape = array(spec.shape, `${what}: shape`);
  if (shape.length > 8) corrupt(`${what}: ${shape.length} sides, expected at most 8`);
  const sides = shape.map((side, i) => integer(side, `${what}: shape[${i}]`, 0, 2 ** 31));
  const dtype = string(spec.dtype, `${what}: dtype`);
  const storage = readStorage(spec, dtype, what);
  const elementBytes = bytesOf.get(storage?.kind ?? dtype);
  if (elementBytes === undefined) return corrupt(`${what}: dtype ${describe(dtype)}`);
  const count = sides.reduce((a, b) => a * b, 1);
  return { name, shape: sides, storage, start, count, bytes: count * elementBytes };
}

function readStorage(spec: JsonObject, dtype: string, what: string): Storage | null {
  if (spec.quantization === undefined || spec.quantization === null) {
    return dtype === 'float32' ? { kind: 'float32' } : null;
  }
  const quantization = object(spec.quantization, `${what}: quantization`);
  const kind = string(quantization.dtype, `${what}: quantization.dtype`);
  if (kind === 'float16') return { kind };
  if (kind !== 'uint8' && kind !== 'uint16') {
    return corrupt(`${what}: quantization.dtype ${describe(kind)}, expected uint8, uint16 or float16`);
  }
  const scale = number(quantization.scale, `${what}: quantization.scale`);
  // tfjs rounds such weights to integers; no layer here has integer weights.
  if (dtype !== 'float32') return corrupt(`${what}: quantised ${describe(dtype)}, expected float32`);
  return { kind, scale, min: number(quantization.min, `${what}: quantization.min`) };
}

/**
 * Names a layer may look its weight up by: a nested model's name goes in front of the layer's (`model/layer/kernel`),
 * TensorFlow 2 puts a cell's name after it (`layer/cell/kernel`).
 */
function shorterNames(name: string): string[] {
  const parts = name.split('/');
  const last = parts.at(-1) as string;
  if (parts.length < 3) return [];
  return [...new Set([`${parts.at(-2)}/${last}`, [...parts.slice(0, -2), last].join('/')])];
}
