import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { describe, MobileNetError } from '../errors.js';
import type { ModelSpec } from '../model-spec.js';
import { naming } from './failures.js';
import { isObject, object, parseJson, string } from './json.js';
import { checkLayersModel, readTfjsLayers } from './tfjs-layers.js';
import { shardPaths } from './tfjs-weights.js';

/** The models the nsfwjs package ships; of these only MobileNetV2 is one this engine runs. */
export type NsfwjsModelName = 'MobileNetV2' | 'MobileNetV2Mid' | 'InceptionV3';

const folders = new Map<string, string>([
  ['MobileNetV2', 'mobilenet_v2'],
  ['MobileNetV2Mid', 'mobilenet_v2_mid'],
  ['InceptionV3', 'inception_v3'],
]);

/** Up from a file of the package to the directory of its package.json, and the version there. */
function findPackage(file: string): { directory: string; version: string } | null {
  for (let directory = dirname(file); directory !== dirname(directory); directory = dirname(directory)) {
    try {
      const manifest = parseJson(readFileSync(join(directory, 'package.json')), 'package.json');
      if (isObject(manifest) && manifest.name === 'nsfwjs') return { directory, version: String(manifest.version) };
    } catch {
      // no package.json here, or one that only sets the module type
    }
  }
  return null;
}

/** Looks from `from`, or else from the current directory and from this package. */
function locate(from: string | undefined): { load: NodeJS.Require; directory: string; version: string } {
  const places =
    from === undefined ? [join(process.cwd(), 'package.json'), import.meta.url] : [join(from, 'package.json')];
  for (const place of places) {
    const load = createRequire(place);
    try {
      const found = findPackage(load.resolve('nsfwjs'));
      if (found !== null) return { load, ...found };
    } catch {
      // not installed there
    }
  }
  throw new MobileNetError(
    'FILE_NOT_FOUND',
    `package nsfwjs is not installed in ${from ?? process.cwd()}: npm install nsfwjs`,
  );
}

/** The package's class names in the order of the outputs: { 0: 'Drawing', ... }. */
function readClasses(load: NodeJS.Require, directory: string): string[] | null {
  try {
    const module: unknown = load(join(directory, 'dist/cjs/nsfw_classes.js'));
    const classes = object(isObject(module) ? module.NSFW_CLASSES : null, 'NSFW_CLASSES');
    return Object.keys(classes).map((_, i) => string(classes[i], `NSFW_CLASSES[${i}]`));
  } catch {
    return null; // another layout: the model works without names
  }
}

/**
 * Reads a model that the installed npm package nsfwjs ships: five content-moderation classes, quantised weights as
 * base64 modules. This runs those modules (installed code, trusted as such), but not TensorFlow.js. They are required by
 * path: the package's own loaders wrap the base64 text as a module namespace, which gives each of its millions of
 * characters a property and takes seconds.
 *
 * @param from the absolute path of the directory from which to look; otherwise the current one, then this package's
 * @throws MobileNetError FILE_NOT_FOUND when the package or its model is not there; else as readTfjsLayers
 */
export async function readNsfwjsPackage(model: NsfwjsModelName = 'MobileNetV2', from?: string): Promise<ModelSpec> {
  const folder = folders.get(model);
  if (folder === undefined) {
    const known = [...folders.keys()].join(', ');
    throw new MobileNetError('MODEL_UNKNOWN_NAME', `nsfwjs model ${describe(model)}, expected one of ${known}`);
  }
  const { load, directory, version } = locate(from);
  const source = `nsfwjs ${version} ${model}`;
  const bundle = (name: string): unknown => {
    const path = join(directory, 'dist/models', folder, `${name}.min.js`);
    try {
      return load(path);
    } catch (error) {
      throw new MobileNetError('FILE_NOT_FOUND', `${source}: ${path} cannot be loaded`, { cause: error });
    }
  };
  const modelJson = object(bundle('model'), `${source}: model.json`);
  naming(source, () => checkLayersModel(modelJson));
  const shards = shardPaths(modelJson).map((path) =>
    Buffer.from(string(bundle(path), `${source}: weights ${path}`), 'base64'),
  );
  return readTfjsLayers(modelJson, Buffer.concat(shards), {
    source,
    labels: readClasses(load, directory),
    preprocess: 'nsfwjs',
  });
}
