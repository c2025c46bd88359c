/** What is left of a compiled network once its weights are packed: planning needs sizes only. */
import type { NativeConv } from '../native.js';
import type { CompiledModel } from './ops.js';

const NO_FLOATS = new Float32Array(0);

/** A copy whose arrays are empty, so that the file's bytes can be freed. */
export function withoutWeights(model: CompiledModel): CompiledModel {
  return {
    ...model,
    ops: model.ops.map((compiled) => {
      const { op } = compiled;
      switch (op.kind) {
        case 'invertedResidual': {
          const expand = op.expand && emptied(op.expand);
          return { ...compiled, op: { ...op, expand, depthwise: emptied(op.depthwise), project: emptied(op.project) } };
        }
        case 'globalAveragePool':
        case 'softmax':
          return compiled;
        default:
          return { ...compiled, op: { ...op, conv: emptied(op.conv) } };
      }
    }),
  };
}

function emptied(conv: NativeConv): NativeConv {
  const scales = conv.weightScales && { weightScales: NO_FLOATS };
  return { ...conv, weights: NO_FLOATS, bias: NO_FLOATS, ...scales };
}
