import type { ModelSpec, Precision } from '../model-spec.js';
import { corrupt, naming, unsupported } from './failures.js';
import { FlatBuffer, type Table } from './flatbuffer.js';
import { type FirstOutside, firstOutside, type Graph, type GraphNode } from './graph.js';
import { MAX_FILE_BYTES, MAX_FILE_SIDE, MAX_NODES } from './limits.js';
import { matchMobileNet } from './mobilenet-matcher.js';
import { readTfliteLabels } from './tflite-labels.js';
import { makeNode, operatorLabel } from './tflite-operators.js';
import { Op, TensorType, typeName } from './tflite-schema.js';
import { activationQuantization, TfliteTensors } from './tflite-tensors.js';

/** The largest operator code that fits the schema's old one-byte field; larger ones are in the new field. */
const PLACEHOLDER_CODE = 127;

const imageTypes = new Set<number>([TensorType.FLOAT32, TensorType.UINT8, TensorType.INT8]);

function readNodes(model: Table, subgraph: Table, tensors: TfliteTensors): GraphNode[] {
  const codes = model.tables(1, 'operator_codes');
  const operators = subgraph.tables(3, 'operators');
  if (operators.length > MAX_NODES)
    unsupported(`the file has ${operators.length} operators, expected at most ${MAX_NODES}`);
  const nodes: GraphNode[] = [];
  for (let position = 0; position < operators.length; position++) {
    const table = operators.at(position);
    const opcode = codes.at(table.u32(0, 'opcode_index'));
    const code = Math.max(
      opcode.i32(3, 'builtin_code'),
      Math.min(opcode.u8(0, 'deprecated_builtin_code'), PLACEHOLDER_CODE),
    );
    const inputs = table.integers(1, 64, 'inputs');
    const outputs = table.integers(2, 64, 'outputs');
    if (outputs.length === 0) corrupt(`operator ${position}: has no output`);
    const output = tensors.get(outputs[0] as number);
    const operator = {
      code,
      where: operatorLabel(position, code, code === Op.CUSTOM ? opcode.string(1, 'custom_code') : '', output.name),
      inputs,
      output,
      optionsType: table.u8(3, 'builtin_options_type'),
      options: table.table(4, 'builtin_options'),
    };
    const node = makeNode(operator, tensors);
    if (node !== null) nodes.push(node);
  }
  return nodes;
}

function single(subgraph: Table, field: number, name: string): number {
  const indices = subgraph.integers(field, 64, name);
  if (indices.length !== 1)
    unsupported(`the network has ${indices.length} ${name}, expected one image in, one vector out`);
  return indices[0] as number;
}

function readInput(tensors: TfliteTensors, index: number): Graph['input'] {
  const tensor = tensors.get(index);
  const [batch, height = 0, width = 0, channels] = tensor.shape;
  if (tensor.shape.length !== 4 || batch !== 1 || channels !== 3) {
    unsupported(`input ${tensor.what}: shape [${tensor.shape.join(', ')}], expected [1, height, width, 3]`);
  }
  if (height < 1 || width < 1 || height > MAX_FILE_SIDE || width > MAX_FILE_SIDE) {
    unsupported(`input ${tensor.what}: ${height}x${width} pixels, expected 1 ... ${MAX_FILE_SIDE} a side`);
  }
  if (!imageTypes.has(tensor.type)) {
    unsupported(`input ${tensor.what}: ${typeName(tensor.type)}, expected FLOAT32, UINT8 or INT8`);
  }
  return { tensor: index, height, width, quantization: activationQuantization(tensor) };
}

/** The precision of the first layer with weights, which the matcher finds again in all the others. */
function findPrecision(nodes: readonly GraphNode[]): Precision {
  const conv = nodes.find((node) => node.kind === 'conv');
  if (conv?.kind !== 'conv' || conv.weights.kind === 'float32') return 'float32';
  return conv.weights.values instanceof Int8Array ? 'int8' : 'uint8';
}

/**
 * Reads a TFLite file: float32 (also with float16 weights), uint8 per tensor or int8 per channel.
 *
 * @param bytes the file; weight arrays of the result may be views of it
 * @param source what to call it in messages and in the spec
 * @param find looks over weights and scales, thousands of them
 * @throws MobileNetError MODEL_CORRUPT or MODEL_UNSUPPORTED
 */
export function readTflite(bytes: Uint8Array, source: string, find = firstOutside): ModelSpec {
  return naming(source, () => {
    if (bytes.length > MAX_FILE_BYTES) unsupported(`${bytes.length} bytes, expected at most ${MAX_FILE_BYTES}`);
    return matchMobileNet(readGraph(new FlatBuffer(bytes), source, find));
  });
}

function readGraph(file: FlatBuffer, source: string, find: FirstOutside): Graph {
  const model = file.root('model');
  const version = model.u32(0, 'version');
  if (version !== 3) unsupported(`schema version ${version}, expected 3`);
  const subgraphs = model.tables(2, 'subgraphs');
  if (subgraphs.length !== 1) unsupported(`${subgraphs.length} subgraphs, expected 1`);
  const subgraph = subgraphs.at(0);
  const tensors = new TfliteTensors(file, subgraph.tables(0, 'tensors'), model.tables(4, 'buffers'), find);
  const nodes = readNodes(model, subgraph, tensors);
  return {
    format: 'tflite',
    source,
    labels: readTfliteLabels(file, model),
    preprocess: null,
    precision: findPrecision(nodes),
    input: readInput(tensors, single(subgraph, 1, 'inputs')),
    output: single(subgraph, 2, 'outputs'),
    nodes,
  };
}
