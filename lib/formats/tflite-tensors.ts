import { describe } from '../errors.js';
import type { Quantization } from '../model-spec.js';
import { corrupt, Unfit } from './failures.js';
import type { FlatBuffer, Table, Tables } from './flatbuffer.js';
import { float16ToFloat32 } from './float16.js';
import { checkFinite, type FirstOutside, WeightBudget } from './graph.js';
import { MAX_CHANNELS } from './limits.js';
import { TensorType, typeName } from './tflite-schema.js';

/** Of a tensor of 8-bit integers; `zeroPoint` is null when channels have different ones. */
interface TensorQuantization {
  readonly scales: Float32Array;
  readonly zeroPoint: number | null;
  readonly axis: number;
}

export class TfliteTensor {
  readonly type: number;
  readonly shape: readonly number[];
  readonly buffer: number;
  /** Null for a tensor without scales, that is, a float one. */
  readonly quantization: TensorQuantization | null;

  constructor(
    private readonly table: Table,
    readonly index: number,
    find: FirstOutside,
  ) {
    this.type = table.u8(1, 'type');
    this.shape = table.integers(0, 8, 'shape');
    for (let i = 0; i < this.shape.length; i++) {
      if ((this.shape[i] as number) < 0) {
        corrupt(`${this.what}: shape [${this.shape.join(', ')}] has a negative side`);
      }
    }
    this.buffer = table.u32(2, 'buffer');
    this.quantization = readScales(table, this, find);
  }

  /** Read when asked for: of most tensors nobody asks. */
  get name(): string {
    return this.table.string(3, 'name');
  }

  /** For messages. */
  get what(): string {
    return `tensor ${this.index} (${describe(this.name)})`;
  }
}

const zeroPointRange = new Map<number, readonly [number, number]>([
  [TensorType.UINT8, [0, 255]],
  [TensorType.INT8, [-128, 127]],
]);

export function elementCount(tensor: TfliteTensor): number {
  let product = 1;
  for (let i = 0; i < tensor.shape.length; i++) product *= tensor.shape[i] as number;
  return product;
}

/**
 * The tensors of one subgraph, read when first asked for, and their constant data as typed arrays: views of the file's
 * bytes where the alignment allows (hosts are little-endian, as the file is).
 */
export class TfliteTensors {
  private readonly known = new Map<number, TfliteTensor>();
  /** Float tensor -> the float16 constant a DEQUANTIZE operator makes it from. */
  private readonly halves = new Map<number, TfliteTensor>();
  private readonly budget: WeightBudget;

  constructor(
    private readonly file: FlatBuffer,
    private readonly tables: Tables,
    private readonly buffers: Tables,
    private readonly find: FirstOutside,
  ) {
    this.budget = new WeightBudget(file.bytes.length);
  }

  get(index: number): TfliteTensor {
    let tensor = this.known.get(index);
    if (tensor === undefined) {
      tensor = new TfliteTensor(this.tables.at(index), index, this.find);
      this.known.set(index, tensor);
    }
    return tensor;
  }

  /** Remembers that `output` is `half`, a float16 constant, converted. */
  addHalf(output: TfliteTensor, half: TfliteTensor): void {
    this.halves.set(output.index, half);
  }

  /** Whether the file has data for it; other tensors are computed. */
  isConstant(tensor: TfliteTensor): boolean {
    return this.halves.has(tensor.index) || this.bytes(tensor) !== null;
  }

  private bytes(tensor: TfliteTensor): { start: number; length: number } | null {
    if (tensor.buffer === 0) return null; // by convention the empty buffer
    const data = this.buffers.at(tensor.buffer).vector(0, 1, 'data');
    return data === null || data.length === 0 ? null : data;
  }

  /** Where the elements of a constant lie, after checking that the data has exactly the length of the shape. */
  private constant(tensor: TfliteTensor, elementBytes: number): { start: number; count: number } {
    const data = this.bytes(tensor);
    if (data === null) throw new Unfit(`${tensor.what} is computed, expected constant weights`);
    const count = elementCount(tensor);
    if (count * elementBytes !== data.length) {
      corrupt(`${tensor.what}: ${data.length} bytes of data, but its shape needs ${count} x ${elementBytes}`);
    }
    this.budget.take(count, tensor);
    return { start: data.start, count };
  }

  /** A view, or an aligned copy. */
  private aligned(start: number, bytes: number, alignment: number): { buffer: ArrayBufferLike; offset: number } {
    const offset = this.file.bytes.byteOffset + start;
    if (offset % alignment === 0) return { buffer: this.file.bytes.buffer, offset };
    return { buffer: new Uint8Array(this.file.bytes.subarray(start, start + bytes)).buffer, offset: 0 };
  }

