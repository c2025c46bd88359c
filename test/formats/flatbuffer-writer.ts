/**
 * A small FlatBuffers writer for tests: a table is a list of fields in the order of the schema, null for an absent one.
 * Everything is written after what refers to it, so that offsets count upwards.
 */
export type Field =
  | { readonly u8: number }
  | { readonly i32: number }
  | { readonly u32: number }
  | { readonly f32: number }
  | { readonly text: string }
  | { readonly bytes: Uint8Array }
  | { readonly ints: readonly number[] }
  | { readonly longs: readonly number[] }
  | { readonly floats: ArrayLike<number> }
  | { readonly table: Fields }
  | { readonly tables: readonly Fields[] };

export type Fields = readonly (Field | null)[];

class Writer {
  bytes = new Uint8Array(1024);
  view = new DataView(this.bytes.buffer);
  length = 0;

  align(to: number, ahead = 0): void {
    this.reserve((to - ((this.length + ahead) % to)) % to);
  }

  /** Appends zeros and returns where they begin. */
  reserve(count: number): number {
    while (this.length + count > this.bytes.length) {
      const larger = new Uint8Array(this.bytes.length * 2);
      larger.set(this.bytes);
      this.bytes = larger;
      this.view = new DataView(larger.buffer);
    }
    this.length += count;
    return this.length - count;
  }

  /** A vector's length, then its elements, whose first is aligned. Returns where the length stands. */
  vector(count: number, elementBytes: number, alignment: number): number {
    this.align(alignment, 4);
    const at = this.reserve(4);
    this.view.setUint32(at, count, true);
    this.reserve(count * elementBytes);
    return at;
  }

  table(fields: Fields): number {
    this.align(4);
    const vtable = this.reserve(4 + 2 * fields.length);
    this.align(4);
    const at = this.reserve(4 + 4 * fields.length); // every field in a slot of 4 bytes
    this.view.setUint16(vtable, 4 + 2 * fields.length, true);
    this.view.setUint16(vtable + 2, 4 + 4 * fields.length, true);
    this.view.setInt32(at, at - vtable, true);
    for (const [i, field] of fields.entries()) {
      if (field === null) continue;
      const slot = at + 4 + 4 * i;
      this.view.setUint16(vtable + 4 + 2 * i, slot - at, true);
      if ('u8' in field) this.view.setUint8(slot, field.u8);
      else if ('i32' in field) this.view.setInt32(slot, field.i32, true);
      else if ('u32' in field) this.view.setUint32(slot, field.u32, true);
      else if ('f32' in field) this.view.setFloat32(slot, field.f32, true);
      else {
        const target = this.target(field); // may replace the view
        this.view.setUint32(slot, target - slot, true);
      }
    }
    return at;
  }

  private target(field: Field): number {
    if ('table' in field) return this.table(field.table);
    if ('tables' in field) {
      const at = this.vector(field.tables.length, 4, 4);
      for (const [i, fields] of field.tables.entries()) {
        const slot = at + 4 + 4 * i;
        const target = this.table(fields);
        this.view.setUint32(slot, target - slot, true);
      }
      return at;
    }
    if ('ints' in field) return this.numbers(field.ints, 4, (at, n) => this.view.setInt32(at, n, true));
    if ('longs' in field) return this.numbers(field.longs, 8, (at, n) => this.view.setBigInt64(at, BigInt(n), true));
    if ('floats' in field) return this.numbers(field.floats, 4, (at, n) => this.view.setFloat32(at, n, true));
    const bytes = 'text' in field ? new TextEncoder().encode(field.text) : (field as { bytes: Uint8Array }).bytes;
    const at = this.vector(bytes.length, 1, 'text' in field ? 4 : 16);
    this.bytes.set(bytes, at + 4);
    return at;
  }

  private numbers(values: ArrayLike<number>, size: number, set: (at: number, n: number) => void): number {
    const at = this.vector(values.length, size, size);
    for (let i = 0; i < values.length; i++) set(at + 4 + size * i, values[i] as number);
    return at;
  }
}

/** A whole file: the root's offset, the 4-character identifier, then everything else. */
export function writeFlatBuffer(root: Fields, identifier: string): Uint8Array {
  const writer = new Writer();
  writer.reserve(8);
  writer.bytes.set(new TextEncoder().encode(identifier), 4);
  const at = writer.table(root);
  writer.view.setUint32(0, at, true);
  writer.align(16);
  return writer.bytes.slice(0, writer.length);
}
