// Rewrites packed relative relocations (DT_RELR) of a 64-bit x86 ELF library as plain ones, for loaders that do not know
// them. The new table goes to the end of the file, mapped in place of the note segment.
const PAGE = 4096n;
const [PT_LOAD, PT_DYNAMIC, PT_NOTE] = [1, 2, 4];
const [DT_RELA, DT_RELASZ, DT_RELRSZ, DT_RELR, DT_RELRENT] = [7, 8, 35, 36, 37];
const DT_UNKNOWN = 0x60000000n; // of the range for systems' own tags: ignored
const R_X86_64_RELATIVE = 8n;
const RELA_BYTES = 24;

const pageUp = (n) => ((n + PAGE - 1n) / PAGE) * PAGE;

/**
 * @param {Buffer} bytes
 * @returns {Buffer} a new file, or `bytes` if there is nothing to do
 */
export function withoutRelr(bytes) {
  const word = (at) => bytes.readBigUInt64LE(Number(at));
  const headers = Array.from({ length: bytes.readUInt16LE(56) }, (_, i) => Number(word(32)) + 56 * i);
  const ofType = (type) => headers.filter((at) => bytes.readUInt32LE(at) === type);
  const segments = ofType(PT_LOAD).map((at) => ({
    offset: word(at + 8),
    address: word(at + 16),
    fileBytes: word(at + 32),
    bytes: word(at + 40),
  }));
  const place = (address) => {
    const segment = segments.find((s) => address >= s.address && address < s.address + s.fileBytes);
    return Number(address - segment.address + segment.offset);
  };
  const tags = new Map(); // tag -> offset of its value
  for (let at = Number(word(ofType(PT_DYNAMIC)[0] + 8)); word(at) !== 0n; at += 16) tags.set(Number(word(at)), at + 8);
  if (!tags.has(DT_RELR)) return bytes;

  const addresses = [];
  let next = 0n;
  for (let i = 0n; i < word(tags.get(DT_RELRSZ)); i += 8n) {
    const entry = word(place(word(tags.get(DT_RELR)) + i));
    if ((entry & 1n) === 0n) {
      addresses.push(entry);
      next = entry + 8n;
      continue;
    }
    for (let bit = 0n; bit < 63n; bit++) if ((entry >> (bit + 1n)) & 1n) addresses.push(next + 8n * bit);
    next += 63n * 8n;
  }

  const oldBytes = Number(word(tags.get(DT_RELASZ)));
  const old = place(word(tags.get(DT_RELA)));
  const table = Buffer.alloc(oldBytes + RELA_BYTES * addresses.length);
  bytes.copy(table, 0, old, old + oldBytes);
  for (const [i, address] of addresses.entries()) {
    const at = oldBytes + RELA_BYTES * i;
    table.writeBigUInt64LE(address, at);
    table.writeBigUInt64LE(R_X86_64_RELATIVE, at + 8);
    table.writeBigUInt64LE(word(place(address)), at + 16);
  }

  const offset = pageUp(BigInt(bytes.length));
  const address = segments.reduce((end, s) => (s.address + s.bytes > end ? s.address + s.bytes : end), 0n);
  const result = Buffer.alloc(Number(offset) + table.length);
  bytes.copy(result);
  table.copy(result, Number(offset));
  const header = ofType(PT_NOTE)[0];
  result.writeUInt32LE(PT_LOAD, header);
  result.writeUInt32LE(4, header + 4); // readable
  const size = BigInt(table.length);
  for (const [i, value] of [offset, pageUp(address), pageUp(address), size, size, PAGE].entries()) {
    result.writeBigUInt64LE(value, header + 8 + 8 * i);
  }
  result.writeBigUInt64LE(pageUp(address), tags.get(DT_RELA));
  result.writeBigUInt64LE(size, tags.get(DT_RELASZ));
  for (const tag of [DT_RELRSZ, DT_RELR, DT_RELRENT]) result.writeBigUInt64LE(DT_UNKNOWN, tags.get(tag) - 8);
  return result;
}
