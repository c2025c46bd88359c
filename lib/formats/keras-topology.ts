import { describe } from '../errors.js';
import { corrupt, unsupported } from './failures.js';
import type { TensorId } from './graph.js';
import { array, isObject, type JsonObject, object, string } from './json.js';
import { MAX_NODES } from './limits.js';

/* Keras' model configurations: Sequential and functional models, nested in each other, as one list of layers. */

/** A layer, its inputs and output numbered through the whole file. */
export interface KerasLayer {
  readonly className: string;
  readonly name: string;
  readonly config: JsonObject;
  readonly inputs: readonly TensorId[];
  readonly output: TensorId;
  readonly where: string;
}

export interface KerasTopology {
  readonly input: TensorId;
  readonly output: TensorId;
  /** Height and width, and channels, of the first shape found; null when none says it. */
  readonly inputShape: readonly unknown[] | null;
  readonly layers: readonly KerasLayer[];
}

const MAX_DEPTH = 16;
const modelClasses = new Set(['Sequential', 'Model', 'Functional']);

interface LayerConfig {
  readonly className: string;
  readonly name: string;
  readonly config: JsonObject;
  readonly raw: JsonObject;
}

function readLayer(value: unknown, what: string): LayerConfig {
  const raw = object(value, what);
  const className = string(raw.class_name, `${what}.class_name`);
  // Old Sequential models have a bare array of layers as their configuration.
  const config = Array.isArray(raw.config) ? { layers: raw.config } : object(raw.config, `${what}.config`);
  const name = raw.name ?? config.name ?? className;
  return { className, name: string(name, `${what}.name`), config, raw };
}

/** [layer name, node index, tensor index]: a reference to another layer's output. */
function reference(value: unknown, what: string): string {
  const [name, , tensor] = array(value, what);
  if (tensor !== undefined && tensor !== 0) unsupported(`${what}: output ${describe(tensor)} of a layer with several`);
  return string(name, `${what}[0]`);
}

/** One reference, or a list of them: Keras writes ["a", 0, 0] and [["a", 0, 0]]. */
function references(value: unknown, what: string): string[] {
  const list = array(value, what);
  if (typeof list[0] === 'string') return [reference(list, what)];
  return list.map((item, i) => reference(item, `${what}[${i}]`));
}

/** Keras 3 hides references in the arguments of the call, as tensors with a history. */
function historyReferences(value: unknown, what: string, depth = 0): string[] {
  if (depth > MAX_DEPTH) return corrupt(`${what}: nested too deeply`);
  if (Array.isArray(value)) return value.flatMap((item) => historyReferences(item, what, depth + 1));
  if (!isObject(value)) return [];
  const history = isObject(value.config) ? value.config.keras_history : undefined;
  return history === undefined ? historyReferences(value.args, what, depth + 1) : [reference(history, what)];
}

function inboundLayers(layer: LayerConfig, what: string): string[] {
  const calls = array(layer.raw.inbound_nodes ?? [], `${what}.inbound_nodes`);
  if (calls.length > 1) unsupported(`${what}: the layer is used ${calls.length} times, expected once`);
  if (calls.length === 0) return [];
  return isObject(calls[0]) ? historyReferences(calls[0], what) : references(calls[0], `${what}.inbound_nodes[0]`);
}

class Flattener {
  readonly layers: KerasLayer[] = [];
  inputShape: readonly unknown[] | null = null;
  private tensors = 1; // 0 is the input
  private visited = 0;

  /** Adds a layer, or a nested model's layers, and returns the output's number. */
  add(layer: LayerConfig, inputs: readonly TensorId[], depth: number): TensorId {
    if (++this.visited > 2 * MAX_NODES) unsupported(`the model has more than ${2 * MAX_NODES} layers`);
    const shape = layer.config.batch_input_shape ?? layer.config.batch_shape;
    if (this.inputShape === null && shape !== undefined && shape !== null) {
      this.inputShape = array(shape, `layer ${describe(layer.name)}: input shape`);
    }
    if (modelClasses.has(layer.className)) return this.addModel(layer, inputs, depth);
    if (layer.className === 'InputLayer') return inputs[0] ?? 0;
    const output = this.tensors++;
    const where = `layer ${this.layers.length} (${describe(layer.className)} ${describe(layer.name)})`.replaceAll(
      '"',
      "'",
    );
    this.layers.push({ className: layer.className, name: layer.name, config: layer.config, inputs, output, where });
    return output;
  }

