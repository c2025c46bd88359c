import { describe, expect, it } from 'vitest';
import { FlatBuffer } from '../../lib/formats/flatbuffer.js';
import { writeFlatBuffer } from './flatbuffer-writer.js';

const corrupt = (message: RegExp) =>
  expect.objectContaining({ code: 'MODEL_CORRUPT', message: expect.stringMatching(message) });

const sample = () =>
  writeFlatBuffer(
    [
      { u8: 200 },
      { i32: -5 },
      null,
      { text: 'name' },
      { ints: [1, -2, 3] },
      { longs: [-128, 4e9] },
      { floats: [0.5, -1] },
      { tables: [[{ i32: 1 }], [{ i32: 2 }]] },
      { table: [{ f32: 0.25 }] },
      { bytes: Uint8Array.of(1, 2, 3) },
      { longs: [-(2 ** 40), -(2 ** 40), -(2 ** 40)] },
    ],
    'TEST',
  );

const root = (bytes: Uint8Array) => new FlatBuffer(bytes).root('root');

describe('FlatBuffers accessors', () => {
  it('read what was written, and defaults for what was not', () => {
    const table = root(sample());
    expect(table.u8(0, 'a')).toBe(200);
    expect(table.i32(1, 'b')).toBe(-5);
    expect(table.i32(2, 'c', 7)).toBe(7);
    expect(table.string(3, 'd')).toBe('name');
    expect(table.integers(4, 10, 'e')).toEqual([1, -2, 3]);
    expect(table.longs(5, 10, 'f')).toEqual({ length: 2, values: [-128, 4e9] });
    expect(table.longs(10, 10, 'k')).toEqual({ length: 3, values: [-(2 ** 40)] });
    expect(table.floats(6, 10, 'g')).toEqual(Float32Array.of(0.5, -1));
    expect(table.tables(7, 'h').at(1).i32(0, 'i')).toBe(2);
    expect(table.table(8, 'j')?.f32(0, 'k')).toBe(0.25);
    expect(table.vector(9, 1, 'l')?.length).toBe(3);
    for (const absent of [2, 11, 1000]) {
      expect(table.table(absent, 'x')).toBeNull();
      expect(table.floats(absent, 1, 'x')).toBeNull();
      expect(table.tables(absent, 'x').length).toBe(0);
      expect(table.longs(absent, 1, 'x')).toEqual({ length: 0, values: [] });
      expect(table.string(absent, 'x')).toBe('');
      expect(table.u32(absent, 'x', 3)).toBe(3);
    }
  });

  it('name what lies outside the file', () => {
    expect(() => root(new Uint8Array(3))).toThrow(
      corrupt(/^root: needs 4 bytes at offset 0, but the file has 3 bytes/),
    );
    expect(() => root(Uint8Array.of(0xff, 0xff, 0xff, 0xff))).toThrow(
      corrupt(/^root: needs 4 bytes at offset 4294967295/),
    );
    // The table at 4 says that its vtable lies far before the file.
    expect(() => root(Uint8Array.of(4, 0, 0, 0, 0xff, 0xff, 0xff, 0x7f))).toThrow(corrupt(/^root \(vtable\)/));
    const list = root(sample()).tables(7, 'list');
    expect(() => list.at(2)).toThrow(corrupt(/^root\.list\[2\]: there are 2/));
    expect(() => list.at(-1)).toThrow(corrupt(/there are 2/));
  });

  it('take no length on trust', () => {
    const bytes = sample();
    const { start } = root(bytes).vector(4, 4, 'e') ?? { start: 0 };
    new DataView(bytes.buffer).setUint32(start - 4, 0xffff_ffff, true);
    expect(() => root(bytes).integers(4, 10, 'e')).toThrow(corrupt(/^root\.e \(4294967295 elements\): needs/));
    expect(() => root(sample()).integers(4, 2, 'e')).toThrow(corrupt(/3 elements, expected at most 2/));
    const long = writeFlatBuffer([{ text: 'x'.repeat(5000) }], 'TEST');
    expect(root(long).string(0, 'name')).toHaveLength(256);
  });
});
