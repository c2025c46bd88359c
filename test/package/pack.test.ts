import { execFileSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

function packedFiles(): string[] {
  const output = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: root,
    encoding: 'utf8',
    shell: process.platform === 'win32',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [report] = Object.values(JSON.parse(output)) as { files: { path: string }[] }[];
  return (report?.files ?? []).map(({ path }) => path);
}

/** A file, and all it imports before it runs: paths of files, names of packages and of Node's modules. */
function staticImports(path: string, found = new Set<string>()): Set<string> {
  if (found.has(path)) return found;
  found.add(path);
  for (const [, target = ''] of readFileSync(path, 'utf8').matchAll(/^(?:import|export)\b[^;]*?["']([^"']+)["'];/gm)) {
    if (target.startsWith('.')) staticImports(join(dirname(path), target), found);
    else found.add(target);
  }
  return found;
}

describe('the published package', () => {
  it('has the library, its types, the command line and the documents, and nothing else', () => {
    const files = packedFiles();
    for (const path of ['package.json', 'README.md', 'LICENSE', 'CHANGELOG.md', 'SECURITY.md'])
      expect(files).toContain(path);
    for (const path of ['dist/index.js', 'dist/index.d.ts', 'dist/cli.js']) expect(files).toContain(path);
    const others = files.filter((path) => !/^(dist|prebuilds)\//.test(path));
    expect(others.sort()).toEqual([
      'CHANGELOG.md',
      'LICENSE',
      'README.md',
      'SECURITY.md',
      'THIRD-PARTY-LICENSES.md',
      'package.json',
    ]);
    expect(files.filter((path) => /^dist\//.test(path) && !/\.(js|d\.ts)$/.test(path))).toEqual([]);
  });

  it('never builds or downloads while it is installed', () => {
    for (const name of ['preinstall', 'install', 'postinstall', 'prepare'])
      expect(manifest.scripts).not.toHaveProperty(name);
    expect(manifest.gypfile).toBe(false);
    expect(packedFiles()).not.toContain('binding.gyp');
  });

  it('has an executable command line', () => {
    const cli = join(root, manifest.bin.mobilenetv2);
    expect(readFileSync(cli, 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/);
    if (process.platform !== 'win32') expect(statSync(cli).mode & 0o111).toBe(0o111);
  });

  it('depends at run time only on what lib/ imports', () => {
    const imported = new Set<string>();
    for (const path of packedFiles().filter((name) => /^dist\/.*\.js$/.test(name))) {
      const source = readFileSync(join(root, path), 'utf8');
      for (const [, name] of source.matchAll(/(?:from |import\(|require\()["']([^'"./][^'"]*)["']/g)) {
        if (name && !name.startsWith('node:')) imported.add(name);
      }
    }
    expect([...imported].sort()).toEqual(Object.keys(manifest.dependencies).sort());
  });

  it('loads no package, and in few files, when it is imported', () => {
    const loaded = staticImports(join(root, 'dist', 'index.js'));
    const packages = [...loaded].filter((name) => !name.startsWith('node:') && !name.startsWith(root));
    expect(packages).toEqual([]);
    expect([...loaded].filter((name) => name.startsWith(root)).length).toBeLessThanOrEqual(3);
    for (const rest of ['node:crypto', 'node:zlib', 'node:child_process', 'node:http', 'node:https']) {
      expect(loaded).not.toContain(rest);
    }
    // Neither other formats nor the command line nor its tools; and the walk does see what is loaded.
    const text = [...loaded].map((name) => (name.startsWith(root) ? readFileSync(name, 'utf8') : '')).join('');
    expect(text).toContain('class MobileNetV2');
    expect(text).toContain('readTflite');
    for (const absent of [
      'flattenKeras',
      'function dequantize',
      'function download(',
      'CommanderError',
      'seededModel',
    ]) {
      expect(text).not.toContain(absent);
    }
    expect([...staticImports(join(root, 'dist', 'cli.js'))]).toContain('commander');
  });

  it('locks dependencies without naming a registry', () => {
    expect(readFileSync(join(root, 'package-lock.json'), 'utf8')).not.toMatch(/"resolved"/);
  });
});
