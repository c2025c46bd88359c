/** The facade: load a model, classify images. */

import { attempt, checkImages, type ImageOutcome, isIterable } from './batch.js';
import { checkStillThere } from './buffers.js';
import { type Call, Calls } from './calls.js';
import {
  activationOf,
  type ClassMap,
  checkInputSize,
  coveringSize,
  type Heatmap,
  overlayPng,
  upsample,
} from './class-map.js';
import { DEFAULT_MAX_PIXELS, type ImageInput } from './decode.js';
import { meanOverPixels, normalizeL2, planEmbedding } from './embedding.js';
import { Engine } from './engine.js';
import { FloatMaps } from './float-maps.js';
import type { ModelSource } from './formats/index.js';
import { inOrder } from './in-order.js';
import { asInput, imageCount, ProbabilityOutputs } from './infer.js';
import { labelsFor, loadSpec } from './load-model.js';
import { describeNetwork, type ModelInfo, type NetworkFacts, type NetworkInfo } from './model-info.js';
import type { ModelSpec } from './model-spec.js';
import type { ModelName } from './models.js';
import { isaCeiling, native } from './native.js';
import { onSettled } from './on-settled.js';
import {
  CLASS_MAP_OPTIONS,
  CLASSIFY_OPTIONS,
  type ClassifyOptions,
  type ClassMapOptions,
  checkChoice,
  checkInteger,
  checkOptional,
  checkOptions,
  EMBED_OPTIONS,
  type EmbedOptions,
  HEATMAP_OPTIONS,
  type HeatmapOptions,
  INFER_OPTIONS,
  type InferOptions,
  LOAD_OPTIONS,
  type LoadOptions,
  STREAM_OPTIONS,
  type StreamOptions,
} from './options.js';
import { type NetworkInput, Pipeline } from './pipeline.js';
import { resolveRecipe, type Size } from './preprocess.js';
import {
  type ClassifyResult,
  ClassLabels,
  checkSelection,
  type EmbeddingResult,
  type ImageResult,
  toResult,
} from './results.js';
import { defaultThreads } from './threads.js';
import { loadChannel } from './tracing.js';

/** What loading needs besides the model, whose failure is reported when it is needed. */
function warmUp(): void {
  try {
    isaCeiling();
  } catch {
    // the engine meets the same failure
  }
}

const MAX_THREADS = 1024;
const MAX_QUEUE = 1_000_000;
const DEFAULT_QUEUE_LIMIT = 1024;

/** One image's part of a call. */
type Work<T> = (call: Call, image: ImageInput) => Promise<T>;

interface Parts {
  readonly engine: Engine;
  readonly facts: NetworkFacts;
  readonly input: NetworkInput;
  readonly labels: ClassLabels;
  readonly pipeline: Pipeline;
  readonly recipeName: string;
  readonly reload: () => Promise<ModelSpec>;
}

/**
 * A loaded network. Make one with {@link MobileNetV2.load}; it may be used from any number of concurrent calls, which
 * share its threads and one queue of images. All work is done off the JavaScript thread.
 *
 * Images are the path of an image file, the bytes of one (JPEG, PNG, WebP, AVIF, GIF, TIFF), or raw 8-bit pixels. Do
 * not change or transfer a buffer before the call has settled. Views of a SharedArrayBuffer are taken wherever views are.
 *
 * @example
 * const model = await MobileNetV2.load('imagenet');
 * const [best] = await model.classify('cat.jpg');
 * await model.close();
 */
export class MobileNetV2 {
  readonly #parts: Parts;
  readonly #calls: Calls;
  readonly #maps: FloatMaps;
  readonly #outputs = new ProbabilityOutputs();
  #network: NetworkInfo | null = null;
  #arenaBytes: number | null = null;

  private constructor(parts: Parts) {
    this.#parts = parts;
    this.#calls = new Calls(parts.facts.source);
    this.#maps = new FloatMaps(parts.engine, parts.reload);
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
    const started = process.hrtime.bigint(); // `performance` is a module of Node's that takes a millisecond to load
    checkOptions('options', options, LOAD_OPTIONS);
    checkOptional('cacheDir', options.cacheDir, 'string');
    checkOptional('localOnly', options.localOnly, 'boolean');
    checkOptional('onProgress', options.onProgress, 'function');
    let { threads } = options;
    const { spec, reload } = await loadSpec(source, options, {
      meanwhile: () => {
        warmUp();
        threads ??= defaultThreads();
      },
      firstOutside: (values, low, high) => native().firstOutside(values, low, high),
    });
    const model = await MobileNetV2.fromSpec(spec, { ...options, ...(threads !== undefined && { threads }) }, reload);
    if (loadChannel.hasSubscribers) {
      loadChannel.publish({ model: spec.source, totalMs: Number(process.hrtime.bigint() - started) / 1e6 });
    }
    return model;
  }

