/**
 * Networks of a known architecture with seeded weights: for measuring shapes whose weights are not at hand, and for
 * tests that need no files. Weights are scaled so that activations behave like a trained network's (about a third of
 * the ReLU6 outputs zero, hardly any at 6), so that quantised arithmetic has something to round.
 */
import { describe, MobileNetError } from '../errors.js';
import type {
  Activation,
  BlockSpec,
  ConvSpec,
  FloatWeights,
  ModelSpec,
  Padding,
  Precision,
  Quantization,
  QuantizedWeights,
} from '../model-spec.js';

export interface Architecture {
  readonly family: 'mobilenet_v1' | 'mobilenet_v2';
  /** Width multiplier: of all channels but a narrow V2's last convolution, which keeps its 1280. */
  readonly width: number;
  readonly size: number | { readonly height: number; readonly width: number };
}

export interface SeededModelOptions extends Architecture {
  /** Default: 1000. */
  readonly classes?: number;
  /** `uint8`: per tensor, ReLU6 as a range; `int8`: per channel. Default: `float32`. */
  readonly precision?: Precision;
  /** The same seed gives the same weights. Default: 1. */
  readonly seed?: number;
  /** Default: `same`. */
  readonly padding?: Padding;
}

const MAX_WIDTH = 4;
const MAX_SIDE = 8192;
const MAX_CLASSES = 65_536;

/** t, c, n, s of the paper's table. */
const V2_STAGES = [
  [1, 16, 1, 1],
  [6, 24, 2, 2],
  [6, 32, 3, 2],
  [6, 64, 4, 2],
  [6, 96, 3, 1],
  [6, 160, 3, 2],
  [6, 320, 1, 1],
] as const;

/** Channels and stride of each separable block. */
const V1_BLOCKS = [
  [64, 1],
  [128, 2],
  [128, 1],
  [256, 2],
  [256, 1],
  [512, 2],
  ...Array.from({ length: 5 }, () => [512, 1] as const),
  [1024, 2],
  [1024, 1],
] as const;

/**
 * Reads `mobilenet_v2:1.4:224`, or `mobilenet_v1:0.5:160x128` (height x width).
 *
 * @throws MobileNetError INVALID_ARGUMENT
 */
export function parseArchitecture(text: string): Architecture {
  const match = /^(mobilenet_v[12]):(\d+(?:\.\d+)?):(\d+)(?:x(\d+))?$/.exec(text);
  if (match === null) {
    throw new MobileNetError(
      'INVALID_ARGUMENT',
      `architecture: expected FAMILY:WIDTH:SIZE, such as mobilenet_v2:1.4:224 or mobilenet_v1:0.5:160x128, got ${describe(text)}`,
    );
  }
  const [, family, width, height, inputWidth] = match;
  const size = inputWidth === undefined ? Number(height) : { height: Number(height), width: Number(inputWidth) };
  const architecture = { family: family as Architecture['family'], width: Number(width), size };
  check(architecture);
  return architecture;
}

/**
 * Channels at a width multiplier: the nearest multiple of 8, upwards when that would take away more than a tenth.
 *
 * @param channels at width 1, times the multiplier.
 */
export function makeDivisible(channels: number): number {
  const nearest = Math.max(8, Math.floor((channels + 4) / 8) * 8);
  return nearest < 0.9 * channels ? nearest + 8 : nearest;
}

