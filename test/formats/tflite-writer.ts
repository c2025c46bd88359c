import { type Field, type Fields, writeFlatBuffer } from './flatbuffer-writer.js';
import { seededRandom } from './random.js';

export type Type = 'FLOAT32' | 'FLOAT16' | 'INT32' | 'UINT8' | 'INT8';
const typeCodes: Record<Type, number> = { FLOAT32: 0, FLOAT16: 1, INT32: 2, UINT8: 3, INT8: 9 };

export interface TensorInit {
  shape: readonly number[];
  type: Type;
  data?: Uint8Array;
  scales?: readonly number[];
  zeroPoints?: readonly number[];
  axis?: number;
  name?: string;
}

/** Operator codes of schema.fbs. */
export const code = {
  ADD: 0,
  AVERAGE_POOL_2D: 1,
  CONV_2D: 3,
  DEPTHWISE_CONV_2D: 4,
  DEQUANTIZE: 6,
  FULLY_CONNECTED: 9,
  MAX_POOL_2D: 17,
  RELU6: 21,
  RESHAPE: 22,
  SOFTMAX: 25,
  PAD: 34,
  MEAN: 40,
  SQUEEZE: 43,
  QUANTIZE: 114,
  HARD_SWISH: 117,
} as const;

export function bytesOf(values: ArrayBufferView): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

/** Collects tensors and operators and writes them as a TFLite file of one subgraph. */
export class TfliteWriter {
  readonly tensors: TensorInit[] = [];
  readonly operators: { code: number; inputs: number[]; output: number; type: number; options: Fields }[] = [];
  readonly metadata: { name: string; data: Uint8Array }[] = [];
  inputs: number[] = [];
  outputs: number[] = [];

  tensor(init: TensorInit): number {
    return this.tensors.push({ ...init }) - 1;
  }

  operator(op: number, inputs: number[], output: TensorInit, type = 0, options: Fields = []): number {
    const index = this.tensor(output);
    this.operators.push({ code: op, inputs, output: index, type, options });
    return index;
  }

  write(): Uint8Array {
    const buffers: Fields[] = [[]]; // buffer 0 is the empty one
    const buffer = (data: Uint8Array | undefined) => (data === undefined ? 0 : buffers.push([{ bytes: data }]) - 1);
    const codes = [...new Set(this.operators.map((operator) => operator.code))];
    const tensors = this.tensors.map((tensor, i): Fields => {
      const quantization: Field | null = tensor.scales
        ? {
            table: [
              null,
              null,
              { floats: tensor.scales },
              { longs: tensor.zeroPoints ?? tensor.scales.map(() => 0) },
              null,
              null,
              { i32: tensor.axis ?? 0 },
            ],
          }
        : null;
      return [
        { ints: tensor.shape },
        { u8: typeCodes[tensor.type] },
        { u32: buffer(tensor.data) },
        { text: tensor.name ?? `t${i}` },
        quantization,
      ];
    });
    const operators = this.operators.map(
      (operator): Fields => [
        { u32: codes.indexOf(operator.code) },
        { ints: operator.inputs },
        { ints: [operator.output] },
        { u8: operator.type },
        operator.type === 0 ? null : { table: operator.options },
      ],
    );
    const metadata = this.metadata.map((entry): Fields => [{ text: entry.name }, { u32: buffer(entry.data) }]);
    const subgraph: Fields = [
      { tables: tensors },
      { ints: this.inputs },
      { ints: this.outputs },
      { tables: operators },
    ];
    const model: Fields = [
      { u32: 3 },
      { tables: codes.map((op): Fields => [{ u8: Math.min(op, 127) }, null, { i32: 1 }, { i32: op }]) },
      { tables: [subgraph] },
      { text: 'made for a test' },
      { tables: buffers },
      null,
      { tables: metadata },
    ];
    return writeFlatBuffer(model, 'TFL3');
  }
}

export interface TinyOptions {
  kind?: 'float32' | 'float16' | 'uint8' | 'int8' | 'dynamic';
  seed?: number;
  height?: number;
  width?: number;
  classes?: number;
  /** `pad-same` and `pad-symmetric`: a PAD operator before VALID convolutions of stride 2. */
  padding?: 'same' | 'pad-same' | 'pad-symmetric';
  /** int8 with QUANTIZE first and DEQUANTIZE last; `softmax-in-float` dequantises before the softmax. */
  ends?: 'plain' | 'float' | 'softmax-in-float' | 'uint8';
  pool?: 'mean' | 'average';
  classifier?: 'conv' | 'dense' | 'two-dense';
  softmax?: boolean;
  /** RELU6 as operators of their own. */
  separateRelu6?: boolean;
  bias?: boolean;
  perChannel?: boolean;
  v1?: boolean;
  /** Called with the writer before it writes: to damage or extend the model. */
  edit?: (writer: TfliteWriter) => void;
}

const activationScale = 6 / 255;

