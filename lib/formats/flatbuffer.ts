import { corrupt } from './failures.js';
import { MAX_NAME_BYTES } from './limits.js';

/*
 * Bounds-checked FlatBuffers accessors. The JavaScript flatbuffers runtime verifies nothing: an offset of a damaged or
 * hostile file makes it read elsewhere in the file or throw a bare RangeError. Here every read says what it reads, and
 * anything outside the file is MODEL_CORRUPT. Nothing is copied; sizes come from a vector's length only after it was
 * found to lie inside the file. References may form cycles, but the readers above walk fixed paths of the schema.
 *
 * A file has thousands of fields, read before the JavaScript engine has warmed up: what a field is called is put together
 * only for a message.
 */

/** 64-bit integers, of which `values` has only one when all are the same. */
export interface Longs {
  readonly length: number;
  readonly values: readonly number[];
}

export class FlatBuffer {
  readonly view: DataView;
  /** The same bytes, for comparing and decoding parts of them. */
  readonly buffer: Buffer;

  constructor(readonly bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Returns `at` when `size` bytes from there lie inside the file. */
  check(at: number, size: number, what: string): number {
    if (at >= 0 && at + size <= this.bytes.length) return at;
    return corrupt(`${what}: needs ${size} bytes at offset ${at}, but the file has ${this.bytes.length} bytes`);
  }

  /** The table at the start of the file. */
  root(what: string): Table {
    return new Table(this, this.view.getUint32(this.check(0, 4, what), true), null, what);
  }
}

export interface Tables {
  readonly length: number;
  at(index: number): Table;
}

/** A table: fields are numbered in the order of the schema; absent ones give the default, or null. */
export class Table {
  private readonly view: DataView;
  private readonly vtable: number;
  private readonly vtableSize: number;

  constructor(
    private readonly file: FlatBuffer,
    private readonly position: number,
    private readonly holder: Table | null,
    private readonly label: string,
  ) {
    this.view = file.view;
    const size = file.view.byteLength;
    if (position + 4 > size) file.check(position, 4, this.what);
    this.vtable = position - this.view.getInt32(position, true);
    if (this.vtable < 0 || this.vtable + 4 > size) file.check(this.vtable, 4, `${this.what} (vtable)`);
    this.vtableSize = this.view.getUint16(this.vtable, true);
    if (this.vtable + this.vtableSize > size) file.check(this.vtable, this.vtableSize, `${this.what} (vtable)`);
  }

  /** For messages. */
  get what(): string {
    return this.holder === null ? this.label : `${this.holder.what}.${this.label}`;
  }

  private outside(at: number, size: number, name: string): never {
    this.file.check(at, size, `${this.what}.${name}`);
    throw new Error(`${name} lies inside the file`); // whoever calls this has found that it does not
  }

  private locate(field: number, size: number, name: string): number | null {
    const slot = 4 + 2 * field;
    if (slot + 2 > this.vtableSize) return null;
    const offset = this.view.getUint16(this.vtable + slot, true);
    if (offset === 0) return null;
    const at = this.position + offset;
    return at + size <= this.view.byteLength ? at : this.outside(at, size, name);
  }

  /** Follows the 32-bit offset in a field; the target's first 4 bytes lie inside the file. */
  private follow(field: number, name: string): number | null {
    const at = this.locate(field, 4, name);
    if (at === null) return null;
    const target = at + this.view.getUint32(at, true);
    return target + 4 <= this.view.byteLength ? target : this.outside(target, 4, name);
  }

  u8(field: number, name: string, absent = 0): number {
    const at = this.locate(field, 1, name);
    return at === null ? absent : this.view.getUint8(at);
  }

  i32(field: number, name: string, absent = 0): number {
    const at = this.locate(field, 4, name);
    return at === null ? absent : this.view.getInt32(at, true);
  }