/** @throws MobileNetError INVALID_ARGUMENT for sizes that no network has. */
export function seededModel(options: SeededModelOptions): ModelSpec {
  check(options);
  const { family, width, size, classes = 1000, precision = 'float32', seed = 1, padding = 'same' } = options;
  const input = typeof size === 'number' ? { height: size, width: size } : size;
  const layers = new LayerMaker(precision, padding, seed);
  const stem = layers.conv('stem', { outChannels: makeDivisible(32 * width), kernel: 3, stride: 2 }, 'relu6');
  const blocks = family === 'mobilenet_v2' ? v2Blocks(layers, width) : v1Blocks(layers, width);
  const lastChannels = width > 1 ? makeDivisible(1280 * width) : 1280;
  const head = family === 'mobilenet_v2' ? layers.conv('head', { outChannels: lastChannels }, 'relu6') : null;
  const pool = layers.pool();
  const logits = layers.conv('logits', { outChannels: classes }, 'logits');
  const sizeText = input.height === input.width ? String(input.height) : `${input.height}x${input.width}`;
  return {
    family,
    format: 'seeded',
    source: `${family}:${width}:${sizeText}, seeded`,
    precision,
    input: { ...input, quantization: layers.input },
    stem,
    blocks,
    head,
    pool,
    classifier: [{ conv: logits, rounding: 'double' }],
    softmax:
      precision === 'float32'
        ? { kind: 'float', beta: 1 }
        : { kind: 'fixed-point', beta: 1, output: { scale: 1 / 256, zeroPoint: precision === 'int8' ? -128 : 0 } },
    logitsOnly: false,
    labels: null,
    preprocess: 'tf',
  };
}

function check({ width, size, classes = 1 }: SeededModelOptions): void {
  const sides = typeof size === 'number' ? { size } : { height: size.height, 'input width': size.width };
  const integers: [string, number, number][] = [
    ...Object.entries(sides).map(([name, side]): [string, number, number] => [name, side, MAX_SIDE]),
    ['classes', classes, MAX_CLASSES],
  ];
  for (const [name, value, max] of integers) {
    if (Number.isInteger(value) && value >= 1 && value <= max) continue;
    throw new MobileNetError('INVALID_ARGUMENT', `${name}: expected an integer in 1 ... ${max}, got ${value}`);
  }
  if (!(width > 0 && width <= MAX_WIDTH)) {
    throw new MobileNetError(
      'INVALID_ARGUMENT',
      `width: expected a number above 0, at most ${MAX_WIDTH}, got ${width}`,
    );
  }
}

function v2Blocks(layers: LayerMaker, width: number): BlockSpec[] {
  const blocks: BlockSpec[] = [];
  for (const [t, c, n, s] of V2_STAGES) {
    for (let i = 0; i < n; i++) {
      const name = `block_${blocks.length + 1}`;
      blocks.push(layers.invertedResidual(name, t, makeDivisible(c * width), i === 0 ? s : 1));
    }
  }
  return blocks;
}

function v1Blocks(layers: LayerMaker, width: number): BlockSpec[] {
  return V1_BLOCKS.map(([c, stride], i) => ({
    expand: null,
    depthwise: layers.depthwise(`block_${i + 1}/depthwise`, stride),
    project: layers.conv(`block_${i + 1}/project`, { outChannels: makeDivisible(c * width) }, 'relu6'),
    residual: null,
  }));
}

/** What flows from one layer to the next: how many channels, and how their values are distributed, more or less. */
interface Flow {
  readonly channels: number;
  readonly mean: number;
  readonly deviation: number;
  readonly quantization: Quantization | null;
}

interface ConvSize {
  readonly outChannels: number;
  readonly kernel?: 1 | 3;
  readonly stride?: 1 | 2;
  readonly depthwise?: boolean;
}

/** What follows a convolution: ReLU6, a narrow linear tensor, or the logits. */
type After = 'relu6' | 'narrow' | 'logits';

/** Mean and deviation of ReLU6 of a normal variable of mean 0.5 and deviation 1. */
const RELU6_CENTRE = 0.5;
const RELU6_FLOW = { mean: 0.7, deviation: 0.74 };
const LOGIT_DEVIATION = 2.5;
/** Range of a quantised tensor without activation, in deviations on either side. */
const RANGE_DEVIATIONS = 5;
/** Deviation of a sum of four independent uniform bytes. */
const FOUR_BYTES_DEVIATION = 2 * Math.sqrt((256 ** 2 - 1) / 12);
/** Deviation of 8-bit weights, in quantisation steps. */
const WEIGHT_DEVIATION = FOUR_BYTES_DEVIATION / 4;

