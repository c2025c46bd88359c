import { describe, expect, it } from 'vitest';
import { MobileNetError } from '../../lib/errors.js';
import { readTfjsLayers } from '../../lib/formats/tfjs-layers.js';
import { classCount, type ModelSpec } from '../../lib/model-spec.js';
import { type TinyKerasOptions, tinyKeras } from './tfjs-writer.js';

function read(options: TinyKerasOptions = {}, more: object = {}): ModelSpec {
  const { modelJson, weights } = tinyKeras(options);
  return readTfjsLayers(modelJson, weights, { source: 'tiny', ...more });
}

function failure(run: () => unknown): MobileNetError {
  try {
    run();
  } catch (error) {
    if (error instanceof MobileNetError) return error;
    throw error;
  }
  throw new Error('expected an error');
}

/** A stored weight, decoded independently of the reader. */
function stored(tiny: ReturnType<typeof tinyKeras>, name: string): number[] {
  const view = new DataView(tiny.weights.buffer);
  let at = 0;
  for (const entry of tiny.manifest) {
    const count = entry.shape.reduce((a, b) => a * b, 1);
    const q = entry.quantization;
    const bytes = q === undefined ? 4 : q.dtype === 'uint8' ? 1 : 2;
    if (entry.name === name) {
      return Array.from({ length: count }, (_, i) => {
        const p = at + bytes * i;
        if (q === undefined) return view.getFloat32(p, true);
        if (q.dtype === 'uint8') return Math.fround(view.getUint8(p) * (q.scale ?? 0) + (q.min ?? 0));
        const bits = view.getUint16(p, true);
        if (q.dtype === 'uint16') return Math.fround(bits * (q.scale ?? 0) + (q.min ?? 0));
        return (bits & 0x8000 ? -1 : 1) * (1 + (bits & 1023) / 1024) * 2 ** (((bits >> 10) & 31) - 15);
      });
    }
    at += count * bytes;
  }
  throw new Error(`no weight ${name}`);
}

const table = (spec: ModelSpec) =>
  spec.blocks.map((b) => [
    b.expand?.outChannels ?? null,
    b.depthwise.stride,
    b.project.outChannels,
    b.residual !== null,
  ]);

