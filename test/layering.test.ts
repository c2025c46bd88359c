/**
 * Holds the sources to the layering that docs/ARCHITECTURE.md describes, by reading #includes and imports.
 * The checks are functions of file contents, so that the tests at the end can show that each of them can fail.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { posix, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

/** Repository path with forward slashes -> contents. */
type Files = ReadonlyMap<string, string>;

// ---- C++: binding -> engine -> pack -> kernels -> cpu -> core ----

const NATIVE_LAYERS = ['core', 'cpu', 'kernels', 'pack', 'engine', 'binding'];
const ISA_FILE =
  /^native\/kernels\/(simd\/|.*\/(avx2|avxvnni|avx512|avx512vnni|amx|neon|neondot|i8mm)(_\w+)?\.(cc|h)$)/;
/** Kernels never allocate, throw, lock or do input and output: they have no use for these. */
const NOT_IN_KERNELS =
  /^(vector|string|map|unordered_map|deque|list|memory|new|functional|mutex|shared_mutex|atomic|thread|condition_variable|iostream|fstream|sstream|stdexcept)$/;

function stripCppComments(source: string): string {
  return source.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
}

function checkNative(files: Files): string[] {
  const problems: string[] = [];
  for (const [path, raw] of files) {
    const layer = path.split('/')[1] ?? '';
    const rank = NATIVE_LAYERS.indexOf(layer);
    if (rank < 0) {
      problems.push(`${path}: native/${layer} is no layer (${NATIVE_LAYERS.join(', ')})`);
      continue;
    }
    const source = stripCppComments(raw);
    for (const [, bracket, target = ''] of source.matchAll(/^\s*#\s*include\s*([<"])([^>"]+)[>"]/gm)) {
      if (bracket === '<' || target === 'napi.h') {
        if (/^(napi|node_api|js_native_api|node|v8|uv)\.h$/.test(target) && layer !== 'binding') {
          problems.push(`${path}: includes ${target}; only native/binding/ may`);
        }
        const intrinsics = /^(\w*intrin|arm_neon|arm_acle)\.h$/.test(target);
        if (intrinsics && layer !== 'cpu' && !ISA_FILE.test(path)) {
          problems.push(`${path}: includes ${target}; only cpu/, kernel files named for an ISA and kernels/simd/ may`);
        }
        if (layer === 'kernels' && NOT_IN_KERNELS.test(target)) {
          problems.push(`${path}: includes <${target}>; kernels never allocate, throw or lock`);
        }
        continue;
      }
      const targetRank = NATIVE_LAYERS.indexOf(target.split('/')[0] ?? '');
      if (targetRank < 0 || target.includes('..')) {
        problems.push(`${path}: "${target}" must be written as a path from native/, such as "core/op.h"`);
      } else if (targetRank > rank) {
        problems.push(`${path}: ${layer} includes "${target}"; layers go ${[...NATIVE_LAYERS].reverse().join(' -> ')}`);
      }
    }
    if (layer === 'kernels') {
      const word = source.match(/\b(new\s+\w|malloc\s*\(|calloc\s*\(|throw\b|getenv\s*\()/)?.[0];
      if (word) problems.push(`${path}: uses "${word.trim()}"; kernels never allocate, throw or read globals`);
    }
  }
  return problems;
}

// ---- TypeScript ----

interface Import {
  readonly target: string;
  readonly how: 'static' | 'type' | 'dynamic';
}

function stripTsComments(source: string): string {
  return source.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '$1');
}

/** Imports and re-exports; relative ones as paths from the repository root, ending in .ts. */
function importsOf(path: string, source: string): Import[] {
  const found: Import[] = [];
  const add = (specifier: string, how: Import['how']) => {
    const relative = specifier.startsWith('.');
    const target = relative ? posix.join(posix.dirname(path), specifier).replace(/\.js$/, '.ts') : specifier;
    found.push({ target, how });
  };
  for (const [, type, specifier = ''] of source.matchAll(
    /^\s*(?:import|export)\s+(type\s)?(?:[\w*{}\s,$]*?from\s*)?['"]([^'"]+)['"]/gm,
  )) {
    add(specifier, type === undefined ? 'static' : 'type');
  }
  for (const [, typeOf, specifier = ''] of source.matchAll(/(typeof\s+)?\bimport\(\s*['"]([^'"]+)['"]\s*\)/g)) {
    add(specifier, typeOf === undefined ? 'dynamic' : 'type');
  }
  return found;
}

interface LibRule {
  /** The files it is about. */
  readonly of: RegExp;
  /** What they may import of lib/. */
  readonly may: RegExp;
  readonly because: string;
}

const FOUNDATION = 'lib/(model-spec|errors)\\.ts$';
const LIB_RULES: readonly LibRule[] = [
  { of: /^lib\/errors\.ts$/, may: /^$/, because: 'errors imports nothing' },
  { of: /^lib\/model-spec\.ts$/, may: /^lib\/errors\.ts$/, because: 'the model spec is the bottom of lib' },
  {
    of: /^lib\/formats\//,
    may: new RegExp(`^lib/formats/|^${FOUNDATION}`),
    because: 'formats import their own files, model-spec and errors',
  },
  {
    of: /^lib\/compile\//,
    may: new RegExp(`^lib/compile/|^lib/native\\.ts$|^${FOUNDATION}`),
    because: 'compile is pure: model-spec, errors, its own files, and types of the native contract',
  },
  {
    of: /^lib\/cli(\.ts$|\/)/,
    may: /^lib\/(cli|tools)\/|^lib\/(index|place)\.ts$/,
    because: 'the CLI is a client of index and tools',
  },
  { of: /^lib\/tools\//, may: /^lib\/(?!cli)/, because: 'tools do not know the CLI' },
  {
    of: /^lib\/[\w-]+\.ts$/,
    may: /^lib\/(?!cli|tools\/|index\.ts$)/,
    because: 'only the CLI and its tools are above index',
  },
];
/** From, to, the kinds of import allowed between them. */
const IMPORT_KINDS: readonly [RegExp, RegExp, readonly Import['how'][], string][] = [
  [/^lib\/compile\//, /^lib\/native\.ts$/, ['type'], 'compile is pure and must not load the addon'],
  [/^lib\//, /^sharp$/, ['type', 'dynamic'], 'it is loaded only when a file must be decoded'],
  [/^lib\/[\w-]+\.ts$/, /^lib\/download\.ts$/, ['type', 'dynamic'], 'loading a model file must not wait for it'],
  [
    /^lib\/([\w-]+|formats\/(index|load))\.ts$/,
    /^lib\/(formats\/(nsfwjs|tfjs-\w+)|compile\/(class-map|dequantize))\.ts$/,
    ['type', 'dynamic'],
    'loading a TFLite file must not wait for it',
  ],
];
/** Packages that only these files may import. */
const PACKAGE_OWNERS: readonly [RegExp, RegExp][] = [
  [/^node-gyp-build$/, /^lib\/native\.ts$/],
  [/^(commander|cli-table3|cli-progress)$/, /^lib\/cli(\.ts$|\/)/],
];

function findCycle(graph: ReadonlyMap<string, readonly string[]>): string[] | null {
  const done = new Set<string>();
  const visit = (node: string, trail: string[]): string[] | null => {
    if (trail.includes(node)) return [...trail.slice(trail.indexOf(node)), node];
    if (done.has(node)) return null;
    for (const next of graph.get(node) ?? []) {
      const cycle = visit(next, [...trail, node]);
      if (cycle) return cycle;
    }
    done.add(node);
    return null;
  };
  for (const node of graph.keys()) {
    const cycle = visit(node, []);
    if (cycle) return cycle;
  }
  return null;
}

function checkLib(files: Files): string[] {
  const problems: string[] = [];
  const graph = new Map<string, string[]>();
  for (const [path, raw] of files) {
    const source = stripTsComments(raw);
    const imports = importsOf(path, source);
    graph.set(
      path,
      imports.filter(({ target, how }) => how !== 'type' && target.startsWith('lib/')).map(({ target }) => target),
    );
    const rule = LIB_RULES.find(({ of }) => of.test(path));
    if (!rule) problems.push(`${path}: no layering rule covers it; add one to test/layering.test.ts`);
    for (const { target, how } of imports) {
      if (target.startsWith('lib/') && rule && !rule.may.test(target)) {
        problems.push(`${path}: imports ${target}; ${rule.because}`);
      }
      for (const [from, to, allowed, because] of IMPORT_KINDS) {
        if (from.test(path) && to.test(target) && !allowed.includes(how)) {
          problems.push(`${path}: has a ${how} import of ${target}; ${because}`);
        }
      }
      for (const [name, owner] of PACKAGE_OWNERS) {
        if (name.test(target) && !owner.test(path))
          problems.push(`${path}: imports ${target}; only ${owner.source} may`);
      }
    }
    if (!/^lib\/cli(\.ts$|\/)/.test(path)) {
      const use = source.match(/\bconsole\.\w+|\bprocess\.(exit|exitCode|stdout|stderr)\b/)?.[0];
      if (use) problems.push(`${path}: uses ${use}; only the CLI talks to the terminal and ends the process`);
    }
    if (path === 'lib/index.ts') {
      const rest = source
        .replace(/export\s+(type\s+)?(\{[^}]*\}|\*(\s+as\s+\w+)?)\s+from\s+['"][^'"]+['"];?/g, '')
        .trim();
      if (rest) problems.push(`${path}: must only re-export, but has: ${rest.split('\n')[0]}`);
    }
  }
  const cycle = findCycle(graph);
  if (cycle) problems.push(`imports form a cycle: ${cycle.join(' -> ')}`);
  return problems;
}

// ---- the repository ----

const root = fileURLToPath(new URL('..', import.meta.url));

function readAll(directory: string, extension: RegExp): Files {
  const names = readdirSync(`${root}${directory}`, { recursive: true, encoding: 'utf8' }).filter((n) =>
    extension.test(n),
  );
  return new Map(
    names.map((name) => {
      const path = `${directory}/${name.split(sep).join('/')}`;
      return [path, readFileSync(`${root}${path}`, 'utf8')];
    }),
  );
}

describe('layering of this repository', () => {
  it('native: binding -> engine -> pack -> kernels -> cpu -> core', () => {
    const files = readAll('native', /\.(cc|h)$/);
    expect(files.size).toBeGreaterThan(10);
    expect(checkNative(files)).toEqual([]);
  });

  it('native/sources.gypi lists every source file once, and nothing else', () => {
    const listed: string[] = JSON.parse(readFileSync(`${root}native/sources.gypi`, 'utf8')).variables.native_sources;
    expect([...listed].sort()).toEqual([...readAll('native', /\.cc$/).keys()].sort());
  });

  it('lib: cli -> index -> classifier -> compile, preprocess, formats, native', () => {
    const files = readAll('lib', /\.ts$/);
    expect(files.size).toBeGreaterThan(10);
    expect(checkLib(files)).toEqual([]);
  });

  it('imports of lib/ lead to files that exist', () => {
    for (const [path, source] of readAll('lib', /\.ts$/)) {
      for (const { target } of importsOf(path, source)) {
        if (target.startsWith('lib/')) expect(existsSync(`${root}${target}`), `${path} imports ${target}`).toBe(true);
      }
    }
  });
});

describe('the checks can fail', () => {
  const native = (path: string, source: string) => checkNative(new Map([[path, source]]));
  const lib = (path: string, source: string) => checkLib(new Map([[path, source]]));

  it.each([
    ['native/core/a.h', '#include "kernels/kernels.h"', 'core includes "kernels/kernels.h"'],
    ['native/kernels/stem/a.cc', '#include "../kernels.h"', 'must be written as a path from native/'],
    ['native/kernels/stem/a.cc', '#include "kernels.h"', 'must be written as a path from native/'],
    ['native/engine/a.cc', '#include <napi.h>', 'only native/binding/ may'],
    ['native/kernels/stem/reference.cc', '#include <immintrin.h>', 'only cpu/, kernel files named for an ISA'],
    ['native/engine/avx2.cc', '  #  include <arm_neon.h>', 'only cpu/, kernel files named for an ISA'],
    ['native/kernels/stem/avx2.cc', '#include <vector>', 'kernels never allocate'],
    ['native/kernels/stem/avx2.cc', 'float* p = new float[3];', 'kernels never allocate'],
    ['native/extras/a.cc', '', 'native/extras is no layer'],
  ])('%s: %s', (path, source, problem) => {
    expect(native(path, source)).toEqual([expect.stringContaining(problem)]);
  });

  it('accepts what the rules allow in C++', () => {
    const source =
      '#include <cstdint>\n#include <immintrin.h>\n#include "core/op.h"\n// new things, #include <vector>\n';
    expect(native('native/kernels/pointwise/avx512vnni.cc', source)).toEqual([]);
    expect(native('native/cpu/isa.cc', '#include <intrin.h>\n#include <atomic>')).toEqual([]);
    expect(native('native/binding/addon.cc', '#include <napi.h>\n#include "engine/runner.h"')).toEqual([]);
  });

  it.each([
    ['lib/formats/tflite.ts', "import { compile } from '../compile/program.js';", 'formats import their own files'],
    ['lib/formats/tflite.ts', "import {\n  a,\n  b,\n} from '../native.js';", 'formats import their own files'],
    ['lib/compile/fold.ts', "import { native } from '../native.js';", 'has a static import of lib/native.ts'],
    [
      'lib/cli/classify.ts',
      "const { x } = await import('../classifier.js');",
      'the CLI is a client of index and tools',
    ],
    ['lib/classifier.ts', "import type { Options } from './cli/output.js';", 'only the CLI and its tools'],
    ['lib/preprocess.ts', "import sharp from 'sharp';", 'has a static import of sharp'],
    ['lib/models.ts', "import { download } from './download.js';", 'has a static import of lib/download.ts'],
    ['lib/formats/load.ts', "import { a } from './tfjs-layers.js';", 'loading a TFLite file must not wait'],
    ['lib/labels.ts', "import build from 'node-gyp-build';", 'only ^lib\\/native\\.ts$ may'],
    ['lib/labels.ts', "import Table from 'cli-table3';", 'only ^lib\\/cli'],
    ['lib/labels.ts', "console.log('hello');", 'only the CLI talks to the terminal'],
    ['lib/index.ts', 'export const answer = 42;', 'must only re-export'],
    ['lib/other/a.ts', '', 'no layering rule covers it'],
  ])('%s: %s', (path, source, problem) => {
    expect(lib(path, source)).toEqual([expect.stringContaining(problem)]);
  });

  it('accepts what the rules allow in TypeScript', () => {
    expect(lib('lib/image.ts', "import type sharp from 'sharp';\nconst load = () => import('sharp');")).toEqual([]);
    expect(lib('lib/compile/a.ts', "import type { Facts } from '../native.js';\n// console.log\n")).toEqual([]);
    expect(lib('lib/index.ts', "export { A, B } from './a.js';\nexport type * from './b.js';\n")).toEqual([]);
  });

  it('finds a cycle, but not one through types', () => {
    const cycle = new Map([
      ['lib/a.ts', "import { b } from './b.js';"],
      ['lib/b.ts', "import { c } from './c.js';"],
      ['lib/c.ts', "import { a } from './a.js';"],
    ]);
    expect(checkLib(cycle)).toEqual(['imports form a cycle: lib/a.ts -> lib/b.ts -> lib/c.ts -> lib/a.ts']);
    cycle.set('lib/c.ts', "import type { a } from './a.js';");
    expect(checkLib(cycle)).toEqual([]);
  });
});
