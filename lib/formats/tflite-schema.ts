/* Numbers of the TFLite schema (schema.fbs, version 3) that the reader needs. */

export const TensorType = { FLOAT32: 0, FLOAT16: 1, INT32: 2, UINT8: 3, INT64: 4, INT16: 7, INT8: 9 } as const;

const typeNames = 'FLOAT32 FLOAT16 INT32 UINT8 INT64 STRING BOOL INT16 COMPLEX64 INT8'.split(' ');

export function typeName(type: number): string {
  return typeNames[type] ?? `tensor type ${type}`;
}

export const Op = {
  ADD: 0,
  AVERAGE_POOL_2D: 1,
  CONV_2D: 3,
  DEPTHWISE_CONV_2D: 4,
  DEQUANTIZE: 6,
  FULLY_CONNECTED: 9,
  RELU: 19,
  RELU6: 21,
  RESHAPE: 22,
  SOFTMAX: 25,
  CUSTOM: 32,
  PAD: 34,
  MEAN: 40,
  SQUEEZE: 43,
  QUANTIZE: 114,
} as const;

/** Names of the operators that image networks use, for messages; the others show their number. */
const otherNames: Readonly<Record<number, string>> = {
  2: 'CONCATENATION',
  11: 'L2_NORMALIZATION',
  12: 'L2_POOL_2D',
  14: 'LOGISTIC',
  16: 'LSTM',
  17: 'MAX_POOL_2D',
  18: 'MUL',
  20: 'RELU_N1_TO_1',
  23: 'RESIZE_BILINEAR',
  28: 'TANH',
  36: 'GATHER',
  37: 'BATCH_TO_SPACE_ND',
  38: 'SPACE_TO_BATCH_ND',
  39: 'TRANSPOSE',
  41: 'SUB',
  42: 'DIV',
  45: 'STRIDED_SLICE',
  49: 'SPLIT',
  50: 'LOG_SOFTMAX',
  53: 'CAST',
  54: 'PRELU',
  55: 'MAXIMUM',
  56: 'ARG_MAX',
  57: 'MINIMUM',
  60: 'PADV2',
  65: 'SLICE',
  67: 'TRANSPOSE_CONV',
  70: 'EXPAND_DIMS',
  74: 'SUM',
  80: 'FAKE_QUANT',
  83: 'PACK',
  97: 'RESIZE_NEAREST_NEIGHBOR',
  98: 'LEAKY_RELU',
  100: 'MIRROR_PAD',
  117: 'HARD_SWISH',
  124: 'DENSIFY',
  126: 'BATCH_MATMUL',
  150: 'GELU',
};

const names = new Map<number, string>([
  ...Object.entries(Op).map(([name, code]): [number, string] => [code, name]),
  ...Object.entries(otherNames).map(([code, name]): [number, string] => [Number(code), name]),
]);

export function operatorName(code: number): string {
  return names.get(code) ?? `operator code ${code}`;
}

/** Which member of the BuiltinOptions union an operator's options are. */
export const OptionsType = {
  CONV_2D: 1,
  DEPTHWISE_CONV_2D: 2,
  POOL_2D: 5,
  FULLY_CONNECTED: 8,
  SOFTMAX: 9,
  ADD: 11,
} as const;

export const Padding = { SAME: 0, VALID: 1 } as const;

export const FusedActivation = { NONE: 0, RELU: 1, RELU6: 3 } as const;