describe('a TensorFlow.js layers model', () => {
  it('gives blocks, head, pool and classifier', () => {
    const spec = read({ height: 48, width: 32, classes: 6 });
    expect(spec).toMatchObject({
      family: 'mobilenet_v2',
      format: 'tfjs-layers',
      precision: 'float32',
      logitsOnly: false,
    });
    expect(spec.input).toEqual({ height: 48, width: 32, quantization: null });
    expect(spec.stem).toMatchObject({ outChannels: 8, kernel: 3, stride: 2, padding: 'same', activation: 'relu6' });
    expect(table(spec)).toEqual([
      [null, 1, 6, false],
      [12, 2, 10, false],
      [20, 1, 10, true],
    ]);
    expect(spec.blocks.map((b) => [b.depthwise.activation, b.project.activation])).toEqual(
      [1, 2, 3].map(() => ['relu6', 'linear']),
    );
    expect(spec.head).toMatchObject({ outChannels: 16, activation: 'relu6' });
    expect(classCount(spec)).toBe(6);
    expect(spec.softmax).toEqual({ kind: 'float', beta: 1 });
    expect(spec.preprocess).toBeNull();
  });

  it('means the same however it is written', () => {
    const plain = read();
    for (const options of [
      { wrapped: false },
      { relu6: 'Activation' },
      { relu6: 'object' },
      { keras3: true },
      { head: 'flatten-dense' },
      { softmax: 'Activation' },
      { softmax: 'Softmax' },
    ] as const) {
      const other = read(options);
      expect(other.pool.name).toBe('pool');
      expect(other, JSON.stringify(options)).toEqual(plain);
    }
    expect(read({ head: 'conv' }).classifier[0]?.conv).toMatchObject({ inChannels: 16, outChannels: 5, kernel: 1 });
    expect(read({ softmax: 'none' }).logitsOnly).toBe(true);
    const fused = read({ relu6: 'fused', norm: 'none' });
    expect(fused.blocks[1]?.expand?.activation).toBe('relu6');
    expect(fused.blocks[1]?.project.activation).toBe('linear');
  });

  it('does not depend on the order in which layers are listed', () => {
    expect(read({ edit: (layers) => layers.reverse() })).toEqual(read());
  });

  for (const dtype of ['float32', 'float16', 'uint8', 'uint16'] as const) {
    for (const norm of ['full', 'no-scale', 'no-center'] as const) {
      it(`folds batch normalisation (${norm}) into ${dtype} weights and lays them out as the spec says`, () => {
        const tiny = tinyKeras({ dtype, norm });
        const spec = readTfjsLayers(tiny.modelJson, tiny.weights, { source: 'tiny' });
        for (const [name, layer] of [
          ['Conv1', spec.stem],
          ['block_1_depthwise', spec.blocks[1]?.depthwise],
          ['block_1_project', spec.blocks[1]?.project],
        ] as const) {
          const kernel = stored(tiny, `${name}/${layer?.depthwise ? 'depthwise_kernel' : 'kernel'}`);
          const mean = stored(tiny, `${name}_BN/moving_mean`);
          const variance = stored(tiny, `${name}_BN/moving_variance`);
          const gamma = norm === 'no-scale' ? mean.map(() => 1) : stored(tiny, `${name}_BN/gamma`);
          const beta = norm === 'no-center' ? mean.map(() => 0) : stored(tiny, `${name}_BN/beta`);
          const channels = mean.length;
          const taps = kernel.length / channels;
          const factor = (c: number) => (gamma[c] ?? 0) / Math.sqrt((variance[c] ?? 0) + 0.001);
          const expected = new Float32Array(kernel.length);
          for (let tap = 0; tap < taps; tap++) {
            for (let c = 0; c < channels; c++) {
              const to = layer?.depthwise ? tap * channels + c : c * taps + tap;
              expected[to] = (kernel[tap * channels + c] ?? 0) * factor(c);
            }
          }
          expect(layer?.weights.values).toEqual(expected);
          const bias = Float32Array.from({ length: channels }, (_, c) => (beta[c] ?? 0) - (mean[c] ?? 0) * factor(c));
          expect(layer?.weights.bias).toEqual(bias);
        }
      });
    }
  }

  it('transposes dense kernels', () => {
    const tiny = tinyKeras();
    const kernel = stored(tiny, 'predictions/kernel'); // [16][5]
    const { values } =
      readTfjsLayers(tiny.modelJson, tiny.weights, { source: 'tiny' }).classifier[0]?.conv.weights ?? {};
    expect(values?.[3 * 16 + 7]).toBe(kernel[7 * 5 + 3]);
    expect(values?.[0 * 16 + 15]).toBe(kernel[15 * 5 + 0]);
  });

  it('of Teachable Machine has two dense layers, labels and a recipe', () => {
    const metadata = { packageName: '@teachablemachine/image', labels: ['a', 'b', 'c'], imageSize: 32 };
    const spec = read({ style: 'teachable-machine' }, { metadata });
    expect(spec.classifier.map((d) => [d.conv.inChannels, d.conv.outChannels, d.conv.activation])).toEqual([
      [16, 7, 'relu'],
      [7, 3, 'linear'],
    ]);
    expect(spec.classifier[1]?.conv.weights.bias).toEqual(new Float32Array(3));
    expect(spec).toMatchObject({ labels: ['a', 'b', 'c'], preprocess: 'teachable-machine', logitsOnly: false });
    expect(table(spec)).toEqual(table(read()));
  });

  it('finds weights under the longer names of nested models and cells', () => {
    for (const rename of [(n: string) => `model1/${n}`, (n: string) => n.replace('/', '/cell/')]) {
      const tiny = tinyKeras();
      for (const entry of tiny.manifest) entry.name = rename(entry.name);
      expect(readTfjsLayers(tiny.modelJson, tiny.weights, { source: 'tiny' })).toEqual(read());
    }
  });

  it('may be tfjs’ ModelArtifacts', () => {
    const { modelJson, weights, manifest } = tinyKeras();
    const artifacts = { modelTopology: modelJson.modelTopology, weightSpecs: manifest };
    expect(readTfjsLayers(artifacts, weights, { source: 'tiny' })).toEqual(read());
  });
});

