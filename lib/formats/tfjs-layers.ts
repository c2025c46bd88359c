import { describe } from '../errors.js';
import type { ModelSpec, PreprocessRecipeName } from '../model-spec.js';
import { naming, unsupported } from './failures.js';
import type { Graph } from './graph.js';
import { array, isObject, type JsonObject, object, string } from './json.js';
import { makeKerasNodes } from './keras-layers.js';
import { flattenKeras } from './keras-topology.js';
import { MAX_FILE_SIDE } from './limits.js';
import { matchMobileNet } from './mobilenet-matcher.js';
import { TfjsWeights } from './tfjs-weights.js';

/** What a caller knows beside the model itself. */
export interface TfjsOptions {
  /** What to call the model in messages and in the spec. */
  readonly source: string;
  /** Teachable Machine's metadata.json, parsed. */
  readonly metadata?: unknown;
  readonly labels?: readonly string[] | null;
  readonly preprocess?: PreprocessRecipeName | null;
}

/** Refuses GraphModels by name: their operators are TensorFlow's, not layers. */
export function checkLayersModel(modelJson: JsonObject): void {
  const topology = modelJson.modelTopology;
  const isGraph = modelJson.format === 'graph-model' || (isObject(topology) && Array.isArray(topology.node));
  if (!isGraph) return;
  unsupported(
    'this is a TensorFlow.js graph model; layers models are read (format "layers-model", from tf.LayersModel.save or ' +
      'tensorflowjs_converter --output_format=tfjs_layers_model), and TFLite files',
  );
}

function readInput(shape: readonly unknown[] | null): Graph['input'] {
  const [, height, width, channels] = shape ?? [];
  const fits = (side: unknown): side is number =>
    typeof side === 'number' && Number.isInteger(side) && side >= 1 && side <= MAX_FILE_SIDE;
  if (shape?.length !== 4 || channels !== 3 || !fits(height) || !fits(width)) {
    return unsupported(
      `input shape ${shape === null ? 'missing' : `[${shape.slice(0, 8).map(describe).join(', ')}]`}, expected ` +
        `[null, height, width, 3] with sides of 1 ... ${MAX_FILE_SIDE}`,
    );
  }
  return { tensor: 0, height, width, quantization: null };
}

/** Labels of Teachable Machine's metadata.json; null when it is none. */
function teachableMachineLabels(metadata: unknown): string[] | null {
  if (metadata === undefined || metadata === null) return null;
  const { labels } = object(metadata, 'metadata.json');
  if (labels === undefined) return null;
  return array(labels, 'metadata.json: labels').map((label, i) => string(label, `metadata.json: labels[${i}]`));
}

/**
 * Reads a TensorFlow.js layers model. Batch normalisation is folded into the convolutions.
 *
 * @param modelJson parsed model.json, or tfjs' ModelArtifacts
 * @param weights all shards, concatenated in the manifest's order
 * @throws MobileNetError MODEL_CORRUPT or MODEL_UNSUPPORTED
 */
export function readTfjsLayers(modelJson: unknown, weights: Uint8Array, options: TfjsOptions): ModelSpec {
  return naming(options.source, () => {
    const json = object(modelJson, 'model.json');
    checkLayersModel(json);
    const topology = flattenKeras(json.modelTopology);
    const labels = teachableMachineLabels(options.metadata);
    return matchMobileNet({
      format: 'tfjs-layers',
      source: options.source,
      labels: options.labels ?? labels,
      preprocess: options.preprocess ?? (labels === null ? null : 'teachable-machine'),
      precision: 'float32',
      input: readInput(topology.inputShape),
      output: topology.output,
      nodes: makeKerasNodes(topology.layers, new TfjsWeights(json, weights), topology.layers.length + 1),
    });
  });
}
