// npm run build: the addon (build/Release/mobilenetv2.node) and the TypeScript (dist/), as far as they are stale.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join, relative, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import { checkNativeTools, installDependencies, root, run, runScript, SetupError } from './setup.mjs';

const buildDirectory = join(root, 'build');

/** Whether build/ was configured by CMake for this very directory: a copied or moved tree is configured again. */
function isConfigured() {
  const cache = join(buildDirectory, 'CMakeCache.txt');
  if (!existsSync(cache)) return false;
  const home = readFileSync(cache, 'utf8').match(/^CMAKE_HOME_DIRECTORY:INTERNAL=(.*)$/m)?.[1];
  return home !== undefined && relative(home, root) === '';
}

/** Runs a command and returns its output, which is shown only when it fails. */
function runQuietly(command, args, failure) {
  const result = spawnSync(command, args, { cwd: root, encoding: 'utf8', maxBuffer: 1 << 28 });
  if (result.error) throw new SetupError(`could not run ${command}: ${result.error.message}`);
  const output = result.stdout + result.stderr;
  if (result.status === 0) return output;
  process.stdout.write(output);
  throw new SetupError(failure);
}

/** Builds CMake targets; the build tool itself knows what is stale. Output is shown only if something was built. */
export function buildNative(targets) {
  if (!isConfigured()) {
    checkNativeTools();
    console.log('Configuring the native build ...');
    rmSync(buildDirectory, { recursive: true, force: true });
    const cmakeJs = join(root, 'node_modules', 'cmake-js', 'bin', 'cmake-js');
    runQuietly(process.execPath, [cmakeJs, 'configure', '--log-level', 'warn'], 'configuring with CMake failed');
  }
  const args = ['--build', buildDirectory, '--config', 'Release', '--target', ...targets];
  if (!process.env.CMAKE_BUILD_PARALLEL_LEVEL) args.push('--parallel', String(availableParallelism()));
  const started = performance.now();
  const output = runQuietly('cmake', args, `building ${targets.join(', ')} failed; the compiler's messages are above`);
  if (/warning/i.test(output)) process.stdout.write(output);
  if (/Linking|\.vcxproj ->/.test(output)) {
    console.log(`Built ${targets.join(', ')} in ${((performance.now() - started) / 1000).toFixed(1)} s`);
  }
}

function* filesUnder(directory) {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) yield* filesUnder(path);
    else yield path;
  }
}

/** A declaration file and all that it imports, directly or not. */
function declarationsFrom(path, found = new Set()) {
  if (found.has(path)) return found;
  found.add(path);
  for (const [, target] of readFileSync(path, 'utf8').matchAll(/(?:from |import\()'(\.[^']+)\.js'/g)) {
    declarationsFrom(join(dirname(path), `${target}.d.ts`), found);
  }
  return found;
}

/** Bundles lib/ to dist/, with types, unless dist/ was made from these very files. */
export async function buildTypeScript() {
  const dist = join(root, 'dist');
  const stamp = join(buildDirectory, 'dist-built-from'); // not in dist/, which is published
  const hash = createHash('sha256');
  const sources = [...filesUnder(join(root, 'lib'))].sort();
  for (const path of [
    ...sources,
    ...['tsconfig.json', 'tsconfig.build.json', 'scripts/bundle.mjs'].map((name) => join(root, name)),
  ]) {
    hash
      .update(`${relative(root, path)}\0`)
      .update(readFileSync(path))
      .update('\0');
  }
  const digest = hash.digest('hex');
  if (existsSync(dist) && existsSync(stamp) && readFileSync(stamp, 'utf8') === digest) return;

  const started = performance.now();
  rmSync(stamp, { force: true });
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  run(process.execPath, [tsc, '-p', 'tsconfig.build.json'], { failure: 'lib/ does not compile; see above' });
  // Apart from setUp()'s first import: the bundler is a dependency, which may just have been installed.
  const { bundle } = await import('./bundle.mjs');
  const written = await bundle(root);
  // What is left of sources that are gone, and types that nothing of the public API refers to, would be packed.
  const wanted = new Set([...written, ...declarationsFrom(join(dist, 'index.d.ts'))]);
  for (const path of [...filesUnder(dist)]) if (!wanted.has(path)) rmSync(path);

  const cli = join(dist, 'cli.js');
  if (existsSync(cli)) chmodSync(cli, 0o755);
  mkdirSync(buildDirectory, { recursive: true });
  writeFileSync(`${stamp}.${process.pid}`, digest);
  renameSync(`${stamp}.${process.pid}`, stamp);
  console.log(`Compiled lib${sep} to dist${sep} in ${((performance.now() - started) / 1000).toFixed(1)} s`);
}

/** Dependencies, addon (and other native targets), TypeScript: everything demo and test start from. */
export async function setUp({ nativeTargets = ['mobilenetv2'] } = {}) {
  installDependencies();
  buildNative(nativeTargets);
  await buildTypeScript();
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  await runScript(async () => {
    await setUp();
    const addon = join(buildDirectory, 'Release', 'mobilenetv2.node');
    console.log(
      `${relative(root, addon)} (${Math.round(statSync(addon).size / 1024)} KB) and dist${sep} are up to date.`,
    );
  });
}
