/** ONNX graphs as plain data, and their bytes. The subset of the schema that image classifiers need. */
import type { PbfWriter } from 'pbf';
import { loadOptional } from '../optional-package.js';

export type OnnxData = Float32Array | Int8Array | Uint8Array | Int32Array | BigInt64Array;

export interface OnnxTensor {
  readonly name: string;
  readonly dims: readonly number[];
  readonly data: OnnxData;
}

/** Integers, lists of integers, or `{ float }`. */
export type OnnxAttribute = number | readonly number[] | { readonly float: number };

export interface OnnxNode {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes?: Readonly<Record<string, OnnxAttribute>>;
}

export interface OnnxValue {
  readonly name: string;
  readonly type: 'float32' | 'int8' | 'uint8';
  readonly dims: readonly number[];
}

export interface OnnxGraph {
  readonly name: string;
  readonly nodes: readonly OnnxNode[];
  readonly initializers: readonly OnnxTensor[];
  readonly input: OnnxValue;
  readonly output: OnnxValue;
}

// Numbers of onnx.proto.
const IR_VERSION = 8;
const OPSET = 17;
const TYPES = { float32: 1, uint8: 2, int8: 3, int32: 6, int64: 7 };
const ATTRIBUTE_FLOAT = 1;
const ATTRIBUTE_INT = 2;
const ATTRIBUTE_INTS = 7;

/** @throws MobileNetError PACKAGE_MISSING without the package `pbf`, which writes protocol buffers. */
export async function encodeOnnx(graph: OnnxGraph): Promise<Uint8Array> {
  const { PbfWriter } = (await loadOptional<typeof import('pbf')>('pbf', 'an ONNX graph')).exports;
  const pbf = new PbfWriter();
  pbf.writeVarintField(1, IR_VERSION);
  pbf.writeStringField(2, 'mobilenetv2');
  pbf.writeMessage(7, writeGraph, graph);
  pbf.writeMessage(8, (_, p) => p.writeVarintField(2, OPSET), null);
  return pbf.finish();
}

function writeGraph(graph: OnnxGraph, pbf: PbfWriter): void {
  for (const node of graph.nodes) pbf.writeMessage(1, writeNode, node);
  pbf.writeStringField(2, graph.name);
  for (const tensor of graph.initializers) pbf.writeMessage(5, writeTensor, tensor);
  pbf.writeMessage(11, writeValue, graph.input);
  pbf.writeMessage(12, writeValue, graph.output);
}

function writeNode(node: OnnxNode, pbf: PbfWriter): void {
  for (const input of node.inputs) pbf.writeStringField(1, input);
  for (const output of node.outputs) pbf.writeStringField(2, output);
  pbf.writeStringField(3, node.outputs[0] as string);
  pbf.writeStringField(4, node.op);
  for (const [name, value] of Object.entries(node.attributes ?? {})) {
    pbf.writeMessage(5, writeAttribute, { name, value });
  }
}

function writeAttribute({ name, value }: { name: string; value: OnnxAttribute }, pbf: PbfWriter): void {
  pbf.writeStringField(1, name);
  if (typeof value === 'number') {
    pbf.writeVarintField(3, value);
    pbf.writeVarintField(20, ATTRIBUTE_INT);
  } else if ('float' in value) {
    pbf.writeFloatField(2, value.float);
    pbf.writeVarintField(20, ATTRIBUTE_FLOAT);
  } else {
    for (const item of value) pbf.writeVarintField(8, item);
    pbf.writeVarintField(20, ATTRIBUTE_INTS);
  }
}

function typeOf(data: OnnxData): number {
  if (data instanceof Float32Array) return TYPES.float32;
  if (data instanceof Int8Array) return TYPES.int8;
  if (data instanceof Uint8Array) return TYPES.uint8;
  return data instanceof Int32Array ? TYPES.int32 : TYPES.int64;
}

function writeTensor({ name, dims, data }: OnnxTensor, pbf: PbfWriter): void {
  for (const dim of dims) pbf.writeVarintField(1, dim);
  pbf.writeVarintField(2, typeOf(data));
  pbf.writeStringField(8, name);
  pbf.writeBytesField(9, new Uint8Array(data.buffer, data.byteOffset, data.byteLength)); // little-endian, as the CPUs are
}

function writeValue(value: OnnxValue, pbf: PbfWriter): void {
  pbf.writeStringField(1, value.name);
  pbf.writeMessage(2, writeType, value);
}

function writeType(value: OnnxValue, pbf: PbfWriter): void {
  pbf.writeMessage(
    1,
    (_, tensor) => {
      tensor.writeVarintField(1, TYPES[value.type]);
      tensor.writeMessage(
        2,
        (_, shape) => {
          for (const dim of value.dims) shape.writeMessage(1, (_, p) => p.writeVarintField(1, dim), null);
        },
        null,
      );
    },
    null,
  );
}
