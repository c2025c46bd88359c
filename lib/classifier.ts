/** The facade: load a model, classify images. */

import { dequantize } from './compile/dequantize.js';
import { type DecodedImage, decodeImage, type ImageInput } from './decode.js';
import { Engine } from './engine.js';
import { describe, MobileNetError } from './errors.js';
import { type ModelSource, readModel, readNsfwjsPackage, readTflite } from './formats/index.js';
import { alignLabels, checkLabels, parseLabels, readLabelFile } from './labels.js';
import { describeNetwork, type ModelInfo, type NetworkInfo } from './model-info.js';
import type { ModelSpec } from './model-spec.js';
import { fetchModel, isModelName, type ModelName } from './models.js';
import { isaCeiling, native } from './native.js';
import { type ClassifyOptions, checkInteger, checkOptions, type InferOptions, type LoadOptions } from './options.js';
import { type PreprocessRecipe, planPreprocess, resolveRecipe } from './preprocess.js';
import { type Classification, topK } from './results.js';
import { defaultThreads } from './threads.js';

const MAX_THREADS = 1024;
const LOAD_OPTIONS = [
  'labels',
  'preprocess',
  'precision',
  'threads',
  'cacheDir',
  'localOnly',
  'onProgress',
  'maxPixels',
];

/**
 * A loaded network. Make one with {@link MobileNetV2.load}; it may be used from any number of concurrent calls.
 *
 * @example
 * const model = await MobileNetV2.load('imagenet');
 * const [best] = await model.classify('cat.jpg');
 * await model.close();
 */
export class MobileNetV2 {
  readonly #engine: Engine;
  readonly #spec: ModelSpec;
  readonly #network: NetworkInfo;
  readonly #labels: readonly string[] | null;
  readonly #recipe: PreprocessRecipe;
  readonly #maxPixels: number | undefined;
  readonly #cancel = new Int32Array(1);
  readonly #running = new Set<Promise<unknown>>();
  #closed: Promise<void> | null = null;

  private constructor(
    spec: ModelSpec,
    engine: Engine,
    labels: readonly string[] | null,
    recipe: PreprocessRecipe,
    maxPixels: number | undefined,
  ) {
    this.#spec = spec;
    this.#engine = engine;
    this.#network = describeNetwork(spec, engine.compiled);
    this.#labels = labels;
    this.#recipe = recipe;
    this.#maxPixels = maxPixels;
  }

  /**
   * Loads a model.
   *
   * @param source A name (`'imagenet'`, `'nsfwjs'`), the path of a .tflite file, of a TensorFlow.js model.json or of the
   *   directory that holds one (a Teachable Machine export), a file: URL, the bytes of a TFLite file, or a TensorFlow.js
   *   model in memory. A file or directory that has the name of a model is reached as `./imagenet`.
   * @throws MobileNetError; every code that begins with MODEL_, and INVALID_ARGUMENT, FILE_NOT_FOUND, LABELS_INVALID,
   *   NATIVE_UNAVAILABLE, ISA_UNAVAILABLE.
   */
  static async load(source: ModelSource | ModelName, options: LoadOptions = {}): Promise<MobileNetV2> {
    checkOptions('options', options, LOAD_OPTIONS);
    const { precision } = options;
    if (precision !== undefined && precision !== 'float32') {
      throw new MobileNetError('INVALID_ARGUMENT', `precision: expected 'float32', got ${describe(precision)}`);
    }
    const spec = await readSource(source, options);
    return MobileNetV2.fromSpec(precision === 'float32' ? dequantize(spec) : spec, options);
  }

  /** @internal A network that is described already. */
  static async fromSpec(spec: ModelSpec, options: LoadOptions): Promise<MobileNetV2> {
    const threads = checkInteger('threads', options.threads ?? defaultThreads(), 1, MAX_THREADS);
    const recipe = resolveRecipe(options.preprocess ?? spec.preprocess ?? 'tf');
    const labels = await labelsFor(spec, options.labels);
    return new MobileNetV2(spec, new Engine(spec, { threads }), labels, recipe, options.maxPixels);
  }

