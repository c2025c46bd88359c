/** The network as a fully convolutional one: its classifier at every pixel of the last feature map. Pure. */
import type { ModelSpec } from '../model-spec.js';
import { dequantize } from './dequantize.js';
import { type CompiledModel, type CompiledOp, compileOps } from './ops.js';

/**
 * The float network without pooling and softmax, its fully connected layers as 1x1 convolutions. One output: the map of
 * logits, rows x columns x classes. With a single fully connected layer, which is linear, its mean over the cells is
 * what pooling first would have given.
 */
export function compileClassMap(spec: ModelSpec): CompiledModel {
  const model = compileOps(dequantize(spec));
  const ops = model.ops.flatMap((compiled): CompiledOp[] => {
    const { op } = compiled;
    if (op.kind === 'globalAveragePool' || op.kind === 'softmax') return [];
    return [
      op.kind === 'dense' ? { ...compiled, op: { kind: 'pointwise', dtype: op.dtype, conv: op.conv } } : compiled,
    ];
  });
  const path = { name: 'class map', ops: ops.map((_, i) => i), outputs: [ops.length - 1] };
  return { ...model, ops, classify: path };
}
