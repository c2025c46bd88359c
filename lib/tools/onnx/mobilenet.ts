/**
 * A ModelSpec as an ONNX graph of one batch size: NCHW, as ONNX Runtime likes it. A quantised network becomes a QDQ
 * graph (every tensor quantised and dequantised), which ONNX Runtime turns into its integer kernels.
 */
import { stageShapes } from '../../compile/geometry.js';
import { compileOps } from '../../compile/ops.js';
import type { Activation, ConvSpec, ModelSpec, Quantization } from '../../model-spec.js';
import { classCount } from '../../model-spec.js';
import type { StageShape } from '../../native.js';
import type { OnnxAttribute, OnnxData, OnnxGraph, OnnxNode, OnnxTensor } from './graph.js';

export function mobilenetToOnnx(spec: ModelSpec, batch: number): OnnxGraph {
  return new Exporter(spec).export(batch);
}

/** A value in the graph: its name, and how it is quantised (null: float). */
interface Flow {
  readonly name: string;
  readonly quantization: Quantization | null;
}

class Exporter {
  private readonly nodes: OnnxNode[] = [];
  private readonly initializers = new Map<string, OnnxTensor>();
  private unique = 0;

  constructor(private readonly spec: ModelSpec) {}

  export(batch: number): OnnxGraph {
    const { spec } = this;
    const { height, width } = spec.input;
    const shapes = stageShapes(compileOps(spec).ops, height, width);
    const shapeOf = (i: number) => shapes[i] as StageShape;
    let flow: Flow = { name: 'input', quantization: spec.input.quantization };
    flow = this.conv(spec.stem, flow, shapeOf(0));
    spec.blocks.forEach((block, i) => {
      const entry = flow;
      if (block.expand) flow = this.conv(block.expand, flow, null);
      flow = this.conv(block.depthwise, flow, shapeOf(i + 1));
      flow = this.conv(block.project, flow, null);
      if (block.residual) {
        const sum = this.node('Add', [this.real(entry), this.real(flow)]);
        flow = this.quantized(sum, block.residual.output);
      }
    });
    if (spec.head) flow = this.conv(spec.head, flow, null);
    flow = this.quantized(this.node('GlobalAveragePool', [this.real(flow)]), spec.pool.output);
    for (const { conv } of spec.classifier) flow = this.conv(conv, flow, null);
    const logits = this.node('Flatten', [this.real(flow)]);
    const beta = spec.softmax.beta === 1 ? logits : this.node('Mul', [logits, this.scalar(spec.softmax.beta)]);
    this.nodes.push({ op: 'Softmax', inputs: [beta], outputs: ['probabilities'], attributes: { axis: 1 } });
    return {
      name: spec.source,
      nodes: this.nodes,
      initializers: [...this.initializers.values()],
      input: { name: 'input', type: spec.precision, dims: [batch, 3, height, width] },
      output: { name: 'probabilities', type: 'float32', dims: [batch, classCount(spec)] },
    };
  }

  private node(op: string, inputs: readonly string[], attributes: Record<string, OnnxAttribute> = {}): string {
    const output = `${op}_${this.unique++}`;
    this.nodes.push({ op, inputs, outputs: [output], attributes });
    return output;
  }

  private constant(name: string, dims: readonly number[], data: OnnxData): string {
    this.initializers.set(name, { name, dims, data });
    return name;
  }

  private scalar(value: number): string {
    return this.constant(`value ${value}`, [], Float32Array.of(value));
  }

  private zeroPoint(value: number): string {
    const data = this.spec.precision === 'int8' ? Int8Array.of(value) : Uint8Array.of(value);
    return this.constant(`zero point ${value}`, [], data);
  }

  /** The value as floats. */
  private real({ name, quantization: q }: Flow): string {
    return q === null ? name : this.node('DequantizeLinear', [name, this.scalar(q.scale), this.zeroPoint(q.zeroPoint)]);
  }

