import { MobileNetError } from '../errors.js';

/** What the readers understand, recognised by content. */
export type FileFormat = 'tflite' | 'json';

/** A character per byte. */
function latin1(bytes: Uint8Array, begin: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1', begin, end);
}

function startsWith(bytes: Uint8Array, signature: string, at = 0): boolean {
  return latin1(bytes, at, at + signature.length) === signature;
}

/** ONNX is protobuf without a signature: ir_version (field 1), then a field of ModelProto. */
function looksLikeOnnx(bytes: Uint8Array): boolean {
  const [first, version = 0, next = 0] = bytes;
  return first === 0x08 && version >= 3 && version <= 32 && [0x12, 0x1a, 0x22, 0x28, 0x32, 0x3a, 0x42].includes(next);
}

/** 8 bytes: the header's length; then the header, which is JSON. */
function looksLikeSafetensors(bytes: Uint8Array): boolean {
  if (bytes.length < 10 || !startsWith(bytes, '{', 8)) return false;
  const headerBytes = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  return headerBytes >= 2n && headerBytes <= BigInt(bytes.length - 8);
}

/** Formats that are passed by mistake, each with what to do. */
const others: readonly (readonly [string, (bytes: Uint8Array) => boolean])[] = [
  [
    'an HDF5 file (Keras .h5); convert it to TFLite or to a TensorFlow.js layers model',
    (b) => startsWith(b, '\x89HDF'),
  ],
  [
    'a zip archive (Keras .keras, PyTorch .pt, or a download that must be unpacked first)',
    (b) => startsWith(b, 'PK\x03\x04'),
  ],
  ['an ONNX model', looksLikeOnnx],
  ['a safetensors file, which holds weights but no network', looksLikeSafetensors],
  ['a TensorFlow SavedModel; convert it to TFLite', (b) => startsWith(b, '\x08\x01\x12')],
  ['a PNG image, not a model', (b) => startsWith(b, '\x89PNG')],
  ['a JPEG image, not a model', (b) => startsWith(b, '\xff\xd8\xff')],
  ['a WebP image, not a model', (b) => startsWith(b, 'RIFF') && startsWith(b, 'WEBP', 8)],
  ['a GIF image, not a model', (b) => startsWith(b, 'GIF8')],
  ['a gzip file; unpack it first', (b) => startsWith(b, '\x1f\x8b')],
  [
    'a Git LFS pointer, not the file itself; fetch it with "git lfs pull"',
    (b) => startsWith(b, 'version https://git-lfs'),
  ],
  ['a web page, probably the answer to a download that failed', (b) => /^\s*<(!doctype|html|\?xml)/i.test(head(b))],
];

function head(bytes: Uint8Array): string {
  return latin1(bytes, 0, 256);
}

/**
 * Says which format bytes are in, by their content: file names prove nothing.
 *
 * @param name what to call the bytes in messages
 * @throws MobileNetError MODEL_FORMAT_UNKNOWN naming what it is instead, if that is known
 */
export function detectFormat(bytes: Uint8Array, name: string): FileFormat {
  if (startsWith(bytes, 'TFL3', 4)) return 'tflite';
  if (/^(\xef\xbb\xbf)?\s*\{/.test(head(bytes))) return 'json';
  const known = 'TFLite files and TensorFlow.js layers models are read';
  if (bytes.length === 0) throw new MobileNetError('MODEL_FORMAT_UNKNOWN', `${name}: is empty (0 bytes); ${known}`);
  const other = others.find(([, matches]) => matches(bytes))?.[0];
  const first = [...bytes.subarray(0, 8)].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
  const found = other ?? `of an unknown format (${bytes.length} bytes, beginning ${first})`;
  throw new MobileNetError('MODEL_FORMAT_UNKNOWN', `${name}: is ${found}; ${known}`);
}