  u32(field: number, name: string, absent = 0): number {
    const at = this.locate(field, 4, name);
    return at === null ? absent : this.view.getUint32(at, true);
  }

  f32(field: number, name: string, absent = 0): number {
    const at = this.locate(field, 4, name);
    return at === null ? absent : this.view.getFloat32(at, true);
  }

  table(field: number, name: string): Table | null {
    const at = this.follow(field, name);
    return at === null ? null : new Table(this.file, at, this, name);
  }

  /** Where a vector's elements start and how many there are, or null. */
  vector(field: number, elementBytes: number, name: string): { start: number; length: number } | null {
    const at = this.follow(field, name);
    if (at === null) return null;
    const length = this.view.getUint32(at, true);
    const start = at + 4;
    if (start + length * elementBytes > this.view.byteLength) {
      this.outside(start, length * elementBytes, `${name} (${length} elements)`);
    }
    return { start, length };
  }

  /** A vector of at most `limit` elements. */
  private shortVector(field: number, elementBytes: number, limit: number, name: string) {
    const vector = this.vector(field, elementBytes, name);
    if (vector === null || vector.length <= limit) return vector;
    return corrupt(`${this.what}.${name}: ${vector.length} elements, expected at most ${limit}`);
  }

  /** A vector of tables, each opened only when asked for. An absent vector is empty. */
  tables(field: number, name: string): Tables {
    const vector = this.vector(field, 4, name);
    const length = vector?.length ?? 0;
    return {
      length,
      at: (index) => {
        if (vector === null || !Number.isInteger(index) || index < 0 || index >= length) {
          return corrupt(`${this.what}.${name}[${index}]: there are ${length}`);
        }
        const slot = vector.start + 4 * index;
        return new Table(this.file, slot + this.view.getUint32(slot, true), this, `${name}[${index}]`);
      },
    };
  }

  /** 32-bit integers, at most `limit` of them. An absent vector is empty. */
  integers(field: number, limit: number, name: string): number[] {
    const vector = this.shortVector(field, 4, limit, name);
    const values: number[] = [];
    if (vector === null) return values;
    for (let i = 0; i < vector.length; i++) values.push(this.view.getInt32(vector.start + 4 * i, true));
    return values;
  }

  /** 64-bit integers, at most `limit` of them. An absent vector is empty. */
  longs(field: number, limit: number, name: string): Longs {
    const vector = this.shortVector(field, 8, limit, name);
    if (vector === null) return { length: 0, values: [] };
    const { start, length } = vector;
    // Those of channels are mostly the same, thousands of them: that is one comparison of the vector with itself.
    const { buffer } = this.file;
    const end = start + 8 * length;
    const same = length > 1 && buffer.compare(buffer, start + 8, end, start, end - 8) === 0;
    const values: number[] = [];
    for (let i = 0; i < (same ? 1 : length); i++) {
      const at = start + 8 * i;
      values.push(this.view.getInt32(at + 4, true) * 2 ** 32 + this.view.getUint32(at, true));
    }
    return { length, values };
  }

  /** Floats, at most `limit` of them, or null. A view of the file where its alignment allows: hosts are little-endian. */
  floats(field: number, limit: number, name: string): Float32Array | null {
    const vector = this.shortVector(field, 4, limit, name);
    if (vector === null) return null;
    const { start, length } = vector;
    const { buffer, byteOffset } = this.file.bytes;
    if ((byteOffset + start) % 4 === 0) return new Float32Array(buffer, byteOffset + start, length);
    return new Float32Array(new Uint8Array(this.file.bytes.subarray(start, start + 4 * length)).buffer);
  }

  /** Text for people and look-ups, cut at {@link MAX_NAME_BYTES}. */
  string(field: number, name: string): string {
    const vector = this.vector(field, 1, name);
    if (vector === null) return '';
    const end = vector.start + Math.min(vector.length, MAX_NAME_BYTES);
    return this.file.buffer.toString('utf8', vector.start, end);
  }
}