  /** What was loaded and how it runs. */
  get info(): ModelInfo {
    const { height, width } = this.#spec.input;
    return {
      ...this.#network,
      hasLabels: this.#labels !== null,
      preprocess: this.#recipe.name,
      isa: this.#engine.facts.isa,
      threads: this.#engine.threads,
      weightBytes: this.#engine.facts.packedBytes,
      arena: {
        bytes: this.#engine.plan(height, width).program.arenaBytes,
        highWaterBytes: this.#engine.highWaterBytes,
      },
    };
  }

  /**
   * The most probable classes of one image, best first; of equal ones the lower index first. Runs off the JavaScript
   * thread.
   *
   * @param image The path of an image file, the bytes of one (JPEG, PNG, WebP, AVIF, GIF, TIFF), or raw 8-bit pixels.
   *   Do not change or transfer a buffer before the promise settles.
   * @throws MobileNetError INVALID_ARGUMENT, FILE_NOT_FOUND, IMAGE_INVALID, IMAGE_TOO_LARGE, DECODER_UNAVAILABLE,
   *   MODEL_CLOSED.
   */
  classify(image: ImageInput, options: ClassifyOptions = {}): Promise<Classification[]> {
    return this.#track(async () => {
      checkOptions('options', options, ['topK', 'preprocess']);
      const count = checkInteger('topK', options.topK ?? 5, 1, Number.MAX_SAFE_INTEGER);
      const recipe = options.preprocess === undefined ? this.#recipe : resolveRecipe(options.preprocess);
      const decoded = await decodeImage(image, { maxPixels: this.#maxPixels });
      const input = await this.#preprocess(decoded, recipe);
      const probabilities = new Float32Array(this.#network.classes);
      await this.#run(input, 1, probabilities);
      return topK(probabilities, count, this.#labels);
    });
  }

  /**
   * The low-level door: class probabilities of N images that are preprocessed already.
   *
   * @param batch N x height x width x 3 values (NHWC, RGB, the model's own input size): float32 in the range the network
   *   was trained on, or, for a quantised model, its own 8-bit type (Uint8Array for uint8, Int8Array for int8 files).
   *   Do not change or transfer it before the promise settles.
   * @returns N x classes probabilities, in `options.output` if given.
   * @throws MobileNetError INVALID_ARGUMENT, MODEL_CLOSED.
   */
  infer(batch: Float32Array | Uint8Array | Int8Array, options: InferOptions = {}): Promise<Float32Array> {
    return this.#track(async () => {
      checkOptions('options', options, ['output']);
      const { height, width } = this.#spec.input;
      const imageValues = height * width * 3;
      const input = this.#asInput(batch);
      const count = input.length / imageValues;
      if (!Number.isInteger(count) || count === 0) {
        throw new MobileNetError(
          'INVALID_ARGUMENT',
          `batch: expected a multiple of ${height} x ${width} x 3 = ${imageValues} values, got ${input.length}`,
        );
      }
      const length = count * this.#network.classes;
      const output = options.output ?? new Float32Array(length);
      if (!(output instanceof Float32Array) || output.length !== length) {
        throw new MobileNetError(
          'INVALID_ARGUMENT',
          `output: expected a Float32Array of ${count} x ${this.#network.classes} = ${length} values, got ${describe(output)}`,
        );
      }
      await this.#run(input, count, output);
      return output;
    });
  }