  private quantized(name: string, q: Quantization | null): Flow {
    if (q === null) return { name, quantization: null };
    const output = this.node('QuantizeLinear', [name, this.scalar(q.scale), this.zeroPoint(q.zeroPoint)]);
    return { name: output, quantization: q };
  }

  /** @param shape gives the padding of a convolution that has any. */
  private conv(conv: ConvSpec, input: Flow, shape: StageShape | null): Flow {
    const { kernel, stride, outChannels } = conv;
    const pads = shape === null ? [0, 0, 0, 0] : padsOf(shape, kernel, stride);
    const inputs = [this.real(input), ...this.weights(conv, input.quantization)];
    const sum = this.node('Conv', inputs, {
      kernel_shape: [kernel, kernel],
      strides: [stride, stride],
      pads,
      group: conv.depthwise ? outChannels : 1,
    });
    return this.quantized(this.activate(sum, conv.activation, conv.output), conv.output);
  }

  /** A clamp, unless quantising does it. */
  private activate(name: string, activation: Activation, q: Quantization | null): string {
    if (activation === 'linear') return name;
    const lowest = this.spec.precision === 'int8' ? -128 : 0;
    const clampsBelow = q !== null && q.zeroPoint === lowest;
    const clampsAbove = activation === 'relu' || (clampsBelow && q.scale * 255 <= 6.0001);
    if (clampsBelow && clampsAbove) return name;
    if (activation === 'relu') return this.node('Relu', [name]);
    return this.node('Clip', [name, this.scalar(0), this.scalar(6)]);
  }

  private weights(conv: ConvSpec, input: Quantization | null): [string, string] {
    const { name, kernel, outChannels, weights } = conv;
    const inChannels = conv.depthwise ? 1 : conv.inChannels;
    const dims = [outChannels, inChannels, kernel, kernel];
    const values = this.constant(`${name} weights`, dims, channelsFirst(conv));
    const bias = this.constant(`${name} bias`, [outChannels], weights.bias);
    if (weights.kind === 'float32') return [values, bias];
    const perChannel = weights.scales.length > 1;
    const scaleDims = perChannel ? [outChannels] : [];
    const filled = (data: Uint8Array | Int8Array) => data.fill(weights.zeroPoint);
    const count = weights.scales.length;
    const zeros = weights.values instanceof Int8Array ? new Int8Array(count) : new Uint8Array(count);
    const scales = this.constant(`${name} scales`, scaleDims, weights.scales);
    const zeroPoint = this.constant(`${name} zero points`, scaleDims, filled(zeros));
    const biasScales = weights.scales.map((scale) => scale * (input?.scale ?? 1));
    const axis = { axis: 0 };
    return [
      this.node('DequantizeLinear', [values, scales, zeroPoint], axis),
      this.node('DequantizeLinear', [bias, this.constant(`${name} bias scales`, scaleDims, biasScales)], axis),
    ];
  }
}

function padsOf(shape: StageShape, kernel: number, stride: number): number[] {
  const after = (out: number, size: number, before: number) => Math.max(0, (out - 1) * stride + kernel - size - before);
  const { padTop, padLeft, inHeight, inWidth, outHeight, outWidth } = shape;
  return [padTop, padLeft, after(outHeight, inHeight, padTop), after(outWidth, inWidth, padLeft)];
}

/** [out][in][ky][kx] from the layouts of ConvSpec. */
function channelsFirst({ kernel, outChannels, inChannels, depthwise, weights }: ConvSpec) {
  const { values } = weights;
  const taps = kernel * kernel;
  if (taps === 1) return values;
  const result = values.slice();
  const perOutput = depthwise ? 1 : inChannels;
  for (let o = 0; o < outChannels; o++) {
    for (let i = 0; i < perOutput; i++) {
      for (let tap = 0; tap < taps; tap++) {
        const from = depthwise ? tap * outChannels + o : (o * taps + tap) * inChannels + i;
        result[(o * perOutput + i) * taps + tap] = values[from] as number;
      }
    }
  }
  return result;
}
