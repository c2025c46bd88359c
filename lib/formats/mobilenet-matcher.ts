import type { BlockSpec, ConvSpec, DenseSpec, ModelSpec, Padding, PoolSpec, Quantization } from '../model-spec.js';
import { corrupt, unsupported } from './failures.js';
import { fuse, sameQuantization } from './fuse.js';
import { type ConvNode, checkChannels, type Graph, type GraphNode, type Pads, type TensorId } from './graph.js';

/** What flows between nodes: an image, or (1x1) a vector. */
interface Flow {
  readonly tensor: TensorId;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  /** Null: float values. */
  readonly quantization: Quantization | null;
}

function doesNotFit(expected: string, node: GraphNode | undefined, last: string): never {
  if (node === undefined) return unsupported(`the network ends after ${last}, expected ${expected}`);
  const problem = node.kind === 'other' && node.problem !== null ? ` (${node.problem})` : '';
  return unsupported(`${node.where} does not fit a MobileNet${problem}: expected ${expected}`);
}

/** TensorFlow's SAME: what a convolution adds before and after `size` rows or columns. */
function samePads(size: number, kernel: number, stride: number): readonly [number, number] {
  const total = Math.max((Math.ceil(size / stride) - 1) * stride + kernel - size, 0);
  return [Math.floor(total / 2), Math.ceil(total / 2)];
}

/** Explicit pads as the spec's kind of padding, or null when they are neither. */
function paddingKind(node: ConvNode, flow: Flow): Padding | null {
  if (node.padding === 'same') return 'same';
  const { top, bottom, left, right }: Pads = node.padding;
  const [y0, y1] = samePads(flow.height, node.kernel[0], node.stride[0]);
  const [x0, x1] = samePads(flow.width, node.kernel[1], node.stride[1]);
  if (top === y0 && bottom === y1 && left === x0 && right === x1) return 'same';
  const each = (node.kernel[0] - 1) / 2;
  return top === each && bottom === each && left === each && right === each ? 'symmetric' : null;
}

/** Walks the nodes of a graph in order, one expectation after another. */
class Matcher {
  private readonly nodes: readonly GraphNode[];
  private next = 0;
  private pooled = false;
  flow: Flow;

  constructor(private readonly graph: Graph) {
    this.nodes = fuse(graph.nodes);
    this.flow = { channels: 3, ...graph.input };
  }

  peek(ahead = 0): GraphNode | undefined {
    return this.nodes[this.next + ahead];
  }

  fail(expected: string, node = this.peek()): never {
    const after = this.peek(1);
    // Padding belongs to what follows; when that is no convolution one can run, that is what does not fit.
    const culprit = node?.kind === 'pad' && after?.kind === 'other' ? after : node;
    return doesNotFit(expected, culprit, this.nodes[this.next - 1]?.where ?? 'its input');
  }

  /** Steps over the next node, whose first input must be what flows. */
  private advance(node: GraphNode, to: Omit<Flow, 'tensor'>): void {
    if (!node.inputs.includes(this.flow.tensor)) this.fail('its input to be the output of the layer before it', node);
    this.checkShape(node, to);
    this.flow = { ...to, tensor: node.output };
    this.next++;
  }

  /** Files that declare shapes must declare the ones that follow from the layers. */
  private checkShape(node: GraphNode, to: Omit<Flow, 'tensor'>): void {
    if (node.shape === null) return;
    const asImage = node.shape.length === 4 && node.shape[0] === 1;
    const fits = asImage
      ? node.shape[1] === to.height && node.shape[2] === to.width && node.shape[3] === to.channels
      : to.height * to.width === 1 && node.shape.reduce((a, b) => a * b, 1) === to.channels;
    if (fits) return;
    corrupt(
      `${node.where}: declares the output shape [${node.shape.slice(0, 8).join(', ')}], but its inputs and options give ` +
        `[1, ${to.height}, ${to.width}, ${to.channels}]`,
    );
  }

  /** Whether the node `ahead` is a convolution of that kind. Fully connected layers are 1x1 ones, but only of a vector. */
  isConv(kernel: 1 | 3, depthwise: boolean, ahead = 0): boolean {
    const node = this.peek(ahead);
    if (node?.kind !== 'conv' || node.depthwise !== depthwise || (node.dense && !this.pooled)) return false;
    return node.kernel[0] === kernel && node.kernel[1] === kernel;
  }