/** Halves whose bits are drawn among finite values. */
function randomHalves(count: number, random: () => number): Uint16Array {
  return Uint16Array.from({ length: count }, () => {
    const bits = Math.floor(random() * 0x10000);
    return (bits & 0x7c00) === 0x7c00 ? bits & 0x83ff : bits;
  });
}

/** Builds a small seeded MobileNet: stem, a block of t = 1, two of t = 2 (the second with a skip), head, classifier. */
class TinyBuilder {
  readonly writer = new TfliteWriter();
  private readonly random: () => number;
  private readonly kind: NonNullable<TinyOptions['kind']>;

  constructor(private readonly options: TinyOptions) {
    this.random = seededRandom(options.seed ?? 1);
    this.kind = options.kind ?? 'float32';
  }

  get type(): Type {
    return this.kind === 'uint8' ? 'UINT8' : this.kind === 'int8' ? 'INT8' : 'FLOAT32';
  }

  get quantised(): boolean {
    return this.type !== 'FLOAT32';
  }

  activation(shape: readonly number[], scale = activationScale): TensorInit {
    if (!this.quantised) return { shape, type: 'FLOAT32' };
    return { shape, type: this.type, scales: [scale], zeroPoints: [this.type === 'INT8' ? -128 : 0] };
  }

  floats(count: number): Float32Array {
    return Float32Array.from({ length: count }, () => this.random() - 0.5);
  }

  /** Weights of that shape; `axis` is where per-channel scales lie. */
  weights(shape: readonly number[], axis: number): number {
    const count = shape.reduce((a, b) => a * b, 1);
    const { writer } = this;
    if (this.kind === 'float32') return writer.tensor({ shape, type: 'FLOAT32', data: bytesOf(this.floats(count)) });
    if (this.kind === 'float16') {
      const half = writer.tensor({ shape, type: 'FLOAT16', data: bytesOf(randomHalves(count, this.random)) });
      return writer.operator(code.DEQUANTIZE, [half], { shape, type: 'FLOAT32' });
    }
    const data = Uint8Array.from({ length: count }, () => Math.floor(this.random() * 256));
    if (this.kind === 'uint8') return writer.tensor({ shape, type: 'UINT8', data, scales: [0.01], zeroPoints: [121] });
    const channels = (this.options.perChannel ?? true) ? (shape[axis] as number) : 1;
    const scales = Array.from({ length: channels }, () => 0.001 + this.random() * 0.01);
    return writer.tensor({ shape, type: 'INT8', data, scales, axis });
  }

  bias(channels: number): number {
    if (this.options.bias === false) return -1;
    const data = this.quantised
      ? Int32Array.from({ length: channels }, () => Math.floor(this.random() * 2000) - 1000)
      : this.floats(channels);
    return this.writer.tensor({ shape: [channels], type: this.quantised ? 'INT32' : 'FLOAT32', data: bytesOf(data) });
  }

  conv(
    x: number,
    channels: number,
    options: { kernel?: number; stride?: number; depthwise?: boolean; relu6?: boolean },
  ) {
    const { kernel = 1, stride = 1, depthwise = false, relu6 = true } = options;
    const { writer } = this;
    const [, height = 0, width = 0, inChannels = 0] = this.shape(x);
    let input = x;
    let padding = 0;
    if (stride === 2 && this.options.padding !== undefined && this.options.padding !== 'same') {
      const before = this.options.padding === 'pad-symmetric' ? 1 : 0;
      const paddings = bytesOf(Int32Array.of(0, 0, before, 1, before, 1, 0, 0));
      const sizes = writer.tensor({ shape: [4, 2], type: 'INT32', data: paddings });
      const padded = [1, height + before + 1, width + before + 1, inChannels];
      input = writer.operator(code.PAD, [x, sizes], { ...this.tensor(x), shape: padded }, 0);
      padding = 1;
    }
    const shape = depthwise ? [1, kernel, kernel, channels] : [channels, kernel, kernel, inChannels];
    const weights = this.weights(shape, depthwise ? 3 : 0);
    const output = this.activation(
      [1, Math.ceil(height / stride), Math.ceil(width / stride), channels],
      relu6 ? activationScale : 0.05,
    );
    const fused = { u8: relu6 && !this.options.separateRelu6 && this.kind !== 'uint8' ? 3 : 0 };
    const common: Fields = [{ u8: padding }, { i32: stride }, { i32: stride }];
    const fields: Fields = depthwise ? [...common, { i32: 1 }, fused] : [...common, fused];
    const op = depthwise ? code.DEPTHWISE_CONV_2D : code.CONV_2D;
    const y = writer.operator(op, [input, weights, this.bias(channels)], output, depthwise ? 2 : 1, fields);
    return relu6 && this.options.separateRelu6 ? writer.operator(code.RELU6, [y], output) : y;
  }

  dense(x: number, channels: number, relu: boolean): number {
    const inChannels = this.shape(x).at(-1) as number;
    const weights = this.weights([channels, inChannels], 0);
    const output = this.activation([1, channels], 0.1);
    return this.writer.operator(code.FULLY_CONNECTED, [x, weights, this.bias(channels)], output, 8, [
      { u8: relu && this.kind !== 'uint8' ? 1 : 0 },
    ]);
  }