  private addModel(model: LayerConfig, inputs: readonly TensorId[], depth: number): TensorId {
    const what = `model ${describe(model.name)}`;
    if (depth > MAX_DEPTH) return corrupt(`${what}: models are nested more than ${MAX_DEPTH} deep`);
    const listed = array(model.config.layers, `${what}: layers`);
    if (listed.length > MAX_NODES) unsupported(`${what}: ${listed.length} layers, expected at most ${MAX_NODES}`);
    const layers = listed.map((value, i) => readLayer(value, `${what}: layers[${i}]`));
    return model.className === 'Sequential'
      ? this.addSequence(layers, inputs, depth)
      : this.addFunctional(model, layers, inputs, depth);
  }

  private addSequence(layers: readonly LayerConfig[], inputs: readonly TensorId[], depth: number): TensorId {
    let flow = inputs;
    for (const layer of layers) flow = [this.add(layer, flow, depth + 1)];
    return flow[0] ?? 0;
  }

  /** Layers are usually listed in order of execution; sweeping until nothing is left does not depend on it. */
  private addFunctional(
    model: LayerConfig,
    layers: readonly LayerConfig[],
    inputs: readonly TensorId[],
    depth: number,
  ): TensorId {
    const what = `model ${describe(model.name)}`;
    const outputs = new Map<string, TensorId>();
    const inputNames = references(model.config.input_layers, `${what}: input_layers`);
    if (inputNames.length !== 1 || inputs.length !== 1)
      unsupported(`${what}: has ${inputNames.length} inputs, expected 1`);
    let pending = layers.map((layer) => ({ layer, from: inboundLayers(layer, `layer ${describe(layer.name)}`) }));
    while (pending.length > 0) {
      const blocked: typeof pending = [];
      for (const { layer, from } of pending) {
        const ready = from.map((name) => outputs.get(name));
        if (ready.includes(undefined)) blocked.push({ layer, from });
        else {
          if (outputs.has(layer.name)) corrupt(`${what}: two layers are called ${describe(layer.name)}`);
          const isInput = layer.name === inputNames[0];
          if (from.length === 0 && !isInput) unsupported(`${what}: layer ${describe(layer.name)} has no input`);
          outputs.set(layer.name, this.add(layer, isInput ? inputs : (ready as TensorId[]), depth + 1));
        }
      }
      if (blocked.length === pending.length) {
        const [first] = blocked;
        return corrupt(
          `${what}: an input of layer ${describe(first?.layer.name)} is missing, or the layers form a cycle`,
        );
      }
      pending = blocked;
    }
    const names = references(model.config.output_layers, `${what}: output_layers`);
    if (names.length !== 1) return unsupported(`${what}: has ${names.length} outputs, expected 1`);
    return outputs.get(names[0] as string) ?? corrupt(`${what}: output layer ${describe(names[0])} is missing`);
  }
}

/**
 * Flattens a Keras model: `{ class_name, config }`, or that wrapped in `model_config`.
 *
 * @throws MobileNetError MODEL_CORRUPT when it is inconsistent, MODEL_UNSUPPORTED for shared layers and several inputs
 *   or outputs.
 */
export function flattenKeras(modelTopology: unknown): KerasTopology {
  const topology = object(modelTopology, 'modelTopology');
  const model = readLayer(topology.model_config ?? topology, 'modelTopology');
  if (!modelClasses.has(model.className))
    unsupported(`modelTopology: a ${describe(model.className)}, expected a model`);
  const flattener = new Flattener();
  const output = flattener.add(model, [0], 0);
  return { input: 0, output, inputShape: flattener.inputShape, layers: flattener.layers };
}
