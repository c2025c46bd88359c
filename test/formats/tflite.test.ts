import { describe, expect, it } from 'vitest';
import { MobileNetError } from '../../lib/errors.js';
import { readTflite } from '../../lib/formats/index.js';
import { classCount, type ModelSpec, weightedLayers } from '../../lib/model-spec.js';
import { writeFlatBuffer } from './flatbuffer-writer.js';
import { bytesOf, code, type TfliteWriter, type TinyOptions, tinyTflite } from './tflite-writer.js';
import { appendZip } from './zip-writer.js';

const read = (options: TinyOptions = {}): ModelSpec => readTflite(tinyTflite(options), 'tiny');

function failure(options: TinyOptions): MobileNetError {
  try {
    read(options);
  } catch (error) {
    if (error instanceof MobileNetError) return error;
    throw error;
  }
  throw new Error('expected an error');
}

/** [expand, depthwise stride, out, residual] */
const table = (spec: ModelSpec) =>
  spec.blocks.map((b) => [
    b.expand?.outChannels ?? null,
    b.depthwise.stride,
    b.project.outChannels,
    b.residual !== null,
  ]);

const tinyTable = [
  [null, 1, 6, false],
  [12, 2, 10, false],
  [20, 1, 10, true],
];

function operator(writer: TfliteWriter, op: number, nth = 0) {
  const found = writer.operators.filter((candidate) => candidate.code === op)[nth];
  if (found === undefined) throw new Error('no such operator');
  return found;
}

