// lib/ to dist/ in few files: Node takes most of a millisecond to find, read and link each module of an import.
import { join } from 'node:path';
import { rolldown } from 'rolldown';
import { minifySync } from 'rolldown/utils';

/**
 * What is imported or started by path: the package, the command line, processes that tools start, and what scripts and
 * tests use. All else lies in shared files in dist/ itself (see lib/place.ts).
 */
const ENTRIES = [
  'index',
  'cli',
  'model-info',
  'native',
  'tools/cold-start-process',
  'tools/load-seeded',
  'tools/onnx/graph',
  'tools/onnx/mobilenet',
  'tools/optional-package',
  'tools/peers/tfjs',
  'tools/read-network',
  'tools/seeded-model',
  'tools/self-test',
  'tools/self-test-process',
  'tools/statistics',
];

/**
 * Node's own modules without importing them: an import of `node:fs` reads each of its properties once, and with these
 * loads streams, which takes as long as the rest of the package's modules.
 */
const builtins = {
  name: 'builtins',
  renderChunk(code) {
    return code.replace(
      /^import \{ ([^}]*) \} from "(node:[^"]*)";$/gm,
      (_, names, id) => `const { ${names.replaceAll(' as ', ': ')} } = process.getBuiltinModule("${id}");`,
    );
  },
};

/**
 * Node parses what it loads, and again what it calls, before anything runs: short names of local variables and no
 * indentation save a twentieth of loading and running a model. Functions and classes keep their names and statements
 * their lines, so that stacks can be read.
 */
const compact = {
  name: 'compact',
  renderChunk(code, { fileName }) {
    const options = {
      module: true,
      mangle: { toplevel: false, keepNames: true },
      codegen: { removeWhitespace: false },
    };
    const result = minifySync(fileName, code, options);
    if (result.errors.length > 0) throw new Error(`${fileName}: ${result.errors[0].message}`);
    return result.code.replace(/^\t+/gm, ''); // of the minifier: lib/ has no tabs
  },
};

function read(root, entries) {
  return rolldown({
    input: Object.fromEntries(entries.map((name) => [name, join(root, 'lib', `${name}.ts`)])),
    platform: 'node',
    external: (id) => !/^(\.|\/|[A-Za-z]:)/.test(id), // packages stay packages
    treeshake: { moduleSideEffects: (id) => id === join(root, 'lib', 'cli.ts') || id.endsWith('-process.ts') },
    plugins: [builtins, compact],
    logLevel: 'warn',
  });
}

/** The modules that importing the package loads at once. */
async function modulesOfLibrary(root) {
  const build = await read(root, ['index']);
  const { output } = await build.generate({ format: 'esm' });
  const chunks = new Map(output.map((chunk) => [chunk.fileName, chunk]));
  const modules = new Set();
  const visit = (chunk) => {
    for (const id of chunk.moduleIds) modules.add(id);
    for (const name of chunk.imports) if (chunks.has(name)) visit(chunks.get(name));
  };
  visit(output.find(({ isEntry }) => isEntry));
  return modules;
}

/** Writes dist/ and returns the paths of its files. */
export async function bundle(root) {
  const library = await modulesOfLibrary(root);
  const build = await read(root, ENTRIES);
  const dir = join(root, 'dist');
  const { output } = await build.write({
    dir,
    format: 'esm',
    entryFileNames: '[name].js',
    chunkFileNames: '[name].js',
    codeSplitting: { groups: [{ name: 'library', test: (id) => library.has(id) }] },
    comments: { legal: true, annotation: true, jsdoc: false },
    minify: false,
    sourcemap: false,
  });
  return output.map(({ fileName }) => join(dir, fileName));
}
