import { crc32, deflateRawSync } from 'node:zlib';

/** Appends a zip archive to bytes, as TFLite's metadata writer does. */
export function appendZip(
  before: Uint8Array,
  files: Readonly<Record<string, string>>,
  options: { stored?: boolean; offsetsFromArchive?: boolean } = {},
): Uint8Array {
  const parts: Buffer[] = [Buffer.from(before)];
  const directory: Buffer[] = [];
  const origin = options.offsetsFromArchive ? before.length : 0;
  let at = before.length;
  for (const [name, text] of Object.entries(files)) {
    const data = Buffer.from(text);
    const packed = options.stored ? data : deflateRawSync(data);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(options.stored ? 0 : 8, 4);
    common.writeUInt32LE(crc32(data), 10);
    common.writeUInt32LE(packed.length, 14);
    common.writeUInt32LE(data.length, 18);
    common.writeUInt16LE(name.length, 22);
    const local = Buffer.concat([Buffer.from('PK\x03\x04'), common, Buffer.from(name), packed]);
    const trailer = Buffer.alloc(14);
    trailer.writeUInt32LE(at - origin, 10);
    directory.push(Buffer.concat([Buffer.from('PK\x01\x02\x14\0'), common, trailer, Buffer.from(name)]));
    parts.push(local);
    at += local.length;
  }
  const central = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(directory.length, 8);
  end.writeUInt16LE(directory.length, 10);
  end.writeUInt32LE(central.length, 12);
  end.writeUInt32LE(at - origin, 16);
  return new Uint8Array(Buffer.concat([...parts, central, end]));
}
