import { describe } from '../errors.js';
import { corrupt } from './failures.js';

/** One file of an archive, not yet unpacked. */
export interface ZipEntry {
  readonly name: string;
  /** Unpacks it. Throws MODEL_CORRUPT when it is damaged or longer than `limit` bytes. */
  read(limit: number): Uint8Array;
}

const END_SIGNATURE = 'PK\x05\x06';
const CENTRAL_SIGNATURE = 0x02014b50;
const LOCAL_SIGNATURE = 0x04034b50;
const END_BYTES = 22;
const CENTRAL_BYTES = 46;
const LOCAL_BYTES = 30;
const MAX_ENTRIES = 64;

/** Few files have an archive: the others do not wait for zlib. */
function zlib(): typeof import('node:zlib') {
  return process.getBuiltinModule('node:zlib');
}

/** The end record's offset, searched from the end: an archive comment of up to 65535 bytes may follow it. */
function findEnd(buffer: Buffer): number | null {
  const last = buffer.length - END_BYTES;
  if (last < 0) return null;
  const lowest = Math.max(0, last - 0xffff);
  const at = buffer.subarray(lowest).lastIndexOf(END_SIGNATURE, last - lowest);
  return at < 0 ? null : lowest + at;
}

/**
 * Lists a zip archive appended to other data, as TFLite's metadata writer does. Returns no entries when the bytes do not
 * end in an archive. Encrypted and ZIP64 archives are refused.
 */
export function readAppendedZip(bytes: Uint8Array): ZipEntry[] {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = findEnd(buffer);
  if (end === null) return [];
  const count = view.getUint16(end + 10, true);
  const directoryBytes = view.getUint32(end + 12, true);
  const start = end - directoryBytes;
  if (start < 0 || directoryBytes < CENTRAL_BYTES || view.getUint32(start, true) !== CENTRAL_SIGNATURE) return [];
  // Offsets count from the archive's beginning or the file's, depending on the writer.
  const base = start - view.getUint32(end + 16, true);
  if (base < 0) corrupt('appended zip archive: its directory lies before its offset');
  const entries: ZipEntry[] = [];
  for (let at = start, i = 0; i < Math.min(count, MAX_ENTRIES); i++) {
    if (at + CENTRAL_BYTES > end || view.getUint32(at, true) !== CENTRAL_SIGNATURE) {
      return corrupt(`appended zip archive: entry ${i} of ${count} is not in its directory`);
    }
    const nameBytes = view.getUint16(at + 28, true);
    if (at + CENTRAL_BYTES + nameBytes > end)
      return corrupt(`appended zip archive: the name of entry ${i} is truncated`);
    const name = buffer.toString('utf8', at + CENTRAL_BYTES, at + CENTRAL_BYTES + nameBytes);
    const header = at;
    entries.push({ name, read: (limit) => readEntry(bytes, view, header, base, name, limit) });
    at += CENTRAL_BYTES + nameBytes + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
  }
  return entries;
}

function readEntry(bytes: Uint8Array, view: DataView, header: number, base: number, name: string, limit: number) {
  const what = `${describe(name)} in the appended zip archive`;
  const flags = view.getUint16(header + 8, true);
  const method = view.getUint16(header + 10, true);
  const checksum = view.getUint32(header + 16, true);
  const packedBytes = view.getUint32(header + 20, true);
  const size = view.getUint32(header + 24, true);
  const local = base + view.getUint32(header + 42, true);
  if (flags & 1) corrupt(`${what}: is encrypted`);
  if (size > limit) corrupt(`${what}: ${size} bytes, expected at most ${limit}`);
  if (local + LOCAL_BYTES > bytes.length || view.getUint32(local, true) !== LOCAL_SIGNATURE) {
    corrupt(`${what}: no file header at offset ${local}`);
  }
  const start = local + LOCAL_BYTES + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
  if (start + packedBytes > bytes.length) corrupt(`${what}: is truncated`);
  const packed = bytes.subarray(start, start + packedBytes);
  const data = unpack(packed, method, size, what);
  if (data.length !== size) corrupt(`${what}: unpacks to ${data.length} bytes, expected ${size}`);
  if (zlib().crc32(data) !== checksum) corrupt(`${what}: its checksum is wrong`);
  return data;
}

function unpack(packed: Uint8Array, method: number, size: number, what: string): Uint8Array {
  if (method === 0) return packed;
  if (method !== 8) return corrupt(`${what}: compression method ${method}, expected 0 or 8`);
  try {
    // maxOutputLength stops a bomb; zlib wants at least 1.
    return zlib().inflateRawSync(packed, { maxOutputLength: Math.max(size, 1) });
  } catch (error) {
    return corrupt(`${what}: cannot be unpacked (${error instanceof Error ? error.message : String(error)})`, error);
  }
}