describe('a TFLite file', () => {
  for (const kind of ['float32', 'float16', 'uint8', 'int8'] as const) {
    it(`of ${kind} gives blocks, head, pool and classifier`, () => {
      const spec = read({ kind, height: 40, width: 24, classes: 7 });
      expect(spec.family).toBe('mobilenet_v2');
      expect(spec.format).toBe('tflite');
      expect(spec.precision).toBe(kind === 'float16' ? 'float32' : kind);
      expect(spec.input).toMatchObject({ height: 40, width: 24 });
      expect(spec.stem).toMatchObject({ inChannels: 3, outChannels: 8, kernel: 3, stride: 2, padding: 'same' });
      expect(table(spec)).toEqual(tinyTable);
      expect(spec.head).toMatchObject({ inChannels: 10, outChannels: 16, kernel: 1 });
      expect(spec.pool.kind).toBe('mean');
      expect(classCount(spec)).toBe(7);
      expect(spec.logitsOnly).toBe(false);
      expect(spec.labels).toBeNull();
      for (const layer of weightedLayers(spec)) {
        const perOutput = layer.kernel ** 2 * (layer.depthwise ? 1 : layer.inChannels);
        expect(layer.weights.values).toHaveLength(layer.outChannels * perOutput);
        expect(layer.weights.bias).toHaveLength(layer.outChannels);
      }
    });
  }

  it('keeps the weights as they are in the file', () => {
    let stored: Uint8Array | undefined;
    const spec = read({
      edit: (writer) => (stored = writer.tensors[operator(writer, code.CONV_2D).inputs[1] ?? -1]?.data),
    });
    expect(bytesOf(spec.stem.weights.values)).toEqual(stored);
  });

  it('converts float16 weights exactly', () => {
    const halves = Uint16Array.from(
      { length: 8 * 27 },
      (_, i) => [0x3c00, 0xc000, 0x3555, 0x0001, 0x8400, 0x7bff][i % 6] ?? 0,
    );
    const spec = read({
      kind: 'float16',
      edit: (writer) => {
        const half = operator(writer, code.DEQUANTIZE).inputs[0] ?? -1;
        Object.assign(writer.tensors[half] ?? {}, { data: bytesOf(halves) });
      },
    });
    expect([...spec.stem.weights.values].slice(0, 6)).toEqual([1, -2, 1365 / 4096, 2 ** -24, -(2 ** -14), 65504]);
  });

  it('keeps the file’s activations: fused in float and int8, none in uint8', () => {
    const activations = (kind: 'float32' | 'int8' | 'uint8') =>
      read({ kind })
        .blocks.flatMap((b) => [b.expand?.activation, b.depthwise.activation, b.project.activation])
        .slice(3);
    const clamped = ['relu6', 'relu6', 'linear', 'relu6', 'relu6', 'linear'];
    expect(activations('float32')).toEqual(clamped);
    expect(activations('int8')).toEqual(clamped);
    expect(activations('uint8')).toEqual(clamped.map(() => 'linear'));
  });

  it('carries scales, zero points and per-channel scales', () => {
    const spec = read({ kind: 'int8' });
    expect(spec.input.quantization).toEqual({ scale: 1 / 128, zeroPoint: 0 });
    expect(spec.stem.output).toEqual({ scale: Math.fround(6 / 255), zeroPoint: -128 });
    expect(spec.blocks[2]?.residual?.output).toEqual({ scale: Math.fround(0.07), zeroPoint: -128 });
    expect(spec.stem.weights).toMatchObject({ kind: 'quantized', zeroPoint: 0 });
    expect(spec.stem.weights.kind === 'quantized' && spec.stem.weights.scales).toHaveLength(8);
    expect(spec.softmax).toEqual({ kind: 'fixed-point', beta: 1, output: { scale: 1 / 256, zeroPoint: -128 } });
    const legacy = read({ kind: 'uint8' });
    expect(legacy.stem.weights).toMatchObject({ zeroPoint: 121, scales: Float32Array.of(0.01) });
    expect(read({ kind: 'int8', perChannel: false }).stem.weights).toMatchObject({ scales: { length: 1 } });
  });

  it('takes PAD operators as padding', () => {
    for (const kind of ['float32', 'int8'] as const) {
      expect(read({ kind, padding: 'pad-same' }).stem.padding).toBe('same');
      const symmetric = read({ kind, padding: 'pad-symmetric' });
      expect(symmetric.stem.padding).toBe('symmetric');
      expect(symmetric.blocks.map((b) => b.depthwise.padding)).toEqual(['same', 'symmetric', 'same']);
    }
    // At odd sizes SAME is symmetric.
    expect(read({ padding: 'pad-symmetric', height: 33, width: 33 }).stem.padding).toBe('same');
  });

  it('fuses RELU6 operators, quantised ones only between equal scales', () => {
    expect(read({ separateRelu6: true }).stem.activation).toBe('relu6');
    expect(read({ kind: 'int8', separateRelu6: true }).stem.activation).toBe('relu6');
    const edit = (writer: TfliteWriter) => {
      Object.assign(writer.tensors[operator(writer, code.RELU6).output] ?? {}, { scales: [0.03] });
    };
    expect(failure({ kind: 'int8', separateRelu6: true, edit }).message).toMatch(/operator 1 \(RELU6/);
  });

  it('rounds a FULLY_CONNECTED classifier once in uint8 only', () => {
    const rounding = (options: TinyOptions) => read(options).classifier.map((dense) => dense.rounding);
    expect(rounding({ kind: 'uint8', classifier: 'two-dense' })).toEqual(['single', 'single']);
    expect(rounding({ kind: 'int8', classifier: 'dense' })).toEqual(['double']);
    expect(rounding({ kind: 'uint8', classifier: 'conv' })).toEqual(['double']);
    expect(read({ classifier: 'two-dense' }).classifier.map((dense) => dense.conv.activation)).toEqual([
      'relu',
      'linear',
    ]);
  });

  it('reads both poolings', () => {
    expect(read({ kind: 'uint8', pool: 'average' }).pool.kind).toBe('average');
    const edit = (writer: TfliteWriter) => {
      const pool = operator(writer, code.AVERAGE_POOL_2D);
      pool.options = [{ u8: 1 }, { i32: 1 }, { i32: 1 }, { i32: 2 }, { i32: 2 }, { u8: 0 }];
    };
    expect(failure({ pool: 'average', edit }).message).toMatch(
      /AVERAGE_POOL_2D.*window of the whole image, 8x8, not 2x2/,
    );
  });

  it('takes float or uint8 ends of an int8 network', () => {
    const inner = { scale: 1 / 128, zeroPoint: 0 };
    expect(read({ kind: 'int8', ends: 'float' })).toMatchObject({
      precision: 'int8',
      input: { quantization: inner },
      softmax: { kind: 'fixed-point' },
    });
    expect(read({ kind: 'int8', ends: 'uint8' })).toMatchObject({ precision: 'int8', input: { quantization: inner } });
    const inFloat = read({ kind: 'int8', ends: 'softmax-in-float' });
    expect(inFloat.softmax).toEqual({ kind: 'float', beta: 1 });
    expect(inFloat.logitsOnly).toBe(false);
    const edit = (writer: TfliteWriter) => {
      Object.assign(writer.tensors[0] ?? {}, { zeroPoints: [100] });
    };
    expect(failure({ kind: 'int8', ends: 'uint8', edit }).message).toMatch(
      /operator 0 \(QUANTIZE.*zero points 128 apart/,
    );
  });

  it('may end in logits, and may have no biases', () => {
    for (const kind of ['float32', 'int8'] as const) {
      const spec = read({ kind, softmax: false, bias: false });
      expect(spec.logitsOnly).toBe(true);
      expect(spec.softmax).toEqual({ kind: 'float', beta: 1 });
      for (const layer of weightedLayers(spec)) expect(layer.weights.bias.every((b) => b === 0)).toBe(true);
    }
  });

  it('of MobileNetV1 shape has separable blocks with an activation at the end, and no head', () => {
    const spec = read({ v1: true });
    expect(spec.family).toBe('mobilenet_v1');
    expect(spec.head).toBeNull();
    expect(spec.blocks.map((b) => [b.expand, b.project.activation, b.residual])).toEqual(
      [6, 10, 10].map(() => [null, 'relu6', null]),
    );
  });

  it('reads the same from bytes at any alignment', () => {
    const bytes = tinyTflite();
    const shifted = new Uint8Array(bytes.length + 1);
    shifted.set(bytes, 1);
    expect(readTflite(shifted.subarray(1), 'tiny')).toEqual(readTflite(bytes, 'tiny'));
    expect(readTflite(Buffer.from(shifted.buffer).subarray(1), 'tiny')).toEqual(readTflite(bytes, 'tiny'));
  });
});

describe('labels inside a TFLite file', () => {
  const labelsOf = (files: Record<string, string>, options = {}, tiny: TinyOptions = {}) =>
    readTflite(appendZip(tinyTflite(tiny), files, options), 'tiny').labels;
  const five = 'ant\nbee\r\ncat\ndog\nelk\n\n';
  const expected = ['ant', 'bee', 'cat', 'dog', 'elk'];

  it('come from the only text file of the appended archive', () => {
    expect(labelsOf({ 'labels.txt': five })).toEqual(expected);
    expect(labelsOf({ 'labels.txt': five }, { stored: true })).toEqual(expected);
    expect(labelsOf({ 'labels.txt': five }, { offsetsFromArchive: true })).toEqual(expected);
    expect(labelsOf({ 'a.txt': five, 'b.txt': 'x' })).toBeNull();
    expect(labelsOf({ 'labels.json': five })).toBeNull();
  });

  it('come from the file that the metadata names', () => {
    const associated = [{ text: 'b.txt' }, null, { u8: 2 }];
    const output = [null, null, null, null, null, null, { tables: [associated] }];
    const data = writeFlatBuffer([null, null, null, { tables: [[null, null, null, { tables: [output] }]] }], 'M001');
    const edit = (writer: TfliteWriter) => writer.metadata.push({ name: 'TFLITE_METADATA', data });
    expect(labelsOf({ 'a.txt': 'x', 'b.txt': five }, {}, { edit })).toEqual(expected);
  });

  it('that are damaged, too long or no text are an error', () => {
    const zipped = appendZip(tinyTflite(), { 'labels.txt': 'label '.repeat(50) });
    const at = Buffer.from(zipped).indexOf('PK\x03\x04') + 30 + 'labels.txt'.length;
    zipped[at + 3] = (zipped[at + 3] ?? 0) ^ 0xff;
    expect(() => readTflite(zipped, 'tiny')).toThrow(/"labels.txt" in the appended zip archive/);
    expect(() => labelsOf({ 'labels.txt': 'x\n'.repeat(20000) })).toThrow(/more than 16384 lines/);
    expect(() => labelsOf({ 'labels.txt': 'x'.repeat(9 * 2 ** 20) })).toThrow(
      /9437184 bytes, expected at most 2097152/,
    );
  });
});

describe('a TFLite file that does not fit', () => {
  const cases: [string, TinyOptions, RegExp][] = [
    ['dynamic range', { kind: 'dynamic' }, /operator 0 \(CONV_2D.*dynamic-range.*representative data set/],
    [
      'no padding',
      { edit: (w) => (operator(w, code.CONV_2D).options = [{ u8: 1 }, { i32: 2 }, { i32: 2 }, null]) },
      /operator 0 .*SAME padding or 1 zeros/,
    ],
    [
      'stride 1 stem',
      { edit: (w) => (operator(w, code.CONV_2D).options = [{ u8: 0 }, { i32: 1 }, { i32: 1 }, null]) },
      /operator 0 .*stem.*stride 2, not 1x1/,
    ],
    [
      'dilation',
      {
        edit: (w) =>
          (operator(w, code.DEPTHWISE_CONV_2D).options = [
            { u8: 0 },
            { i32: 1 },
            { i32: 1 },
            { i32: 1 },
            null,
            { i32: 2 },
            { i32: 2 },
          ]),
      },
      /operator 1 \(DEPTHWISE_CONV_2D.*dilation 2x2/,
    ],
    [
      'another activation',
      { edit: (w) => (operator(w, code.CONV_2D).options = [{ u8: 0 }, { i32: 2 }, { i32: 2 }, { u8: 4 }]) },
      /fused activation 4/,
    ],
    [
      'HARD_SWISH',
      { separateRelu6: true, edit: (w) => (operator(w, code.RELU6).code = code.HARD_SWISH) },
      /operator 1 \(HARD_SWISH.*expected a 3x3 depthwise/,
    ],
    [
      'MAX_POOL_2D',
      { edit: (w) => (operator(w, code.MEAN).code = code.MAX_POOL_2D) },
      /operator \d+ \(MAX_POOL_2D.*global average pooling/,
    ],
    ['an unknown operator', { edit: (w) => (operator(w, code.ADD).code = 203) }, /\(operator code 203 /],
    [
      'a fully connected layer on an image',
      {
        edit: (w) => {
          const conv = operator(w, code.CONV_2D, 1);
          Object.assign(conv, { code: code.FULLY_CONNECTED, type: 8, options: [{ u8: 0 }] });
          Object.assign(w.tensors[conv.inputs[1] ?? -1] ?? {}, { shape: [6, 8] });
        },
      },
      /operator 2 \(FULLY_CONNECTED.*expected a 1x1 projection/,
    ],
    ['two outputs', { edit: (w) => w.outputs.push(0) }, /2 outputs/],
    [
      'an output in the middle',
      { edit: (w) => (w.outputs = [operator(w, code.ADD).output]) },
      /output is not that of its last layer/,
    ],
    [
      'a grey input',
      { edit: (w) => Object.assign(w.tensors[w.inputs[0] ?? 0] ?? {}, { shape: [1, 32, 32, 1] }) },
      /expected \[1, height, width, 3\]/,
    ],
    ['a huge input', { height: 5000, width: 32 }, /5000x32 pixels, expected 1 ... 4096/],
  ];
  for (const [name, options, message] of cases) {
    it(`names what: ${name}`, () => {
      const error = failure(options);
      expect(error.message).toMatch(message);
      expect(error.code).toBe('MODEL_UNSUPPORTED');
    });
  }
});

describe('a damaged TFLite file', () => {
  const weightsOf = (w: TfliteWriter, op: number) => w.tensors[operator(w, op).inputs[1] ?? -1] ?? { shape: [] };
  const cases: [string, TinyOptions, RegExp][] = [
    [
      'NaN weights',
      {
        edit: (w) =>
          Object.assign(weightsOf(w, code.DEPTHWISE_CONV_2D), { data: bytesOf(new Float32Array(72).fill(Number.NaN)) }),
      },
      /tensor \d+ \("t\d+"\): element 0 is NaN/,
    ],
    [
      'infinite weights',
      {
        edit: (w) =>
          Object.assign(weightsOf(w, code.CONV_2D), { data: bytesOf(new Float32Array(216).fill(-Infinity)) }),
      },
      /element 0 is -Infinity/,
    ],
    [
      'short weights',
      { edit: (w) => Object.assign(weightsOf(w, code.CONV_2D), { data: new Uint8Array(100) }) },
      /100 bytes of data, but its shape needs 216 x 4/,
    ],
    [
      'a scale of 0',
      { kind: 'uint8', edit: (w) => Object.assign(weightsOf(w, code.CONV_2D), { scales: [0] }) },
      /scale 0, expected a finite number above 0/,
    ],
    ...[-0.5, -0, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY].map(
      (scale): [string, TinyOptions, RegExp] => [
        `a scale of ${Object.is(scale, -0) ? '-0' : scale}`,
        { kind: 'uint8', edit: (w) => Object.assign(weightsOf(w, code.CONV_2D), { scales: [scale] }) },
        /scale (-0.5|0|NaN|-?Infinity), expected a finite number above 0/,
      ],
    ),
    [
      'a zero point out of range',
      { kind: 'uint8', edit: (w) => Object.assign(weightsOf(w, code.CONV_2D), { zeroPoints: [256] }) },
      /zero point 256, expected 0 ... 255/,
    ],
    [
      'scales along a wrong axis',
      { kind: 'int8', edit: (w) => Object.assign(weightsOf(w, code.DEPTHWISE_CONV_2D), { axis: 0 }) },
      /8 scales along axis 0, expected 1, or 8 along axis 3/,
    ],
    [
      'too few scales',
      {
        kind: 'int8',
        edit: (w) => Object.assign(weightsOf(w, code.CONV_2D), { scales: [1, 2, 3], zeroPoints: [0, 0, 0] }),
      },
      /3 scales/,
    ],
    [
      'shapes that do not follow',
      { edit: (w) => Object.assign(w.tensors[operator(w, code.ADD).output] ?? {}, { shape: [1, 8, 8, 11] }) },
      /declares the output shape \[1, 8, 8, 11\].* \[1, 8, 8, 10\]/,
    ],
    [
      'a tensor that is not there',
      { edit: (w) => (operator(w, code.CONV_2D).inputs[1] = 4000) },
      /tensors\[4000\]: there are \d+/,
    ],
    [
      'too many channels',
      { edit: (w) => Object.assign(weightsOf(w, code.CONV_2D), { shape: [20000, 3, 3, 3] }) },
      /20000 channels, expected 1 ... 16384/,
    ],
  ];
  for (const [name, options, message] of cases) {
    it(`is MODEL_CORRUPT: ${name}`, () => {
      const error = failure(options);
      expect(error.message).toMatch(message);
      expect(error.code).toBe('MODEL_CORRUPT');
    });
  }

  it('whose layers all share one large buffer is refused, not multiplied', () => {
    const big = new Float32Array(1024 * 1024);
    const edit = (writer: TfliteWriter) => {
      const shared = writer.tensor({ shape: [1024, 1024], type: 'FLOAT32', data: bytesOf(big) });
      let x = writer.operators.at(-1)?.output ?? 0;
      for (let i = 0; i < 20; i++) {
        x = writer.operator(code.FULLY_CONNECTED, [x, shared, -1], { shape: [1, 1024], type: 'FLOAT32' }, 8, [
          { u8: 0 },
        ]);
      }
    };
    expect(failure({ edit }).message).toMatch(/more weights than the file has bytes/);
  });
});
