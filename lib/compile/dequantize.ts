/** A quantised network as the float network it stands for. */
import type { Activation, BlockSpec, ConvSpec, ModelSpec, Quantization } from '../model-spec.js';

/**
 * Weights become scale * (w - zero point), biases take the product of the scales of input and weights. uint8 files
 * write ReLU6 as an output range of [0, 6]; it becomes an activation again.
 */
export function dequantize(spec: ModelSpec): ModelSpec {
  if (spec.precision === 'float32') return spec;
  const lowest = spec.precision === 'int8' ? -128 : 0;
  let input = spec.input.quantization;
  const conv = (layer: ConvSpec): ConvSpec => {
    const result = dequantizeConv(layer, input, lowest);
    input = layer.output;
    return result;
  };
  const block = ({ expand, depthwise, project, residual }: BlockSpec): BlockSpec => {
    const result = {
      expand: expand ? conv(expand) : null,
      depthwise: conv(depthwise),
      project: conv(project),
      residual: residual ? { ...residual, output: null } : null,
    };
    if (residual) input = residual.output;
    return result;
  };
  const stem = conv(spec.stem);
  const blocks = spec.blocks.map(block);
  const head = spec.head ? conv(spec.head) : null;
  input = spec.pool.output;
  return {
    ...spec,
    precision: 'float32',
    input: { ...spec.input, quantization: null },
    stem,
    blocks,
    head,
    pool: { ...spec.pool, output: null },
    classifier: spec.classifier.map((dense) => ({ ...dense, conv: conv(dense.conv) })),
    softmax: { kind: 'float', beta: spec.softmax.beta },
  };
}

function dequantizeConv(layer: ConvSpec, input: Quantization | null, lowest: number): ConvSpec {
  const { weights, outChannels, depthwise } = layer;
  if (weights.kind === 'float32') return layer;
  const scaleOf = (o: number) => weights.scales[weights.scales.length === 1 ? 0 : o] as number;
  const perChannel = weights.values.length / outChannels;
  const values = Float32Array.from(
    weights.values,
    (w, i) => (w - weights.zeroPoint) * scaleOf(depthwise ? i % outChannels : Math.floor(i / perChannel)),
  );
  const bias = Float32Array.from(weights.bias, (b, o) => b * (input?.scale ?? 1) * scaleOf(o));
  const activation = layer.activation === 'linear' ? activationOf(layer.output, lowest) : layer.activation;
  return { ...layer, activation, weights: { kind: 'float32', values, bias }, output: null };
}

/** What a range that begins at zero says. */
function activationOf(output: Quantization | null, lowest: number): Activation {
  if (output === null || output.zeroPoint !== lowest) return 'linear';
  return Math.abs(output.scale * 255 - 6) < 0.06 ? 'relu6' : 'relu';
}