describe('a layers model that does not fit', () => {
  type Layers = Parameters<NonNullable<TinyKerasOptions['edit']>>[0];
  const change = (name: string, config: object, className?: string) => (layers: Layers) => {
    const layer = layers.find((candidate) => candidate.name === name);
    if (layer === undefined) throw new Error(`no layer ${name}`);
    Object.assign(layer.config, config);
    if (className !== undefined) layer.class_name = className;
  };
  const cases: [string, NonNullable<TinyKerasOptions['edit']>, RegExp][] = [
    [
      'an unknown layer',
      change('pool', {}, 'GlobalMaxPooling2D'),
      /'GlobalMaxPooling2D' 'pool'\) does not fit.*global average pooling/,
    ],
    ['channels first', change('Conv1', { data_format: 'channels_first' }), /'Conv2D' 'Conv1'.*channels_first/],
    ['dilation', change('block_0_depthwise', { dilation_rate: [2, 2] }), /dilation 2x2.*3x3 depthwise/],
    ['another activation', change('block_0_depthwise', { activation: 'swish' }), /activation "swish"/],
    ['a leaky ReLU', change('Conv1_relu', { negative_slope: 0.1 }), /'ReLU' 'Conv1_relu'.*slope/],
    ['another clamp', change('Conv1_relu', { max_value: 4 }), /max_value 4/],
    [
      'lop-sided padding',
      change('Conv1_pad', {
        padding: [
          [1, 0],
          [1, 0],
        ],
      }),
      /'Conv1'\).*SAME padding or 1 zeros/,
    ],
    ['depth multiplier', change('block_0_depthwise', { depth_multiplier: 2 }), /depth_multiplier/],
    [
      'a window that is not the image',
      change('pool', { pool_size: 3 }, 'AveragePooling2D'),
      /window of the whole image, 8x8, not 3x3/,
    ],
    [
      'overlapping windows',
      change('pool', { pool_size: 8, strides: 1, padding: 'same' }, 'AveragePooling2D'),
      /overlapping windows/,
    ],
    ['a shared layer', (layers) => layers[3]?.inbound_nodes.push([['input_1', 0, 0, {}]]), /used 2 times/],
  ];
  for (const [name, edit, message] of cases) {
    it(`names the layer: ${name}`, () => {
      const error = failure(() => read({ edit }));
      expect(error.message).toMatch(message);
      expect(error.code).toBe('MODEL_UNSUPPORTED');
    });
  }

  it('names graph models', () => {
    for (const json of [{ format: 'graph-model', modelTopology: {} }, { modelTopology: { node: [] } }]) {
      const error = failure(() => readTfjsLayers(json, new Uint8Array(0), { source: 'm' }));
      expect(error.code).toBe('MODEL_UNSUPPORTED');
      expect(error.message).toMatch(/^m: this is a TensorFlow.js graph model/);
    }
  });
});

describe('a damaged layers model', () => {
  it('is MODEL_CORRUPT and says which weight', () => {
    const cases: [string, (tiny: ReturnType<typeof tinyKeras>) => void, RegExp][] = [
      [
        'missing',
        (t) => Object.assign(t.manifest[0] ?? {}, { name: 'x' }),
        /weight "Conv1\/kernel": is not in the manifest/,
      ],
      [
        'twice',
        (t) => Object.assign(t.manifest[1] ?? {}, { name: 'Conv1/kernel' }),
        /"Conv1\/kernel": is in the manifest twice/,
      ],
      [
        'of another shape',
        (t) => Object.assign(t.manifest[0] ?? {}, { shape: [3, 3, 8, 3] }),
        /\[3, 3, 8, 3\], but its layer needs \[3, 3, 3, 8\]/,
      ],
      [
        'too large',
        (t) => Object.assign(t.manifest[0] ?? {}, { shape: [2 ** 30, 2 ** 30] }),
        /"Conv1\/kernel": ends at byte/,
      ],
      ['of an unknown type', (t) => Object.assign(t.manifest[0] ?? {}, { dtype: 'string' }), /dtype "string"/],
      ['NaN', (t) => t.weights.set([0, 0, 0xc0, 0x7f], 0), /weight "Conv1\/kernel": element 0 is NaN/],
    ];
    for (const [name, damage, message] of cases) {
      const tiny = tinyKeras();
      damage(tiny);
      const error = failure(() => readTfjsLayers(tiny.modelJson, tiny.weights, { source: 'tiny' }));
      expect(error.message, name).toMatch(message);
      expect(error.code, name).toBe('MODEL_CORRUPT');
    }
    const { modelJson, weights } = tinyKeras();
    expect(() => readTfjsLayers(modelJson, weights.subarray(1), { source: 't' })).toThrow(/ends at byte/);
    expect(() => readTfjsLayers(modelJson, new Uint8Array(weights.length + 1), { source: 't' })).toThrow(
      /the manifest lists/,
    );
  });

  it('with a negative variance, a cycle or endless nesting is MODEL_CORRUPT', () => {
    const tiny = tinyKeras({ dtype: 'uint8' });
    const variance = tiny.manifest.find((entry) => entry.name === 'Conv1_BN/moving_variance');
    Object.assign(variance?.quantization ?? {}, { min: -9 });
    expect(failure(() => readTfjsLayers(tiny.modelJson, tiny.weights, { source: 't' }))).toMatchObject({
      code: 'MODEL_CORRUPT',
      message: expect.stringContaining('variance'),
    });
    const cycle = failure(() =>
      read({ edit: (layers) => Object.assign(layers[1] ?? {}, { inbound_nodes: [[['Conv1', 0, 0, {}]]] }) }),
    );
    expect(cycle).toMatchObject({ code: 'MODEL_CORRUPT', message: expect.stringContaining('cycle') });
    let nested: object = { class_name: 'Sequential', config: [] };
    for (let i = 0; i < 100; i++) nested = { class_name: 'Sequential', config: [nested] };
    const deep = failure(() => readTfjsLayers({ modelTopology: nested }, new Uint8Array(0), { source: 't' }));
    expect(deep).toMatchObject({ code: 'MODEL_CORRUPT', message: expect.stringContaining('deep') });
  });
});