  /** @internal A network that is described already. */
  static async fromSpec(
    spec: ModelSpec,
    options: LoadOptions,
    reload: () => Promise<ModelSpec> = async () => spec,
  ): Promise<MobileNetV2> {
    const threads = checkInteger('threads', options.threads ?? defaultThreads(), 1, MAX_THREADS);
    const queueLimit = checkInteger('queueLimit', options.queueLimit ?? DEFAULT_QUEUE_LIMIT, 0, MAX_QUEUE);
    const decode = checkChoice('decode', options.decode ?? 'exact', ['exact', 'fast']);
    const recipe = resolveRecipe(options.preprocess ?? spec.preprocess ?? 'tf');
    const { source, input: size, precision } = spec;
    const input: NetworkInput = { ...size, precision };
    const maxPixels = checkInteger('maxPixels', options.maxPixels ?? DEFAULT_MAX_PIXELS, 1, Number.MAX_SAFE_INTEGER);
    const names = await labelsFor(spec, options.labels);
    const engine = new Engine(spec, { threads });
    const { classes } = engine.compiled;
    const labels = new ClassLabels(classes, names);
    const images = { recipe, decode, region: null, maxPixels };
    const pipeline = new Pipeline({ model: source, input, classes, threads, queueLimit, ...images });
    const facts = { source, format: spec.format, family: spec.family, precision, input: size };
    return new MobileNetV2({ engine, facts, input, labels, pipeline, recipeName: recipe.name, reload });
  }

  /** What was loaded and how it runs. */
  get info(): ModelInfo {
    const { engine, facts, labels, recipeName } = this.#parts;
    this.#network ??= describeNetwork(facts, engine.compiled);
    return {
      ...this.#network,
      hasLabels: labels.labels !== null,
      preprocess: recipeName,
      isa: engine.facts.isa,
      threads: engine.threads,
      weightBytes: engine.facts.packedBytes,
      arena: {
        bytes: this.#plannedArena(),
        highWaterBytes: engine.highWaterBytes,
      },
    };
  }