  /** FLOAT32, or FLOAT16 converted; every value finite. */
  floats(tensor: TfliteTensor): Float32Array {
    const half = this.halves.get(tensor.index);
    if (half !== undefined) {
      const { start, count } = this.constant(half, 2);
      const { buffer, offset } = this.aligned(start, count * 2, 2);
      return checkFinite(float16ToFloat32(new Uint16Array(buffer, offset, count)), half.what, this.find);
    }
    if (tensor.type !== TensorType.FLOAT32) throw new Unfit(`${tensor.what} is ${typeName(tensor.type)}`);
    const { start, count } = this.constant(tensor, 4);
    const { buffer, offset } = this.aligned(start, count * 4, 4);
    return checkFinite(new Float32Array(buffer, offset, count), tensor.what, this.find);
  }

  int32(tensor: TfliteTensor): Int32Array {
    if (tensor.type !== TensorType.INT32) throw new Unfit(`${tensor.what} is ${typeName(tensor.type)}, expected INT32`);
    const { start, count } = this.constant(tensor, 4);
    const { buffer, offset } = this.aligned(start, count * 4, 4);
    return new Int32Array(buffer, offset, count);
  }

  eightBit(tensor: TfliteTensor): Uint8Array | Int8Array {
    const { start, count } = this.constant(tensor, 1);
    const { buffer, byteOffset } = this.file.bytes;
    return tensor.type === TensorType.INT8
      ? new Int8Array(buffer, byteOffset + start, count)
      : new Uint8Array(buffer, byteOffset + start, count);
  }

  /** Axes, paddings and the like: a few INT32 or INT64 values. */
  smallIntegers(tensor: TfliteTensor): number[] {
    if (elementCount(tensor) > 64) throw new Unfit(`${tensor.what} has more than 64 values`);
    if (tensor.type === TensorType.INT64) {
      const { start, count } = this.constant(tensor, 8);
      return Array.from({ length: count }, (_, i) => Number(this.file.view.getBigInt64(start + 8 * i, true)));
    }
    return [...this.int32(tensor)];
  }
}

function checkScales(scales: Float32Array, tensor: TfliteTensor, find: FirstOutside): void {
  const i = find(scales, 0, Number.POSITIVE_INFINITY);
  if (i >= 0) corrupt(`${tensor.what}: scale ${scales[i]}, expected a finite number above 0`);
}

function readScales(table: Table, tensor: TfliteTensor, find: FirstOutside): TensorQuantization | null {
  const parameters = table.table(4, 'quantization');
  const range = zeroPointRange.get(tensor.type);
  // Float tensors may carry min and max, INT32 biases the product of scales that arithmetic never looks at.
  if (parameters === null || range === undefined) return null;
  const scales = parameters.floats(2, MAX_CHANNELS, 'scale');
  if (scales === null || scales.length === 0) return null;
  checkScales(scales, tensor, find);
  const zeroPoints = parameters.longs(3, MAX_CHANNELS, 'zero_point');
  if (zeroPoints.length !== scales.length) {
    corrupt(`${tensor.what}: ${zeroPoints.length} zero points for ${scales.length} scales`);
  }
  const [lowest, highest] = range;
  for (const zeroPoint of zeroPoints.values) {
    if (zeroPoint < lowest || zeroPoint > highest) {
      corrupt(`${tensor.what}: zero point ${zeroPoint}, expected ${lowest} ... ${highest}`);
    }
  }
  const [zeroPoint = null] = zeroPoints.values.length === 1 ? zeroPoints.values : [];
  return { scales, zeroPoint, axis: parameters.i32(6, 'quantized_dimension') };
}

/** The one scale and zero point of an activation tensor; null for a float one. */
export function activationQuantization(tensor: TfliteTensor): Quantization | null {
  if (tensor.type === TensorType.FLOAT32) return null;
  if (tensor.type !== TensorType.UINT8 && tensor.type !== TensorType.INT8) {
    throw new Unfit(`${tensor.what} is ${typeName(tensor.type)}, expected FLOAT32, UINT8 or INT8`);
  }
  const { quantization } = tensor;
  if (quantization === null || quantization.scales.length !== 1) {
    return corrupt(`${tensor.what}: ${quantization?.scales.length ?? 0} scales, expected 1 for an activation`);
  }
  return { scale: quantization.scales[0] as number, zeroPoint: quantization.zeroPoint as number };
}
