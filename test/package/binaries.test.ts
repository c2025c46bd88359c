/** What the published binaries ask of a system and show to it. `npm run prebuilds` makes them; those that are there are checked. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { repositoryRoot } from '../support/shared.js';
import { readBinary } from './binary-file.js';

interface Target {
  readonly name: string;
  readonly triple: string;
}

const targets = JSON.parse(
  readFileSync(join(repositoryRoot, 'scripts/prebuilds/targets.json'), 'utf8'),
) as readonly Target[];

function fileOf(name: string): string {
  const [platform, arch, ...tags] = name.split('-');
  return join(repositoryRoot, 'prebuilds', `${platform}-${arch}`, `${['node', 'napi', ...tags].join('.')}.node`);
}

const ENTRY_POINTS = ['napi_register_module_v1', 'node_api_module_get_api_version_v1'];
const MAX_BYTES = 2 ** 20;

/** The ELF, PE and Mach-O numbers of the processors. */
const MACHINES: Record<string, number> = {
  'linux-x64': 62,
  'linux-arm64': 183,
  'linux-arm': 40,
  'darwin-x64': 0x01000007,
  'darwin-arm64': 0x0100000c,
  'win32-x64': 0x8664,
  'win32-arm64': 0xaa64,
};

/** Only the C library, which every system of the platform has; no C++ runtime, no other package's library. */
const LIBRARIES: Record<string, RegExp> = {
  glibc: /^(lib(c|m|pthread|dl|rt)\.so\.\d|ld-linux[\w-]*\.so\.\d)$/,
  musl: /^libc\.so$/,
  darwin: /^\/usr\/lib\/libSystem\.B\.dylib$/,
  // The universal C runtime is part of Windows 10. Node-API must not be among the imports: see windows_node_api.cc.
  win32: /^(kernel32\.dll|ntdll\.dll|api-ms-win-crt-[\w-]+\.dll)$/i,
};

function newest(versions: readonly string[]): string {
  const numbers = versions.flatMap((version) => /^GLIBC_([\d.]+)$/.exec(version)?.[1] ?? []);
  const order = (a: string, b: string) => a.localeCompare(b, 'en', { numeric: true });
  return numbers.sort(order).at(-1) ?? '0';
}

describe('prebuilt binaries', () => {
  it('are of the published targets alone', () => {
    const folder = join(repositoryRoot, 'prebuilds');
    const present = existsSync(folder) ? readdirSync(folder, { recursive: true, encoding: 'utf8' }) : [];
    const known = targets.map(({ name }) => fileOf(name));
    expect(
      present.filter((name) => name.endsWith('.node')).filter((name) => !known.includes(join(folder, name))),
    ).toEqual([]);
  });

  it('are those of docs/PLATFORMS.md', () => {
    const document = readFileSync(join(repositoryRoot, 'docs/PLATFORMS.md'), 'utf8');
    const rows = [...document.matchAll(/^\| `([\w-]+)` \|.*?\| `([\w.-]+)` \|/gm)].map(([, name, triple]) => ({
      name,
      triple,
    }));
    expect(rows).toEqual(targets.map(({ name, triple }) => ({ name, triple })));
  });

  describe.each(targets.map(({ name, triple }) => ({ name, triple })))('$name', ({ name, triple }) => {
    const path = fileOf(name);
    const missing = !existsSync(path);
    const reason = missing ? ` (not built: npm run prebuilds -- ${name})` : '';
    const [platform = '', arch = ''] = name.split('-');
    const read = () => readBinary(readFileSync(path));

    it.skipIf(missing)(`is for that processor, small and stripped${reason}`, () => {
      const { machine, stripped } = read();
      expect(machine).toBe(MACHINES[`${platform}-${arch}`]);
      expect(stripped).toBe(true);
      expect(readFileSync(path).length).toBeLessThanOrEqual(MAX_BYTES);
    });

    it.skipIf(missing)(`needs nothing but the C library${reason}`, () => {
      const allowed = LIBRARIES[platform === 'linux' ? (name.split('-').at(-1) as string) : platform] as RegExp;
      const { needed } = read();
      expect(needed.length).toBeGreaterThan(0);
      expect(needed.filter((library) => !allowed.test(library))).toEqual([]);
    });

    it.skipIf(missing)(`shows only what Node calls${reason}`, () => {
      const { exports } = read();
      expect(exports).toEqual(expect.arrayContaining(ENTRY_POINTS));
      const others = exports.filter((symbol) => !ENTRY_POINTS.includes(symbol));
      // zig's linker for macOS cannot hide the C++ runtime's replaceable operators new and delete, nor its own two.
      const tolerated = platform === 'darwin' ? /^(_Z(n|d)[wal]\w+|_mh_dylib_header|__dso_handle)$/ : /^$/;
      expect(others.filter((symbol) => !tolerated.test(symbol))).toEqual([]);
    });

    it.skipIf(missing)(`takes from Node only Node-API${reason}`, () => {
      const { imports } = read();
      const engine = imports.filter((symbol) => /^(napi|node)_|v8|uv_/.test(symbol));
      if (platform === 'win32') expect(engine).toEqual([]);
      else {
        expect(engine.length).toBeGreaterThan(30);
        expect(engine.filter((symbol) => !symbol.startsWith('napi_'))).toEqual([]);
        // Electron forbids memory that V8 did not allocate.
        expect(engine.filter((symbol) => /external_\w*buffer/.test(symbol))).toEqual([]);
      }
    });

    it.skipIf(missing)(`runs on the oldest system promised${reason}`, () => {
      const { format, versions, nodelete, signed, oldestSystem } = read();
      if (format === 'elf') {
        // A worker that ends unloads its addons, and the thread pool would lose its code.
        expect(nodelete).toBe(true);
        const floor = /gnu\w*\.([\d.]+)$/.exec(triple)?.[1] ?? '0';
        expect(newest([...versions, `GLIBC_${floor}`])).toBe(floor);
      } else if (format === 'mach-o') {
        expect(oldestSystem).toBe(/macos\.([\d.]+)$/.exec(triple)?.[1]);
        if (arch === 'arm64') expect(signed).toBe(true); // macOS kills unsigned code there
      }
    });
  });
});
