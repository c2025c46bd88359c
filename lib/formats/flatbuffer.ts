import { corrupt } from './failures.js';
import { MAX_NAME_BYTES } from './limits.js';

/*
 * Bounds-checked FlatBuffers accessors. The JavaScript flatbuffers runtime verifies nothing: an offset of a damaged or
 * hostile file makes it read elsewhere in the file or throw a bare RangeError. Here every read says what it reads, and
 * anything outside the file is MODEL_CORRUPT. Nothing is copied; sizes come from a vector's length only after it was
 * found to lie inside the file. References may form cycles, but the readers above walk fixed paths of the schema.
 */

const decoder = new TextDecoder();

export class FlatBuffer {
  readonly view: DataView;

  constructor(readonly bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Returns `at` when `size` bytes from there lie inside the file. */
  check(at: number, size: number, what: string): number {
    if (at >= 0 && at + size <= this.bytes.length) return at;
    return corrupt(`${what}: needs ${size} bytes at offset ${at}, but the file has ${this.bytes.length} bytes`);
  }

  u32(at: number, what: string): number {
    return this.view.getUint32(this.check(at, 4, what), true);
  }

  /** The table at the start of the file. */
  root(what: string): Table {
    return new Table(this, this.u32(0, what), what);
  }
}

export interface Tables {
  readonly length: number;
  at(index: number): Table;
}

/** A table: fields are numbered in the order of the schema; absent ones give the default, or null. */
export class Table {
  private readonly vtable: number;
  private readonly vtableSize: number;

  constructor(
    private readonly file: FlatBuffer,
    private readonly position: number,
    readonly what: string,
  ) {
    file.check(position, 4, what);
    this.vtable = file.check(position - file.view.getInt32(position, true), 4, `${what} (vtable)`);
    this.vtableSize = file.view.getUint16(this.vtable, true);
    file.check(this.vtable, Math.max(this.vtableSize, 4), `${what} (vtable)`);
  }

  private locate(field: number, size: number, name: string): number | null {
    const slot = 4 + 2 * field;
    if (slot + 2 > this.vtableSize) return null;
    const offset = this.file.view.getUint16(this.vtable + slot, true);
    return offset === 0 ? null : this.file.check(this.position + offset, size, `${this.what}.${name}`);
  }

  /** Follows the 32-bit offset in a field; the target's first 4 bytes lie inside the file. */
  private follow(field: number, name: string): number | null {
    const at = this.locate(field, 4, name);
    if (at === null) return null;
    return this.file.check(at + this.file.view.getUint32(at, true), 4, `${this.what}.${name}`);
  }

  u8(field: number, name: string, absent = 0): number {
    const at = this.locate(field, 1, name);
    return at === null ? absent : this.file.view.getUint8(at);
  }

  i32(field: number, name: string, absent = 0): number {
    const at = this.locate(field, 4, name);
    return at === null ? absent : this.file.view.getInt32(at, true);
  }

  u32(field: number, name: string, absent = 0): number {
    const at = this.locate(field, 4, name);
    return at === null ? absent : this.file.view.getUint32(at, true);
  }

  f32(field: number, name: string, absent = 0): number {
    const at = this.locate(field, 4, name);
    return at === null ? absent : this.file.view.getFloat32(at, true);
  }

  table(field: number, name: string): Table | null {
    const at = this.follow(field, name);
    return at === null ? null : new Table(this.file, at, `${this.what}.${name}`);
  }

  /** Where a vector's elements start and how many there are, or null. */
  vector(field: number, elementBytes: number, name: string): { start: number; length: number } | null {
    const at = this.follow(field, name);
    if (at === null) return null;
    const length = this.file.view.getUint32(at, true);
    this.file.check(at + 4, length * elementBytes, `${this.what}.${name} (${length} elements)`);
    return { start: at + 4, length };
  }

  /** A vector of tables, each opened only when asked for. An absent vector is empty. */
  tables(field: number, name: string): Tables {
    const vector = this.vector(field, 4, name);
    const { file, what } = this;
    return {
      length: vector?.length ?? 0,
      at(index) {
        const label = `${what}.${name}[${index}]`;
        if (vector === null || !Number.isInteger(index) || index < 0 || index >= vector.length) {
          return corrupt(`${label}: there are ${vector?.length ?? 0}`);
        }
        const slot = vector.start + 4 * index;
        return new Table(file, slot + file.u32(slot, label), label);
      },
    };
  }

  /** Bytes of the file, aligned: hosts are little-endian, as the file is. */
  private copy(start: number, bytes: number): ArrayBuffer {
    return new Uint8Array(this.file.bytes.subarray(start, start + bytes)).buffer;
  }

  /** Integers of 4 (signed) or 8 bytes, at most `limit` of them. An absent vector is empty. */
  integers(field: number, elementBytes: 4 | 8, limit: number, name: string): number[] {
    const vector = this.vector(field, elementBytes, name);
    if (vector === null) return [];
    if (vector.length > limit) corrupt(`${this.what}.${name}: ${vector.length} elements, expected at most ${limit}`);
    const words = new Int32Array(this.copy(vector.start, vector.length * elementBytes));
    if (elementBytes === 4) return Array.from(words);
    const values = new Array<number>(vector.length).fill(0);
    // Zero points of a channel are mostly 0, of thousands of channels: those are not gone through one by one.
    if (Buffer.from(words.buffer).equals(Buffer.alloc(words.byteLength))) return values;
    for (let i = 0; i < values.length; i++) {
      values[i] = (words[2 * i + 1] as number) * 2 ** 32 + ((words[2 * i] as number) >>> 0);
    }
    return values;
  }

  /** Floats, at most `limit` of them, or null. */
  floats(field: number, limit: number, name: string): Float32Array | null {
    const vector = this.vector(field, 4, name);
    if (vector === null) return null;
    if (vector.length > limit) corrupt(`${this.what}.${name}: ${vector.length} elements, expected at most ${limit}`);
    return new Float32Array(this.copy(vector.start, vector.length * 4));
  }

  /** Text for people and look-ups, cut at {@link MAX_NAME_BYTES}. */
  string(field: number, name: string): string {
    const vector = this.vector(field, 1, name);
    if (vector === null) return '';
    const end = vector.start + Math.min(vector.length, MAX_NAME_BYTES);
    return decoder.decode(this.file.bytes.subarray(vector.start, end));
  }
}