  /**
   * Frees the model's memory. Calls that are under way are cancelled and reject with MODEL_CLOSED; the promise resolves
   * when they have ended. Closing twice is fine.
   */
  close(): Promise<void> {
    this.#closed ??= (async () => {
      Atomics.store(this.#cancel, 0, 1);
      await Promise.allSettled(this.#running);
      this.#engine.release();
    })();
    return this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Begins to close; what is under way is cancelled in the background. */
  [Symbol.dispose](): void {
    void this.close();
  }

  /** Runs `work` as one of the calls that close() waits for. */
  async #track<T>(work: () => Promise<T>): Promise<T> {
    this.#throwIfClosed();
    const running = work();
    this.#running.add(running);
    try {
      return await running;
    } finally {
      this.#running.delete(running);
    }
  }

  #throwIfClosed(): void {
    if (this.#closed) throw new MobileNetError('MODEL_CLOSED', `${this.#spec.source}: the model is closed`);
  }

  async #preprocess(image: DecodedImage, recipe: PreprocessRecipe): Promise<Float32Array | Uint8Array | Int8Array> {
    this.#throwIfClosed();
    const { input, precision } = this.#spec;
    const plan = planPreprocess(recipe, image, { ...input, dtype: precision });
    const length = input.height * input.width * 3;
    const output =
      precision === 'float32'
        ? new Float32Array(length)
        : precision === 'int8'
          ? new Int8Array(length)
          : new Uint8Array(length);
    await native().preprocess(plan, image.data, output, this.#engine.threads, isaCeiling());
    return output;
  }

  async #run(input: ArrayBufferView, count: number, probabilities: Float32Array): Promise<void> {
    this.#throwIfClosed();
    const { height, width } = this.#spec.input;
    const done = await this.#engine.run({
      height,
      width,
      input,
      count,
      outputs: [probabilities, null],
      cancel: this.#cancel,
    });
    if (!done) this.#throwIfClosed();
  }

  /** The batch in the network's own type; float values are quantised as the file says. */
  #asInput(batch: unknown): Float32Array | Uint8Array | Int8Array {
    const { precision, input } = this.#spec;
    if (precision === 'float32' && batch instanceof Float32Array) return batch;
    if (precision === 'uint8' && batch instanceof Uint8Array) return batch;
    if (precision === 'int8' && batch instanceof Int8Array) return batch;
    if (batch instanceof Float32Array && input.quantization !== null) {
      const { scale, zeroPoint } = input.quantization;
      const [low, result] =
        precision === 'int8' ? [-128, new Int8Array(batch.length)] : [0, new Uint8Array(batch.length)];
      for (let i = 0; i < batch.length; i++) {
        const q = Math.floor((batch[i] as number) / scale + 0.5) + zeroPoint;
        result[i] = Math.min(Math.max(q, low), low + 255); // NaN becomes 0
      }
      return result;
    }
    const own = precision === 'float32' ? '' : ` or ${precision === 'int8' ? 'an Int8Array' : 'a Uint8Array'}`;
    throw new MobileNetError('INVALID_ARGUMENT', `batch: expected a Float32Array${own}, got ${describe(batch)}`);
  }
}

/** A name is looked up before a path: `imagenet` is the model, `./imagenet` a file. */
async function readSource(source: ModelSource, options: LoadOptions): Promise<ModelSpec> {
  if (typeof source !== 'string' || !isModelName(source)) return readModel(source);
  const { cacheDir, localOnly, onProgress } = options;
  const found = await fetchModel(source, { cacheDir, localOnly, onProgress, labels: options.labels === undefined });
  if (found.kind === 'package') return readNsfwjsPackage();
  const labels = found.labels ? parseLabels(found.labels.bytes, found.labels.path) : null;
  return { ...readTflite(found.model.bytes, source), preprocess: found.preprocess, labels };
}

async function labelsFor(spec: ModelSpec, given: LoadOptions['labels']): Promise<readonly string[] | null> {
  const classes = spec.classifier.at(-1)?.conv.outChannels ?? 0;
  if (typeof given === 'string') return alignLabels(await readLabelFile(given), classes, given);
  if (given !== undefined) return alignLabels([...checkLabels(given, 'the array given')], classes, 'the array given');
  return spec.labels === null ? null : alignLabels(spec.labels, classes, spec.source);
}