  tensor(index: number): TensorInit {
    return this.writer.tensors[index] as TensorInit;
  }

  shape(index: number): readonly number[] {
    return this.tensor(index).shape;
  }

  block(x: number, t: number, channels: number, stride: number): number {
    const inside = (this.shape(x)[3] as number) * t;
    const expanded = t === 1 ? x : this.conv(x, inside, {});
    const depthwise = this.conv(expanded, inside, { kernel: 3, stride, depthwise: true });
    const y = this.conv(depthwise, channels, { relu6: this.options.v1 ?? false });
    if (stride !== 1 || this.shape(x)[3] !== channels || this.options.v1) return y;
    return this.writer.operator(code.ADD, [x, y], this.activation(this.shape(y), 0.07), 11, [{ u8: 0 }]);
  }

  pool(x: number): number {
    const [, height = 0, width = 0, channels = 0] = this.shape(x);
    if (this.options.pool === 'average') {
      const fields: Fields = [{ u8: 1 }, { i32: 1 }, { i32: 1 }, { i32: width }, { i32: height }, { u8: 0 }];
      return this.writer.operator(
        code.AVERAGE_POOL_2D,
        [x],
        { ...this.tensor(x), shape: [1, 1, 1, channels] },
        5,
        fields,
      );
    }
    const axes = this.writer.tensor({ shape: [2], type: 'INT32', data: bytesOf(Int32Array.of(1, 2)) });
    const shape = (this.options.classifier ?? 'conv') === 'conv' ? [1, 1, 1, channels] : [1, channels];
    return this.writer.operator(code.MEAN, [x, axes], this.activation(shape, 0.02), 27, [{ u8: 1 }]);
  }

  input(): number {
    const { height = 32, width = 32, ends = 'plain' } = this.options;
    const shape = [1, height, width, 3];
    const zero = this.type === 'UINT8' ? 128 : 0;
    const quantised: TensorInit = { shape, type: this.type, scales: [1 / 128], zeroPoints: [zero] };
    if (!this.quantised) return this.declareInput({ shape, type: 'FLOAT32' });
    if (ends === 'plain') return this.declareInput(quantised);
    const outer: TensorInit =
      ends === 'uint8' ? { shape, type: 'UINT8', scales: [1 / 128], zeroPoints: [128] } : { shape, type: 'FLOAT32' };
    return this.writer.operator(code.QUANTIZE, [this.declareInput(outer)], quantised);
  }

  private declareInput(init: TensorInit): number {
    const index = this.writer.tensor({ ...init, name: 'image' });
    this.writer.inputs = [index];
    return index;
  }

  classifier(pooled: number): number {
    const { classes = 5, classifier = 'conv' } = this.options;
    if (classifier === 'dense') return this.dense(pooled, classes, false);
    if (classifier === 'two-dense') return this.dense(this.dense(pooled, 6, true), classes, false);
    const y = this.conv(pooled, classes, { relu6: false });
    const shape = this.writer.tensor({ shape: [2], type: 'INT32', data: bytesOf(Int32Array.of(1, classes)) });
    return this.writer.operator(code.RESHAPE, [y, shape], { ...this.tensor(y), shape: [1, classes] });
  }

  end(logits: number): number {
    const { ends = 'plain', softmax = true, classes = 5 } = this.options;
    const { writer } = this;
    const shape = [1, classes];
    const inFloat = ends === 'softmax-in-float';
    let y = inFloat ? writer.operator(code.DEQUANTIZE, [logits], { shape, type: 'FLOAT32' }) : logits;
    if (softmax) {
      const output: TensorInit =
        inFloat || !this.quantised ? { shape, type: 'FLOAT32' } : this.activation(shape, 1 / 256);
      y = writer.operator(code.SOFTMAX, [y], output, 9, [{ f32: 1 }]);
    }
    if (ends === 'float') y = writer.operator(code.DEQUANTIZE, [y], { shape, type: 'FLOAT32' });
    if (ends === 'uint8') {
      const zeroPoints = this.tensor(y).zeroPoints?.map((zero) => zero + 128) ?? [];
      y = writer.operator(code.QUANTIZE, [y], { ...this.tensor(y), type: 'UINT8', zeroPoints });
    }
    return y;
  }

  build(): TfliteWriter {
    const stem = this.conv(this.input(), 8, { kernel: 3, stride: 2 });
    const t = this.options.v1 ? 1 : 2;
    const first = this.block(stem, 1, 6, 1);
    const second = this.block(first, t, 10, 2);
    const third = this.block(second, t, 10, 1);
    const head = this.options.v1 ? third : this.conv(third, 16, {});
    this.writer.outputs = [this.end(this.classifier(this.pool(head)))];
    return this.writer;
  }
}

/** The bytes of a small seeded MobileNet as a TFLite file. */
export function tinyTflite(options: TinyOptions = {}): Uint8Array {
  const writer = new TinyBuilder(options).build();
  options.edit?.(writer);
  return writer.write();
}