  /** Takes a convolution that {@link isConv} found. `strides`: those that fit here. */
  conv(expected: string, kernel: 1 | 3, strides: readonly number[]): ConvSpec {
    const node = this.peek();
    if (node?.kind !== 'conv') return this.fail(expected);
    const { flow } = this;
    const stride = node.stride[0];
    if (node.stride[1] !== stride || !strides.includes(stride)) {
      return this.fail(`${expected} of stride ${strides.join(' or ')}, not ${node.stride.join('x')}`);
    }
    const padding = paddingKind(node, flow);
    if (padding === null) {
      return this.fail(`${expected} with SAME padding or ${(kernel - 1) / 2} zeros on each side`);
    }
    checkChannels(node.inChannels, node.where);
    checkChannels(node.outChannels, node.where);
    if (node.inputs[0] === flow.tensor && node.inChannels !== flow.channels) {
      return corrupt(`${node.where}: its weights take ${node.inChannels} channels, its input has ${flow.channels}`);
    }
    this.advance(node, {
      height: Math.ceil(flow.height / stride),
      width: Math.ceil(flow.width / stride),
      channels: node.outChannels,
      quantization: node.quantization,
    });
    return {
      name: node.name,
      inChannels: node.inChannels,
      outChannels: node.outChannels,
      kernel,
      stride: stride as 1 | 2,
      padding: kernel === 1 ? 'same' : padding,
      depthwise: node.depthwise,
      activation: node.activation,
      weights: node.weights,
      output: node.quantization,
    };
  }

  /** An optional ADD of what flows and the block's input. */
  residual(input: Flow, stride: number): BlockSpec['residual'] {
    const node = this.peek();
    if (node?.kind !== 'add') return null;
    const { flow } = this;
    const expected = 'an addition of the input of this block and its projection, without activation';
    const [a, b] = node.inputs;
    const both = (a === input.tensor && b === flow.tensor) || (b === input.tensor && a === flow.tensor);
    if (node.inputs.length !== 2 || !both || node.activation !== 'linear') return this.fail(expected);
    if (stride !== 1 || input.channels !== flow.channels) {
      return this.fail('an addition only where the stride is 1 and the channels are equal');
    }
    this.advance(node, { ...flow, quantization: node.quantization });
    return { name: node.name, output: node.quantization };
  }

  pool(expected: string): PoolSpec {
    const node = this.peek();
    if (node?.kind !== 'pool') return this.fail(expected);
    const { flow } = this;
    const { window } = node;
    if (window !== null && (window[0] !== flow.height || window[1] !== flow.width)) {
      return this.fail(`a window of the whole image, ${flow.height}x${flow.width}, not ${window.join('x')}`);
    }
    if (node.pool === 'average' && !sameQuantization(flow.quantization, node.quantization)) {
      return this.fail('input and output of the average pool to have the same scale and zero point');
    }
    this.advance(node, { height: 1, width: 1, channels: flow.channels, quantization: node.quantization });
    this.pooled = true;
    return { name: node.name, kind: node.pool, output: node.quantization };
  }

  /** Steps over nodes that leave a vector's values as they are. */
  passReshapes(): void {
    for (let node = this.peek(); node?.kind === 'reshape'; node = this.peek()) {
      if (!sameQuantization(this.flow.quantization, node.quantization)) {
        this.fail('input and output to have the same scale and zero point', node);
      }
      this.advance(node, this.flow);
    }
  }

  /** QUANTIZE of the caller's values: the input of the engine is then what QUANTIZE gives. */
  quantizedInput(): Quantization | null {
    const node = this.peek();
    if (node?.kind === 'quantize') {
      if (this.flow.quantization !== null) this.checkRecoding(node, this.flow.quantization);
      this.advance(node, { ...this.flow, quantization: node.quantization });
    }
    return this.flow.quantization;
  }

  /** uint8 to int8 and back: the same real values, the integers moved by 128. Anything else would round. */
  private checkRecoding(node: GraphNode, from: Quantization): void {
    const to = node.quantization;
    const moved = to === null ? 0 : Math.abs(to.zeroPoint - from.zeroPoint);
    if (to === null || to.scale !== from.scale || (moved !== 128 && moved !== 0)) {
      this.fail('input and output of equal scale and zero points 128 apart', node);
    }
  }

