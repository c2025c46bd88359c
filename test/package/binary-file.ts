/** Reads what a published binary asks of its system and shows to it: ELF, PE and 64-bit Mach-O, little-endian. */

export interface BinaryFile {
  readonly format: 'elf' | 'pe' | 'mach-o';
  /** The processor, as the format numbers it. */
  readonly machine: number;
  /** Libraries that must be there when it is loaded. */
  readonly needed: readonly string[];
  /** Symbols that others can see. Without the underscore that Mach-O puts before C names. */
  readonly exports: readonly string[];
  /** Functions it takes from others (ELF and Mach-O: from whoever has them; PE: from `needed`). */
  readonly imports: readonly string[];
  /** No symbol table beyond what loading needs, no debugging information. */
  readonly stripped: boolean;
  /** ELF: versions of the C library's symbols, such as GLIBC_2.17. */
  readonly versions: readonly string[];
  /** ELF: stays in memory once loaded. */
  readonly nodelete: boolean;
  /** Mach-O: has a code signature. */
  readonly signed: boolean;
  /** Mach-O: the oldest macOS it loads on, such as 11.0. */
  readonly oldestSystem: string | null;
}

export function readBinary(bytes: Buffer): BinaryFile {
  if (bytes.readUInt32BE(0) === 0x7f454c46) return readElf(bytes);
  if (bytes.readUInt32LE(0) === 0xfeedfacf) return readMachO(bytes);
  if (bytes.readUInt16LE(0) === 0x5a4d) return readPe(bytes);
  throw new Error('neither ELF, nor PE, nor 64-bit Mach-O');
}

const NOTHING = { versions: [], nodelete: false, signed: false, oldestSystem: null };

function text(bytes: Buffer, offset: number): string {
  return bytes.toString('latin1', offset, bytes.indexOf(0, offset));
}

/** Turns addresses of the loaded image into offsets in the file. */
type Place = (address: number) => number;

function placeIn(segments: readonly { address: number; size: number; offset: number }[]): Place {
  return (address) => {
    const segment = segments.find((s) => address >= s.address && address < s.address + s.size);
    if (segment === undefined) throw new Error(`address 0x${address.toString(16)} is in no segment`);
    return address - segment.address + segment.offset;
  };
}

function readElf(bytes: Buffer): BinaryFile {
  const wide = bytes[4] === 2;
  const word = (offset: number) => (wide ? Number(bytes.readBigUInt64LE(offset)) : bytes.readUInt32LE(offset));
  const [programs, sections] = wide ? [word(32), word(40)] : [word(28), word(32)];
  const [programSize, programCount, sectionSize, sectionCount] = [0, 2, 4, 6].map((i) =>
    bytes.readUInt16LE((wide ? 54 : 42) + i),
  ) as [number, number, number, number];
  const segments = Array.from({ length: programCount }, (_, i) => {
    const at = programs + i * programSize;
    const [offset, address, size] = wide ? [8, 16, 32] : [4, 8, 16];
    return {
      type: bytes.readUInt32LE(at),
      offset: word(at + offset),
      address: word(at + address),
      size: word(at + size),
    };
  });
  const place = placeIn(segments.filter(({ type }) => type === 1));
  const sectionTypes = Array.from({ length: sectionCount }, (_, i) =>
    bytes.readUInt32LE(sections + i * sectionSize + 4),
  );

  const dynamic = segments.find(({ type }) => type === 2);
  if (dynamic === undefined) throw new Error('no dynamic segment');
  const entries: [number, number][] = [];
  const step = wide ? 8 : 4;
  for (let at = dynamic.offset; word(at) !== 0; at += 2 * step) entries.push([word(at), word(at + step)]);
  const value = (tag: number) => entries.find(([t]) => t === tag)?.[1];
  const strings = place(value(5) as number);

  const symbolCount = bytes.readUInt32LE(place(value(4) as number) + 4); // chains of DT_HASH
  const [symbolSize, infoAt, sectionAt] = wide ? [24, 4, 6] : [16, 12, 14];
  const symbols = Array.from({ length: symbolCount }, (_, i) => {
    const at = place(value(6) as number) + i * symbolSize;
    return {
      name: text(bytes, strings + bytes.readUInt32LE(at)),
      global: (bytes[at + infoAt] as number) >> 4 !== 0,
      defined: bytes.readUInt16LE(at + sectionAt) !== 0,
    };
  }).filter(({ global }) => global);

  const versions: string[] = [];
  const needs = value(0x6ffffffe);
  for (let i = 0, at = needs ? place(needs) : 0; i < (value(0x6fffffff) ?? 0); i++) {
    let entry = at + bytes.readUInt32LE(at + 8);
    for (let n = bytes.readUInt16LE(at + 2); n > 0; n--) {
      versions.push(text(bytes, strings + bytes.readUInt32LE(entry + 8)));
      entry += bytes.readUInt32LE(entry + 12);
    }
    at += bytes.readUInt32LE(at + 12);
  }
  return {
    ...NOTHING,
    format: 'elf',
    machine: bytes.readUInt16LE(18),
    needed: entries.filter(([tag]) => tag === 1).map(([, offset]) => text(bytes, strings + offset)),
    exports: symbols.filter(({ defined }) => defined).map(({ name }) => name),
    imports: symbols.filter(({ defined }) => !defined).map(({ name }) => name),
    stripped: !sectionTypes.includes(2),
    versions: [...new Set(versions)],
    nodelete: ((value(0x6ffffffb) ?? 0) & 8) !== 0,
  };
}