  /** Bytes of one arena. Planned when first asked for, which loading does not wait for. */
  #plannedArena(): number {
    const { engine, input } = this.#parts;
    this.#arenaBytes ??= engine.plan(input.height, input.width).program.arenaBytes;
    return this.#arenaBytes;
  }

  /** Labels by class index, or null for a model without. */
  get labels(): readonly string[] | null {
    return this.#parts.labels.labels;
  }

  /**
   * The most probable classes of one image, best first; of equal ones the lower index first.
   *
   * @returns {@link Classification}s; with `logits: true` {@link ClassificationWithLogit}s; with
   *   `outputs: 'typed-array'` a {@link ClassScores}.
   * @throws MobileNetError INVALID_ARGUMENT, FILE_NOT_FOUND, IMAGE_INVALID, IMAGE_TOO_LARGE, DECODER_UNAVAILABLE,
   *   MODEL_CLOSED, ABORTED, OVERLOADED.
   */
  classify<const O extends ClassifyOptions = Record<never, never>>(
    image: ImageInput,
    options: O = {} as O,
  ): Promise<ClassifyResult<O>> {
    return this.#call(options, CLASSIFY_OPTIONS, (call) => this.#enter(this.#classifying(options))(call, image));
  }

  /**
   * Classifies many images, of any kind each. A few at a time are in the queue, so that batches of any length leave room
   * for other calls.
   *
   * @returns One result per image, in order: `{ image, predictions }`, or `{ image, error }` for one that cannot be
   *   classified.
   * @throws MobileNetError INVALID_ARGUMENT for wrong options; MODEL_CLOSED, ABORTED; OVERLOADED when the queue is full
   *   as the call comes.
   */
  classifyBatch<const O extends ClassifyOptions = Record<never, never>>(
    images: readonly ImageInput[],
    options: O = {} as O,
  ): Promise<ImageResult<ClassifyResult<O>>[]> {
    return this.#batch(images, options, CLASSIFY_OPTIONS, () => {
      const classify = this.#classifying(options);
      return async (call, image) => ({ predictions: await classify(call, image) });
    });
  }

  /**
   * Classifies images as they come, without end if need be: decoding and inference overlap on all threads, results come
   * in order, each as soon as those before it are there. At most `concurrency` images are between source and consumer;
   * a consumer that lags behind holds the source back. Ending the loop early cancels what is under way and ends the
   * source.
   *
   * @example
   * for await (const { image, predictions, error } of model.classifyStream(paths)) {
   *   console.log(image, error ? error.code : predictions[0]);
   * }
   * @returns `{ image, predictions }` or `{ image, error }` per image.
   * @throws MobileNetError as classifyBatch does, at the first step; and whatever the source throws.
   */
  async *classifyStream<const O extends ClassifyOptions & StreamOptions = Record<never, never>>(
    images: Iterable<ImageInput> | AsyncIterable<ImageInput>,
    options: O = {} as O,
  ): AsyncGenerator<ImageResult<ClassifyResult<O>>, void, undefined> {
    checkOptions('options', options, STREAM_OPTIONS);
    checkImages(images, 'an iterable or async iterable of images', isIterable);
    const window = checkInteger('concurrency', options.concurrency ?? this.#window, 1, Number.MAX_SAFE_INTEGER);
    const classify = this.#enter(this.#classifying(options));
    const call = this.#calls.begin(options.signal);
    const work = (image: ImageInput) =>
      this.#calls.track(attempt(call, image, async () => ({ predictions: await classify(call, image) })));
    try {
      yield* inOrder(images, window, call, work);
    } finally {
      this.#calls.end(call);
    }
  }

  /**
   * An image as a vector of float32 values: what the network pools before its classifier (1280 of them in MobileNetV2
   * 1.0), or with `layer` the mean over the output of an inverted residual block. Of quantised networks: dequantised.
   *
   * @throws MobileNetError as classify does.
   */
  embed(image: ImageInput, options: EmbedOptions = {}): Promise<Float32Array> {
    return this.#call(options, EMBED_OPTIONS, (call) => this.#enter(this.#embedding(options))(call, image));
  }

  /**
   * The vectors of many images, in order.
   *
   * @returns `{ image, embedding }` or `{ image, error }` per image.
   * @throws MobileNetError as classifyBatch does.
   */
  embedBatch(images: readonly ImageInput[], options: EmbedOptions = {}): Promise<EmbeddingResult[]> {
    return this.#batch(images, options, EMBED_OPTIONS, () => {
      const embed = this.#embedding(options);
      return async (call, image) => ({ embedding: await embed(call, image) });
    });
  }

  /**
   * The logits of every class at every place of the image: the classifier is applied to each cell of the last feature
   * map instead of to their mean. Computed in float, for quantised models with dequantised weights (these are read and
   * packed at the first call). With the default input size the mean over the cells equals the float network's logits,
   * if its classifier is a single layer.
   *
   * @throws MobileNetError as classify does; and as load does when the model's file is gone or has changed.
   */
  classMap(image: ImageInput, options: ClassMapOptions = {}): Promise<ClassMap> {
    return this.#call(options, CLASS_MAP_OPTIONS, (call) => {
      const { input, pipeline } = this.#parts;
      const settings = pipeline.settings(options);
      const size = checkInputSize(options.inputSize) ?? { width: input.width, height: input.height };
      const work: Work<ClassMap> = (call, image) =>
        pipeline.run(
          call,
          { operation: 'classMap', image, settings, inputFor: () => this.#maps.input(size) },
          (prepared) => this.#maps.classMap(call, prepared),
        );
      return this.#enter(work)(call, image);
    });
  }

  /**
   * Where in the photo the network sees a class (a class activation map): the class map of the whole photo, in its own
   * shape, interpolated to its pixels.
   *
   * @param classIndex A class index, or a label that only one class has.
   * @returns A {@link Heatmap} of logits or, with `format: 'png'`, the bytes of a PNG: the photo, coloured where the
   *   logit is above its mean over the photo. PNGs need `sharp`.
   * @throws MobileNetError as classMap does.
   */
  heatmap<const O extends HeatmapOptions = Record<never, never>>(
    image: ImageInput,
    classIndex: number | string,
    options: O = {} as O,
  ): Promise<O extends { readonly format: 'png' } ? Uint8Array : Heatmap> {
    type Result = O extends { readonly format: 'png' } ? Uint8Array : Heatmap;
    return this.#call(options, HEATMAP_OPTIONS, (call) => {
      const { input, labels, pipeline } = this.#parts;
      const index = labels.indexOf('classIndex', classIndex);
      const size = checkInputSize(options.inputSize);
      const format = checkChoice('format', options.format ?? 'floats', ['floats', 'png']);
      const own = pipeline.settings(options);
      const settings = { ...own, decode: 'exact', recipe: { ...own.recipe, crop: 'whole' } } as const;
      const inputFor = (region: Size) => this.#maps.input(size ?? coveringSize(region, input));
      const work: Work<Result> = (call, image) =>
        pipeline.run(call, { operation: 'classMap', image, settings, inputFor }, async (prepared) => {
          const activation = activationOf(await this.#maps.classMap(call, prepared), index);
          const { photo, region } = prepared;
          if (format === 'png') return (await overlayPng(photo, region, activation)) as Result;
          const { width, height } = region;
          const values = await upsample(activation, width, height);
          return { index, label: this.labels?.[index] ?? null, width, height, values } as Result;
        });
      return this.#enter(work)(call, image);
    });
  }

  /**
   * The low-level door: class probabilities of N images that are preprocessed already. Does not go through the queue of
   * images.
   *
   * @param batch N x height x width x 3 values (NHWC, RGB, the model's own input size): float32 in the range the network
   *   was trained on, or, for a quantised model, its own 8-bit type (Uint8Array for uint8, Int8Array for int8 files).
   *   May lie in a SharedArrayBuffer. Do not change or transfer it before the promise settles.
   * @returns N x classes probabilities, in `options.output` if given.
   * @throws MobileNetError INVALID_ARGUMENT, MODEL_CLOSED, ABORTED.
   */
  infer(batch: Float32Array | Uint8Array | Int8Array, options: InferOptions = {}): Promise<Float32Array> {
    return this.#call(options, INFER_OPTIONS, (call) => {
      const { engine, input: network } = this.#parts;
      const input = asInput(batch, network);
      const count = imageCount(input, network);
      const output = this.#outputs.take(options.output, count, engine.compiled.classes);
      const { height, width } = network;
      const { byteLength } = input;
      const run = { height, width, input, count, outputs: [output.written, null], cancel: call.flag };
      const check = () => {
        call.throwIfCancelled();
        checkStillThere('batch', input, byteLength);
      };
      return onSettled(() => engine.run(run), check, output.finish);
    });
  }

  /**
   * Frees the model's memory. Calls that are under way are cancelled and reject with MODEL_CLOSED; the promise resolves
   * when they have ended. Closing twice is fine. A model that is never closed is freed when it is garbage collected.
   */
  close(): Promise<void> {
    return this.#calls.close(async () => {
      await this.#maps.release();
      this.#plannedArena(); // `info` goes on telling it
      this.#parts.engine.release();
    });
  }

  /** The same as {@link close}: for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Begins to close; what is under way is cancelled in the background. */
  [Symbol.dispose](): void {
    void this.close();
  }

  /** Images a batch or stream has under way at a time: enough that a slow one does not leave the threads idle. */
  get #window(): number {
    return 2 * this.#parts.pipeline.queue.concurrency;
  }

  /** What is thrown on the way rejects. */
  #call<T>(
    options: { readonly signal?: AbortSignal | undefined },
    known: readonly string[],
    work: (call: Call) => Promise<T>,
  ): Promise<T> {
    try {
      checkOptions('options', options, known);
      return this.#calls.run(options.signal, work);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Refuses new work when the queue is full. */
  #enter<T>(work: Work<T>): Work<T> {
    this.#parts.pipeline.queue.checkRoom();
    return work;
  }

  #batch<R extends object>(
    images: readonly ImageInput[],
    options: { readonly signal?: AbortSignal | undefined },
    known: readonly string[],
    plan: () => Work<R>,
  ): Promise<ImageOutcome<R>[]> {
    return this.#call(options, known, async (call) => {
      checkImages(images, 'an array of images', Array.isArray);
      const work = this.#enter(plan());
      const results: ImageOutcome<R>[] = [];
      const outcome = (image: ImageInput) => attempt(call, image, () => work(call, image));
      for await (const result of inOrder(images, this.#window, call, outcome)) results.push(result);
      return results;
    });
  }

  #classifying<O extends ClassifyOptions>(options: O): Work<ClassifyResult<O>> {
    const { engine, input, labels, pipeline } = this.#parts;
    const settings = pipeline.settings(options);
    const selection = checkSelection(options, labels);
    const { height, width } = input;
    return (call, image) =>
      pipeline.run(call, { operation: 'classify', image, settings }, async ({ workspace, input, threads }) => {
        const { probabilities, logits } = workspace;
        const outputs = [probabilities, selection.logits ? logits : null];
        await engine.run({ height, width, input, count: 1, outputs, threads, cancel: call.flag });
        call.throwIfCancelled();
        return toResult(probabilities, logits, selection, labels) as ClassifyResult<O>;
      });
  }

  #embedding(options: EmbedOptions): Work<Float32Array> {
    const { engine, input, pipeline } = this.#parts;
    const settings = pipeline.settings(options);
    const { height, width } = input;
    const { path, channels, normalize } = planEmbedding(options, engine.compiled);
    return (call, image) =>
      pipeline.run(call, { operation: 'embed', image, settings }, async ({ input, threads }) => {
        const map = new Float32Array(engine.plan(height, width, 1, path).program.outputs[0]?.count ?? 0);
        await engine.run({ height, width, input, count: 1, path, outputs: [map], threads, cancel: call.flag });
        call.throwIfCancelled();
        const vector = meanOverPixels(map, channels);
        return normalize ? normalizeL2(vector) : vector;
      });
  }
}