  /** Softmax and what may stand around it, to the graph's output. */
  ending(): Pick<ModelSpec, 'softmax' | 'logitsOnly'> {
    let found: ModelSpec['softmax'] | null = null;
    for (let node = this.peek(); node !== undefined; node = this.peek()) {
      const { flow } = this;
      if (node.kind === 'reshape') this.passReshapes();
      else if (node.kind === 'dequantize' && flow.quantization !== null) {
        this.advance(node, { ...flow, quantization: null });
      } else if (node.kind === 'quantize' && flow.quantization !== null) {
        this.checkRecoding(node, flow.quantization);
        this.advance(node, { ...flow, quantization: node.quantization });
      } else if (node.kind === 'softmax' && found === null) {
        if (flow.quantization === null) found = { kind: 'float', beta: node.beta };
        else if (node.quantization === null)
          this.fail('a softmax whose input and output are both quantised or both not');
        else found = { kind: 'fixed-point', beta: node.beta, output: node.quantization };
        this.advance(node, { ...flow, quantization: node.quantization });
      } else this.fail(found === null ? 'a softmax or the end of the network' : 'the end of the network');
    }
    if (this.flow.tensor !== this.graph.output) {
      unsupported(`the network's output is not that of its last layer (${this.nodes.at(-1)?.where ?? 'none'})`);
    }
    return { softmax: found ?? { kind: 'float', beta: 1 }, logitsOnly: found === null };
  }
}

/** Blocks as long as they go on: `expand? depthwise project residual?`. */
function matchBlocks(matcher: Matcher): BlockSpec[] {
  const blocks: BlockSpec[] = [];
  for (;;) {
    const expands = matcher.isConv(1, false) && matcher.isConv(3, true, 1);
    if (!expands && !matcher.isConv(3, true)) return blocks;
    const input = matcher.flow;
    const expand = expands ? matcher.conv('a 1x1 expansion', 1, [1]) : null;
    const depthwise = matcher.conv('a 3x3 depthwise convolution', 3, [1, 2]);
    if (!matcher.isConv(1, false)) matcher.fail('a 1x1 projection after the depthwise convolution');
    const project = matcher.conv('a 1x1 projection', 1, [1]);
    blocks.push({ expand, depthwise, project, residual: matcher.residual(input, depthwise.stride) });
  }
}

function matchClassifier(matcher: Matcher): DenseSpec[] {
  const classifier: DenseSpec[] = [];
  matcher.passReshapes();
  for (let node = matcher.peek(); node?.kind === 'conv' && matcher.isConv(1, false); node = matcher.peek()) {
    classifier.push({ conv: matcher.conv('a fully connected layer', 1, [1]), rounding: node.rounding });
    matcher.passReshapes();
  }
  if (classifier.length === 0) matcher.fail('a fully connected layer or a 1x1 convolution');
  return classifier;
}

/**
 * Recognises a MobileNet in a format-neutral graph: stem, blocks, an optional 1x1 head convolution, global average
 * pooling, a classifier of one or more dense layers, and an optional softmax.
 *
 * @throws MobileNetError MODEL_UNSUPPORTED naming the first operator that does not fit and what was expected there;
 *   MODEL_CORRUPT when shapes do not agree.
 */
export function matchMobileNet(graph: Graph): ModelSpec {
  const matcher = new Matcher(graph);
  const quantization = matcher.quantizedInput();
  const stemExpected = 'the stem, a 3x3 convolution of stride 2 on 3 channels';
  if (!matcher.isConv(3, false)) matcher.fail(stemExpected);
  const stem = matcher.conv(stemExpected, 3, [2]);
  const blocks = matchBlocks(matcher);
  if (blocks.length === 0) matcher.fail('a 3x3 depthwise convolution, or a 1x1 expansion and then one');
  const headExpected = 'the next block, the last 1x1 convolution or global average pooling';
  const head = matcher.isConv(1, false) ? matcher.conv(headExpected, 1, [1]) : null;
  const pool = matcher.pool(head === null ? headExpected : 'global average pooling');
  const classifier = matchClassifier(matcher);
  const inverted = blocks.some((block) => block.expand !== null || block.residual !== null);
  return {
    family: inverted ? 'mobilenet_v2' : 'mobilenet_v1',
    format: graph.format,
    source: graph.source,
    precision: graph.precision,
    input: { height: graph.input.height, width: graph.input.width, quantization },
    stem,
    blocks,
    head,
    pool,
    classifier,
    ...matcher.ending(),
    labels: graph.labels,
    preprocess: graph.preprocess,
  };
}
