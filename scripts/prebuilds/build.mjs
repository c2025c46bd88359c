// npm run prebuilds: the published binaries of all platforms in prebuilds/, made on one Linux machine.
//
//   npm run prebuilds                            all that are stale
//   npm run prebuilds -- linux-x64-glibc ...     only these
//   npm run prebuilds -- --tests TARGET          the native tests of a target: build/prebuilds/TARGET/bin/native_tests
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { checkNativeTools, installDependencies, root, runScript, SetupError } from '../setup.mjs';
import { targetNamed, targets } from './targets.mjs';
import { installZig } from './zig.mjs';

const NAPI_VERSION = 8;
const here = join(root, 'scripts', 'prebuilds');

function runQuietly(command, args, failure) {
  const result = spawnSync(command, args, { cwd: root, encoding: 'utf8', maxBuffer: 1 << 28 });
  if (result.error) throw new SetupError(`could not run ${command}: ${result.error.message}`);
  if (result.status === 0) return result.stdout + result.stderr;
  process.stdout.write(result.stdout + result.stderr);
  throw new SetupError(`${failure} (${command} ended with ${result.signal ?? result.status})`);
}

/** The list that windows_node_api.cc includes. */
function writeNodeApiSymbols(folder) {
  const { symbols } = createRequire(import.meta.url)('node-api-headers');
  const { js_native_api_symbols: engine, node_api_symbols: node } = symbols[`v${NAPI_VERSION}`];
  const text = [...engine, ...node].map((name) => `NODE_API_SYMBOL(${name})\n`).join('');
  const path = join(folder, 'node_api_symbols.inc');
  if (!existsSync(path) || readFileSync(path, 'utf8') !== text) writeFileSync(path, text);
}

function configure(target, folder, zig) {
  const sources = ['no_demangler.cc', ...(target.system === 'Windows' ? ['windows_node_api.cc'] : [])];
  const definitions = {
    CMAKE_BUILD_TYPE: 'Release',
    CMAKE_TOOLCHAIN_FILE: join(here, 'zig-toolchain.cmake'),
    ZIG: zig,
    ZIG_TARGET: target.triple,
    ZIG_CPU: target.cpu ?? '',
    ZIG_SYSTEM: target.system,
    ZIG_PROCESSOR: target.processor,
    // Sources beside those of every build, as cmake-js would pass them.
    CMAKE_JS_SRC: sources.map((file) => join(here, file)).join(';'),
    // Calls of Node-API go through pointers, which windows_node_api.cc fills.
    ...(target.system === 'Windows' && {
      CMAKE_CXX_FLAGS: `-DBUILDING_NODE_EXTENSION -I${folder}`,
    }),
  };
  const args = Object.entries(definitions).map(([name, value]) => `-D${name}=${value}`);
  // CMake takes a toolchain's flags only once, so a changed one is a new configuration.
  const stamp = join(folder, 'configured-with');
  const text = [...args, readFileSync(definitions.CMAKE_TOOLCHAIN_FILE, 'utf8')].join('\n');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === text) return;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  writeNodeApiSymbols(folder);
  runQuietly('cmake', ['-S', root, '-B', folder, ...args], `configuring ${target.name} failed`);
  writeFileSync(stamp, text);
}

/**
 * Builds one target as far as it is stale: CMake knows what is.
 *
 * @returns {string} the binary in prebuilds/, or the tests' executable.
 */
export function buildTarget(target, zig, product = 'mobilenetv2') {
  const folder = join(root, 'build', 'prebuilds', target.name);
  configure(target, folder, zig);
  writeNodeApiSymbols(folder);
  const args = ['--build', folder, '--target', product];
  if (!process.env.CMAKE_BUILD_PARALLEL_LEVEL) args.push('--parallel', String(availableParallelism()));
  const output = runQuietly('cmake', args, `building ${product} for ${target.name} failed`);
  if (/warning/i.test(output)) process.stdout.write(output);
  if (product !== 'mobilenetv2') return join(folder, 'bin', product);

  const built = join(folder, 'Release', 'mobilenetv2.node');
  const destination = join(root, target.file);
  if (existsSync(destination) && readFileSync(destination).equals(readFileSync(built))) return destination;
  mkdirSync(dirname(destination), { recursive: true });
  copyFileSync(built, `${destination}.${process.pid}`); // a running process may have the old one mapped
  renameSync(`${destination}.${process.pid}`, destination);
  return destination;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  await runScript(() => {
    const names = process.argv.slice(2).filter((arg) => arg !== '--tests');
    const product = process.argv.includes('--tests') ? 'native_tests' : 'mobilenetv2';
    const wanted = names.length > 0 ? names.map(targetNamed) : targets;
    installDependencies();
    checkNativeTools();
    const zig = installZig();
    for (const target of wanted) {
      const started = performance.now();
      const path = buildTarget(target, zig, product);
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      const size = `${Math.ceil(statSync(path).size / 1024)} KiB`;
      console.log(
        `${target.name.padEnd(24)} ${size.padStart(9)}  ${seconds.padStart(6)} s  ${path.slice(root.length)}`,
      );
    }
  });
}
