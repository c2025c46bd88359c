/** Every code a {@link MobileNetError} can carry. Codes are stable; messages are for people and may change. */
export type ErrorCode =
  /** An option or argument has a wrong type or value; the message names it. */
  | 'INVALID_ARGUMENT'
  /** A file or directory does not exist or cannot be read. */
  | 'FILE_NOT_FOUND'
  /** The bytes are of no known model format. */
  | 'MODEL_FORMAT_UNKNOWN'
  /** The file is truncated, inconsistent or hostile: an offset, size or value in it cannot be. */
  | 'MODEL_CORRUPT'
  /** A valid file of a network this engine does not run; the message names the first operator that does not fit. */
  | 'MODEL_UNSUPPORTED'
  /** No model of that name. */
  | 'MODEL_UNKNOWN_NAME'
  /** A named model is not in the cache and could not be downloaded; the message says how to put a copy there. */
  | 'MODEL_DOWNLOAD_FAILED'
  /** A downloaded or given file is not the published one (its SHA-256 differs). */
  | 'MODEL_CHECKSUM_MISMATCH'
  /** The label file does not fit the model. */
  | 'LABELS_INVALID'
  /** The bytes are no image that can be decoded, or a truncated one. */
  | 'IMAGE_INVALID'
  /** The image has more pixels than allowed (see the `maxPixels` option). */
  | 'IMAGE_TOO_LARGE'
  /** `sharp`, which decodes image files, could not be loaded. */
  | 'DECODER_UNAVAILABLE'
  /** An optional package is not installed; the message has the command that installs it. */
  | 'PACKAGE_MISSING'
  /** The native addon could not be loaded on this platform; the message says what was looked for. */
  | 'NATIVE_UNAVAILABLE'
  /** MOBILENETV2_ISA names an instruction set this CPU lacks, or none at all. */
  | 'ISA_UNAVAILABLE'
  /** The model was closed. */
  | 'MODEL_CLOSED'
  /** The work was cancelled: its signal aborted, or its stream was ended. The signal's reason is the `cause`. */
  | 'ABORTED'
  /** As many images wait already as the `queueLimit` of the model allows: try again later, or elsewhere. */
  | 'OVERLOADED'
  /** The engine refused a program: a defect of this package, please report it. */
  | 'INTERNAL';

/** The error class of everything this package throws or rejects with on purpose. */
export class MobileNetError extends Error {
  override readonly name = 'MobileNetError';
  /** Machine-readable reason; see {@link ErrorCode}. */
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** An INVALID_ARGUMENT that names the argument, what was expected and what came. */
export function invalidArgument(name: string, expected: string, value: unknown): MobileNetError {
  return new MobileNetError('INVALID_ARGUMENT', `${name}: expected ${expected}, got ${describe(value)}`);
}

/** Shows a value in an error message: short, and never a dump of a buffer or of source code. */
export function describe(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}...` : value);
  if (typeof value === 'function') return value.name ? `function ${describe(value.name)}` : 'a function';
  if (typeof value === 'bigint') return 'a bigint'; // may have millions of digits
  if (value === null || typeof value !== 'object') return String(value);
  if (ArrayBuffer.isView(value)) return `${value.constructor.name}(${value.byteLength} bytes)`;
  return Array.isArray(value) ? `array of ${value.length}` : (value.constructor?.name ?? 'object');
}