function readPe(bytes: Buffer): BinaryFile {
  const header = bytes.readUInt32LE(60) + 4;
  const optional = header + 20;
  if (bytes.readUInt16LE(optional) !== 0x20b) throw new Error('not a 64-bit PE file');
  const sectionCount = bytes.readUInt16LE(header + 2);
  const sections = optional + bytes.readUInt16LE(header + 16);
  const place = placeIn(
    Array.from({ length: sectionCount }, (_, i) => {
      const at = sections + i * 40;
      return {
        address: bytes.readUInt32LE(at + 12),
        size: Math.max(bytes.readUInt32LE(at + 8), bytes.readUInt32LE(at + 16)),
        offset: bytes.readUInt32LE(at + 20),
      };
    }),
  );
  const directory = (index: number) => bytes.readUInt32LE(optional + 112 + index * 8);

  const exports: string[] = [];
  if (directory(0) !== 0) {
    const at = place(directory(0));
    const names = place(bytes.readUInt32LE(at + 32));
    for (let i = 0; i < bytes.readUInt32LE(at + 24); i++) {
      exports.push(text(bytes, place(bytes.readUInt32LE(names + 4 * i))));
    }
  }
  const needed: string[] = [];
  const imports: string[] = [];
  for (let at = place(directory(1)); bytes.readUInt32LE(at + 12) !== 0; at += 20) {
    needed.push(text(bytes, place(bytes.readUInt32LE(at + 12))));
    const lookup = bytes.readUInt32LE(at) || bytes.readUInt32LE(at + 16);
    for (let entry = place(lookup); bytes.readBigUInt64LE(entry) !== 0n; entry += 8) {
      const word = bytes.readBigUInt64LE(entry);
      if (word >> 63n === 0n) imports.push(text(bytes, place(Number(word)) + 2));
    }
  }
  const names = Array.from({ length: sectionCount }, (_, i) =>
    bytes.toString('latin1', sections + i * 40, sections + i * 40 + 1),
  );
  return {
    ...NOTHING,
    format: 'pe',
    machine: bytes.readUInt16LE(header),
    needed,
    exports,
    imports,
    // Symbols come with a table of strings; sections of debugging information have long names, written as /offset.
    stripped: bytes.readUInt32LE(header + 8) === 0 && !names.includes('/'),
  };
}

function readMachO(bytes: Buffer): BinaryFile {
  const needed: string[] = [];
  const exports: string[] = [];
  const imports: string[] = [];
  let [signed, oldestSystem, locals]: [boolean, string | null, number] = [false, null, 0];
  const version = (word: number) => `${word >> 16}.${(word >> 8) & 255}`;
  for (let i = 0, at = 32; i < bytes.readUInt32LE(16); i++) {
    const command = bytes.readUInt32LE(at) & 0x7fffffff; // without "must be understood"
    if (command === 0xc) needed.push(text(bytes, at + bytes.readUInt32LE(at + 8)));
    if (command === 0x1d) signed = true;
    if (command === 0x32) oldestSystem = version(bytes.readUInt32LE(at + 12));
    if (command === 0x24) oldestSystem = version(bytes.readUInt32LE(at + 8));
    if (command === 0x2) {
      const [symbols, count, strings] = [8, 12, 16].map((o) => bytes.readUInt32LE(at + o)) as [number, number, number];
      for (let s = symbols; s < symbols + 16 * count; s += 16) {
        const type = bytes[s + 4] as number;
        const name = text(bytes, strings + bytes.readUInt32LE(s)).replace(/^_/, '');
        const hidden = (type & 1) === 0 || (type & 0x10) !== 0;
        if (!hidden) ((type & 0xe) === 0 ? imports : exports).push(name);
        else if (!name.endsWith('__thunk')) locals++; // the linker's own names of its stubs
      }
    }
    at += bytes.readUInt32LE(at + 4);
  }
  const machine = bytes.readUInt32LE(4);
  return {
    ...NOTHING,
    format: 'mach-o',
    machine,
    needed,
    exports,
    imports,
    stripped: locals === 0,
    signed,
    oldestSystem,
  };
}
