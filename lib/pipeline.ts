/** An image's way to the network: its turn in the queue, decoding, preprocessing, and a stopwatch if one is wanted. */
import { checkStillThere } from './buffers.js';
import type { Call } from './calls.js';
import { type DecodedImage, decodeImage, type ImageInput } from './decode.js';
import { MobileNetError } from './errors.js';
import { ImageQueue } from './image-queue.js';
import type { Precision, Quantization } from './model-spec.js';
import { isaCeiling, native } from './native.js';
import { checkChoice, type DecodeMode, type ImageOptions } from './options.js';
import {
  type PreprocessRecipe,
  planPreprocess,
  type Rect,
  resolveRecipe,
  type Size,
  spareReduction,
} from './preprocess.js';
import { checkRegion, type RegionOfInterest, regionPixels, scaledBox } from './region.js';
import { type ImageTrace, imageChannel, Stopwatch } from './tracing.js';

export type Tensor = Float32Array | Uint8Array | Int8Array;

/** The input tensor of a network: height x width x 3 values. */
export interface NetworkInput extends Size {
  readonly precision: Precision;
  readonly quantization: Quantization | null;
}

/** {@link ImageOptions}, checked once per call. */
export interface ImageSettings {
  readonly recipe: PreprocessRecipe;
  readonly decode: DecodeMode;
  readonly region: RegionOfInterest | null;
}

/** Buffers of one image under way, kept for the next one. Nothing of them may be handed to callers. */
export interface Workspace {
  readonly input: Tensor;
  readonly probabilities: Float32Array;
  readonly logits: Float32Array;
}

/** What to do with one image. */
export interface ImageJob {
  readonly operation: ImageTrace['operation'];
  readonly image: ImageInput;
  readonly settings: ImageSettings;
  /** The tensor to make of a region of this size. Default: the network's own, in the workspace. */
  readonly inputFor?: (region: Size) => NetworkInput;
}

/** An image that has become a tensor. */
export interface Prepared {
  readonly workspace: Workspace;
  readonly input: Tensor;
  readonly inputSize: Size;
  readonly photo: DecodedImage;
  /** The part of the photo that is looked at; the recipe may crop it further. */
  readonly region: Rect;
  /** How many threads its inference should take: all when the image is alone, else one. */
  readonly threads: number;
}

export interface PipelineOptions extends ImageSettings {
  /** What traces call the model. */
  readonly model: string;
  readonly input: NetworkInput;
  readonly classes: number;
  readonly threads: number;
  readonly queueLimit: number;
  readonly maxPixels: number | undefined;
}

/** Images under way per thread: one is decoded while another is inferred. */
const IMAGES_PER_THREAD = 2;
/** A shrunk JPEG keeps this many times the pixels per side that the network sees. */
const SHRINK_MARGIN = 2;

export class Pipeline {
  readonly queue: ImageQueue<Workspace>;

  constructor(private readonly options: PipelineOptions) {
    const { input, classes, threads, queueLimit } = options;
    this.queue = new ImageQueue(threads * IMAGES_PER_THREAD, queueLimit, () => ({
      input: allocate(input),
      probabilities: new Float32Array(classes),
      logits: new Float32Array(classes),
    }));
  }

  /** @throws MobileNetError INVALID_ARGUMENT naming the option. */
  settings({ preprocess, decode, regionOfInterest }: ImageOptions): ImageSettings {
    const own = this.options;
    return {
      recipe: preprocess === undefined ? own.recipe : resolveRecipe(preprocess),
      decode: decode === undefined ? own.decode : checkChoice('decode', decode, ['exact', 'fast']),
      region: regionOfInterest === undefined ? own.region : checkRegion(regionOfInterest),
    };
  }

  /**
   * Takes one image to the network in its turn; `infer` does the rest.
   *
   * @throws MobileNetError of the image, or the reason of the call when that is cancelled.
   */
  async run<T>(call: Call, job: ImageJob, infer: (prepared: Prepared) => Promise<T>): Promise<T> {
    const watch = imageChannel.hasSubscribers ? new Stopwatch() : null;
    let failure: MobileNetError | null = null;
    try {
      return await this.queue.run(call, async (workspace) => {
        watch?.lap('queueMs');
        const inputFor = job.inputFor ?? (() => this.options.input);
        const photo = await this.#decode(job, inputFor);
        watch?.lap('decodeMs');
        call.throwIfCancelled();
        const region = photoRegion(job.settings.region, photo);
        const inputSize = inputFor(region);
        const input = job.inputFor === undefined ? workspace.input : allocate(inputSize);
        await this.#preprocess(job.settings.recipe, photo, region, inputSize, input);
        watch?.lap('preprocessMs');
        call.throwIfCancelled();
        const threads = this.queue.active > 1 ? 1 : this.options.threads;
        const result = await infer({ workspace, input, inputSize, photo, region, threads });
        watch?.lap('inferenceMs');
        return result;
      });
    } catch (error) {
      failure = call.reason ?? asMobileNetError(error);
      throw failure;
    } finally {
      watch?.publish(this.options.model, job.operation, failure);
    }
  }

  #decode({ image, settings }: ImageJob, inputFor: (region: Size) => Size): Promise<DecodedImage> {
    const { maxPixels } = this.options;
    if (settings.decode === 'exact') return decodeImage(image, { maxPixels });
    const shrink = (full: Size) => {
      const region = settings.region ? regionPixels(settings.region, full) : full;
      return spareReduction(settings.recipe, region, inputFor(region), SHRINK_MARGIN);
    };
    return decodeImage(image, { maxPixels, shrink });
  }

  async #preprocess(recipe: PreprocessRecipe, photo: DecodedImage, region: Rect, input: NetworkInput, output: Tensor) {
    const plan = planPreprocess(recipe, photo, { ...input, dtype: input.precision }, region);
    const { byteLength } = photo.data;
    await native().preprocess(plan, photo.data, output, this.options.threads, isaCeiling());
    checkStillThere('image.data', photo.data, byteLength);
  }
}

/** In pixels of the photo as it was decoded, which may be smaller than the file's. */
function photoRegion(region: RegionOfInterest | null, photo: DecodedImage): Rect {
  if (region === null) return { x: 0, y: 0, width: photo.width, height: photo.height };
  const { full } = photo;
  if (full === undefined) return regionPixels(region, photo);
  const { x, y, width, height } = regionPixels(region, full);
  const fractions = { x: x / full.width, y: y / full.height, width: width / full.width, height: height / full.height };
  return scaledBox(fractions, photo);
}

function allocate({ width, height, precision }: NetworkInput): Tensor {
  const length = width * height * 3;
  if (precision === 'float32') return new Float32Array(length);
  return precision === 'int8' ? new Int8Array(length) : new Uint8Array(length);
}

function asMobileNetError(error: unknown): MobileNetError {
  if (error instanceof MobileNetError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new MobileNetError('INTERNAL', `defect, please report it: ${message}`, { cause: error });
}
