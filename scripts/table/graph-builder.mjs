// Builds an ONNX graph (lib/tools/onnx/graph.ts) layer by layer with seeded weights, and counts as it goes.

/** Numbers in [-1, 1) that depend on the seed alone (xorshift32). */
function generator(seed) {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state / 2 ** 31;
  };
}

/**
 * Values are { name, channels, height, width }. A convolution has a bias: what batch normalisation leaves when it is
 * folded in.
 */
export class GraphBuilder {
  nodes = [];
  initializers = [];
  parameters = 0;
  madds = 0;
  #unique = 0;
  #random = generator(1);

  constructor(size) {
    this.input = { name: 'input', channels: 3, height: size, width: size };
  }

  #emit(op, inputs, shape, attributes = {}) {
    const name = `${op}_${this.#unique++}`;
    this.nodes.push({ op, inputs, outputs: [name], attributes });
    return { ...shape, name };
  }

  #constant(dims, data) {
    const name = `constant_${this.#unique++}`;
    this.initializers.push({ name, dims, data });
    return name;
  }

  /** Scaled so that values keep their size through ReLUs. */
  #weights(dims, fanIn) {
    const count = dims.reduce((product, dim) => product * dim, 1);
    const scale = Math.sqrt(6 / fanIn);
    this.parameters += count;
    return this.#constant(
      dims,
      Float32Array.from({ length: count }, () => this.#random() * scale),
    );
  }

  #bias(count) {
    this.parameters += count;
    return this.#constant([count], new Float32Array(count));
  }

  /** Output side and ONNX pads of one dimension. */
  #window(size, kernel, stride, padding) {
    if (padding === 'valid') return { out: Math.floor((size - kernel) / stride) + 1, before: 0, after: 0 };
    const out = Math.ceil(size / stride);
    const total = Math.max(0, (out - 1) * stride + kernel - size);
    return { out, before: Math.floor(total / 2), after: total - Math.floor(total / 2) };
  }

  #windowed(op, inputs, x, channels, { kernel, stride = 1, padding = 'same', ...attributes }) {
    const rows = this.#window(x.height, kernel, stride, padding);
    const columns = this.#window(x.width, kernel, stride, padding);
    return this.#emit(
      op,
      inputs,
      { channels, height: rows.out, width: columns.out },
      {
        kernel_shape: [kernel, kernel],
        strides: [stride, stride],
        pads: [rows.before, columns.before, rows.after, columns.after],
        ...attributes,
      },
    );
  }

  /** @param bias false where none follows: a separable convolution's depthwise half. */
  conv(x, channels, { groups = 1, bias = true, ...window }) {
    const perGroup = x.channels / groups;
    if (!Number.isInteger(perGroup) || channels % groups !== 0) {
      throw new Error(`${x.channels} -> ${channels} channels do not divide into ${groups} groups`);
    }
    const taps = window.kernel ** 2;
    const inputs = [x.name, this.#weights([channels, perGroup, window.kernel, window.kernel], perGroup * taps)];
    if (bias) inputs.push(this.#bias(channels));
    const y = this.#windowed('Conv', inputs, x, channels, { ...window, group: groups });
    this.madds += y.height * y.width * channels * perGroup * taps;
    return y;
  }

  depthwise(x, window) {
    return this.conv(x, x.channels, { ...window, groups: x.channels });
  }

  relu(x) {
    return this.#emit('Relu', [x.name], x);
  }

  add(a, b) {
    if (a.channels !== b.channels || a.height !== b.height || a.width !== b.width) throw new Error('shapes differ');
    return this.#emit('Add', [a.name, b.name], a);
  }

  concat(...parts) {
    const channels = parts.reduce((sum, part) => sum + part.channels, 0);
    if (parts.some(({ height }) => height !== parts[0].height)) throw new Error('heights differ');
    return this.#emit(
      'Concat',
      parts.map(({ name }) => name),
      { ...parts[0], channels },
      { axis: 1 },
    );
  }

  averagePool(x, window) {
    return this.#windowed('AveragePool', [x.name], x, x.channels, window);
  }

  maxPool(x, window) {
    return this.#windowed('MaxPool', [x.name], x, x.channels, window);
  }

  /** Every second pixel, beginning at `offset` (0 or 1); the row and column beyond the end are zeros. */
  everySecond(x, offset) {
    const height = Math.ceil(x.height / 2);
    const width = Math.ceil(x.width / 2);
    if (offset === 0) return this.#windowed('AveragePool', [x.name], x, x.channels, { kernel: 1, stride: 2 });
    const pads = this.#constant([8], BigInt64Array.of(0n, 0n, -1n, -1n, 0n, 0n, 1n, 1n));
    const shifted = this.#emit('Pad', [x.name, pads], x);
    return { ...this.#windowed('AveragePool', [shifted.name], x, x.channels, { kernel: 1, stride: 2 }), height, width };
  }

  /** Channels g * n + i become i * groups + g. */
  shuffle(x, groups) {
    const { channels, height, width } = x;
    const dims = (...values) => this.#constant([values.length], BigInt64Array.from(values, BigInt));
    const split = this.#emit('Reshape', [x.name, dims(1, groups, channels / groups, height, width)], x);
    const turned = this.#emit('Transpose', [split.name], x, { perm: [0, 2, 1, 3, 4] });
    return this.#emit('Reshape', [turned.name, dims(1, channels, height, width)], x);
  }

  /** Global average pooling, a fully connected layer, softmax. */
  classifier(x, classes) {
    const pooled = this.#emit('GlobalAveragePool', [x.name], { ...x, height: 1, width: 1 });
    const logits = this.conv(pooled, classes, { kernel: 1 });
    const flat = this.#emit('Flatten', [logits.name], logits);
    return this.#emit('Softmax', [flat.name], flat, { axis: 1 });
  }

  /** The graph that ends in `output`. */
  graph(name, output) {
    const { channels, height, width } = this.input;
    return {
      name,
      nodes: this.nodes,
      initializers: this.initializers,
      input: { name: 'input', type: 'float32', dims: [1, channels, height, width] },
      output: { name: output.name, type: 'float32', dims: [1, output.channels] },
    };
  }
}