/** Makes layers one after the other, each fitted to what the one before it gives. */
class LayerMaker {
  readonly input: Quantization | null;
  #flow: Flow;
  #state: number;

  constructor(
    private readonly precision: Precision,
    private readonly padding: Padding,
    seed: number,
  ) {
    // Golden ratio: small seeds become words with bits everywhere. Zero is the generator's fixed point.
    this.#state = Math.imul(seed + 1, 0x9e3779b9) | 1;
    this.input =
      precision === 'float32'
        ? null
        : precision === 'uint8'
          ? { scale: 1 / 128, zeroPoint: 128 }
          : { scale: Math.fround(1 / 127.5), zeroPoint: -1 };
    this.#flow = { channels: 3, mean: 0, deviation: 0.5, quantization: this.input };
  }

  conv(name: string, size: ConvSize, after: After): ConvSpec {
    const { outChannels, kernel = 1, stride = 1, depthwise = false } = size;
    const from = this.#flow;
    const relu6 = after === 'relu6';
    const deviation = after === 'logits' ? LOGIT_DEVIATION : 1;
    const output = relu6 ? this.relu6Range() : this.linearRange(deviation);
    const spec = {
      name,
      inChannels: from.channels,
      outChannels,
      kernel,
      stride,
      padding: kernel === 3 ? this.padding : ('same' as const),
      depthwise,
      // uint8 files fuse no activation: the range says it.
      activation: (relu6 && this.precision !== 'uint8' ? 'relu6' : 'linear') satisfies Activation as Activation,
      output,
    };
    const fanIn = kernel * kernel * (depthwise ? 1 : from.channels);
    const spread = deviation / (Math.sqrt(fanIn) * from.deviation);
    const weights = this.weights(spec, fanIn, spread, relu6 ? RELU6_CENTRE : 0);
    this.#flow = {
      channels: outChannels,
      quantization: output,
      ...(relu6 ? RELU6_FLOW : { mean: 0, deviation }),
    };
    return { ...spec, weights };
  }

  depthwise(name: string, stride: 1 | 2): ConvSpec {
    return this.conv(name, { outChannels: this.#flow.channels, kernel: 3, stride, depthwise: true }, 'relu6');
  }

  invertedResidual(name: string, t: number, outChannels: number, stride: 1 | 2): BlockSpec {
    const from = this.#flow;
    const expand = t === 1 ? null : this.conv(`${name}/expand`, { outChannels: from.channels * t }, 'relu6');
    const depthwise = this.depthwise(`${name}/depthwise`, stride);
    const project = this.conv(`${name}/project`, { outChannels }, 'narrow');
    if (stride !== 1 || from.channels !== outChannels) return { expand, depthwise, project, residual: null };
    const deviation = Math.hypot(from.deviation, this.#flow.deviation);
    const output = this.linearRange(deviation);
    this.#flow = { channels: outChannels, mean: from.mean, deviation, quantization: output };
    return { expand, depthwise, project, residual: { name: `${name}/add`, output } };
  }

  /** uint8 files average in the input's own scale, int8 files take a mean to another. */
  pool(): ModelSpec['pool'] {
    const kind = this.precision === 'int8' ? 'mean' : 'average';
    if (kind === 'mean') {
      this.#flow = { ...this.#flow, quantization: { scale: Math.fround(3.5 / 255), zeroPoint: -128 } };
    }
    return { name: 'pool', kind, output: this.#flow.quantization };
  }

  /** @param centre what a channel's outputs shall be around, whatever its weights sum to. */
  private weights(
    layer: { outChannels: number; depthwise: boolean },
    fanIn: number,
    spread: number,
    centre: number,
  ): FloatWeights | QuantizedWeights {
    const { mean, quantization } = this.#flow;
    const { outChannels, depthwise } = layer;
    const count = outChannels * fanIn;
    const bias = (sum: number) => centre + 0.3 * this.normal() - mean * sum;
    if (quantization === null) {
      const values = new Float32Array(count);
      const sums = this.fill(values, depthwise ? outChannels : 0, fanIn, spread / FOUR_BYTES_DEVIATION, 0);
      return { kind: 'float32', values, bias: Float32Array.from(sums, bias) };
    }
    const signed = this.precision === 'int8';
    const scales = new Float32Array(signed ? outChannels : 1);
    for (let o = 0; o < scales.length; o++) scales[o] = (spread / WEIGHT_DEVIATION) * (0.7 + 0.6 * this.unit());
    // Away from 128, so that some differences need more than eight signed bits.
    const zeroPoint = signed ? 0 : 128 + (this.unit() < 0.5 ? -1 : 1) * (8 + Math.floor(24 * this.unit()));
    const values = signed ? new Int8Array(count) : new Uint8Array(count);
    const sums = this.fill(values, depthwise ? outChannels : 0, fanIn, 1 / 4, zeroPoint);
    if (!signed) {
      const far = zeroPoint < 128 ? 255 : 0;
      const at = Math.floor(count * this.unit());
      const channel = depthwise ? at % outChannels : Math.floor(at / fanIn);
      sums[channel] = (sums[channel] as number) + far - (values[at] as number);
      values[at] = far;
    }
    const quantizedBias = Int32Array.from(sums, (sum, o) => {
      const scale = scales[signed ? o : 0] as number;
      return Math.round(bias(sum * scale) / (scale * quantization.scale));
    });
    return { kind: 'quantized', values, bias: quantizedBias, scales, zeroPoint };
  }

  /**
   * Fills with sums of four uniform bytes, a bell curve, times `factor`, plus `offset`, within the type.
   *
   * @param channels of a depthwise convolution, whose weights are channel by channel within a tap; else 0.
   * @returns the sum of each output channel's weights, without the offset.
   */
  private fill(
    values: Float32Array | Int8Array | Uint8Array,
    channels: number,
    fanIn: number,
    factor: number,
    offset: number,
  ): Float64Array {
    const sums = new Float64Array(values.length / fanIn);
    const float = values instanceof Float32Array;
    const [low, high] = values instanceof Int8Array ? [-127, 127] : [0, 255];
    let x = this.#state;
    let channel = 0;
    let tap = 0;
    for (let i = 0; i < values.length; i++) {
      x ^= x << 13;
      x ^= x >>> 17;
      x ^= x << 5;
      let w = ((x & 255) + ((x >>> 8) & 255) + ((x >>> 16) & 255) + (x >>> 24) - 510) * factor;
      if (!float) w = Math.min(Math.max(Math.round(w) + offset, low), high);
      values[i] = w;
      sums[channel] = (sums[channel] as number) + w - offset;
      if (channels > 0) {
        if (++channel === channels) channel = 0;
      } else if (++tap === fanIn) {
        tap = 0;
        channel++;
      }
    }
    this.#state = x;
    return sums;
  }

  private relu6Range(): Quantization | null {
    if (this.precision === 'float32') return null;
    return { scale: Math.fround(6 / 255), zeroPoint: this.precision === 'int8' ? -128 : 0 };
  }

  /** Some deviations on both sides, not quite symmetric. */
  private linearRange(deviation: number): Quantization | null {
    if (this.precision === 'float32') return null;
    const scale = Math.fround(((2 * RANGE_DEVIATIONS * deviation) / 255) * (0.9 + 0.2 * this.unit()));
    const zeroPoint = 118 + Math.floor(20 * this.unit());
    return { scale, zeroPoint: this.precision === 'int8' ? zeroPoint - 128 : zeroPoint };
  }

  /** 0 ... 1, without 1. */
  private unit(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x;
    return (x >>> 0) / 2 ** 32;
  }

  /** Mean 0, deviation 1, near enough to normal. */
  private normal(): number {
    return (this.unit() + this.unit() + this.unit() + this.unit() - 2) * Math.sqrt(3);
  }
}
