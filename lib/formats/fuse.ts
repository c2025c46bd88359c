import type { Quantization } from '../model-spec.js';
import { corrupt } from './failures.js';
import {
  type BatchNormNode,
  type ConvNode,
  checkFinite,
  type GraphNode,
  type PadNode,
  type TensorId,
} from './graph.js';

export function sameQuantization(a: Quantization | null, b: Quantization | null): boolean {
  if (a === null || b === null) return a === b;
  return a.scale === b.scale && a.zeroPoint === b.zeroPoint;
}

/** w' = w * scale, b' = b * scale + shift, in double and rounded once. */
function foldBatchNorm(conv: ConvNode, norm: BatchNormNode): ConvNode {
  if (conv.weights.kind !== 'float32') return corrupt(`${norm.where}: batch normalisation of quantised values`);
  const { values, bias } = conv.weights;
  const channels = conv.outChannels;
  if (norm.scale.length !== channels) {
    return corrupt(`${norm.where}: has ${norm.scale.length} channels, its input ${channels}`);
  }
  const folded = new Float32Array(values.length);
  const perChannel = conv.depthwise ? 1 : values.length / channels;
  for (let i = 0; i < values.length; i++) {
    const channel = conv.depthwise ? i % channels : Math.floor(i / perChannel);
    folded[i] = (values[i] as number) * (norm.scale[channel] as number);
  }
  const foldedBias = bias.map((b, channel) => b * (norm.scale[channel] as number) + (norm.shift[channel] as number));
  checkFinite(folded, `${norm.where}: folded weights`);
  checkFinite(foldedBias, `${norm.where}: folded bias`);
  return {
    ...conv,
    weights: { kind: 'float32', values: folded, bias: foldedBias },
    output: norm.output,
    shape: norm.shape,
  };
}

function absorbPad(conv: ConvNode, pad: PadNode): ConvNode | null {
  if (conv.inputs[0] !== pad.output || conv.dense || conv.padding === 'same') return null;
  if (Object.values(conv.padding).some((n) => n !== 0)) return null;
  return { ...conv, inputs: [pad.inputs[0] as TensorId, ...conv.inputs.slice(1)], padding: pad.pads };
}

/**
 * Makes one node of a convolution and what belongs to it: padding before, batch normalisation and activation after.
 * What cannot be absorbed stays in the list, for the matcher to object to. A tensor that disappears here and is used
 * elsewhere shows up there as well.
 */
export function fuse(nodes: readonly GraphNode[]): GraphNode[] {
  const fused: GraphNode[] = [];
  const aliases = new Map<TensorId, TensorId>();
  for (const original of nodes) {
    const node = { ...original, inputs: original.inputs.map((id) => aliases.get(id) ?? id) };
    const last = fused.at(-1);
    if (node.kind === 'identity') {
      aliases.set(node.output, node.inputs[0] as TensorId);
    } else if (node.kind === 'conv' && last?.kind === 'pad') {
      const joined = absorbPad(node, last);
      if (joined !== null) fused.pop();
      fused.push(joined ?? node);
    } else if (last?.kind === 'conv' && last.output === node.inputs[0] && last.activation === 'linear') {
      if (node.kind === 'batch-norm') fused[fused.length - 1] = foldBatchNorm(last, node);
      // A clamp after requantisation is a fused one only when both tensors use the same integers.
      else if (node.kind === 'activation' && sameQuantization(last.quantization, node.quantization)) {
        fused[fused.length - 1] = { ...last, activation: node.activation, output: node.output, shape: node.shape };
      } else fused.push(node);
    } else {
      fused.push(node);
    }
  }
  return fused;
}
