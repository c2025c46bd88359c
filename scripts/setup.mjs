// Brings a working tree to the point where something can be built: the right Node, the dependencies of the lockfile,
// CMake and a compiler. Used by build, demo, test and lint, and quick when there is nothing to do.
// Only Node's own modules may be imported here: on a fresh clone there are no others.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));

/** A problem the person at the terminal can solve: shown without a stack. */
export class SetupError extends Error {}

/** Runs `main`; a SetupError ends the process with its message and status 1. */
export async function runScript(main) {
  try {
    await main();
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    console.error(`\nerror: ${error.message}`);
    process.exitCode = 1;
  }
}

/** Runs a command in the repository, its output shown; throws a SetupError unless it exits with 0. */
export function run(command, args, options = {}) {
  const { failure, ...spawnOptions } = options;
  const result = spawnSync(command, args, { cwd: root, stdio: 'inherit', ...spawnOptions });
  if (result.error) throw new SetupError(`could not run ${command}: ${result.error.message}`);
  if (result.status !== 0) {
    throw new SetupError(failure ?? `${[command, ...args].join(' ')} ended with ${result.status ?? result.signal}`);
  }
}

function readJson(path) {
  return JSON.parse(readFileSync(join(root, path), 'utf8'));
}

function checkNode() {
  const { node } = readJson('package.json').engines; // such as ^20.19.0 || >=22.12.0
  const [major, minor] = process.versions.node.split('.').map(Number);
  const ranges = [...node.matchAll(/(\^|>=)(\d+)\.(\d+)/g)].map(([, sign, ...least]) => [sign, ...least.map(Number)]);
  const fits = ([sign, leastMajor, leastMinor]) =>
    major === leastMajor ? minor >= leastMinor : sign === '>=' && major > leastMajor;
  if (!ranges.some(fits)) {
    throw new SetupError(`Node ${node} is needed; this is ${process.version} (${process.execPath}).`);
  }
}

/** Whether node_modules holds what the lockfile says, judged by content: npm keeps a copy of what it installed. */
function dependenciesAreCurrent() {
  let installed;
  try {
    installed = readJson('node_modules/.package-lock.json').packages;
  } catch {
    return false;
  }
  const locked = readJson('package-lock.json').packages;
  return Object.entries(locked).every(([path, entry]) => {
    if (path === '') return true;
    const present = installed[path];
    // Optional packages are left out where they do not fit the platform.
    return present === undefined ? entry.optional === true : present.version === entry.version;
  });
}

/** Installs the lockfile's dependencies unless they are there. */
export function installDependencies() {
  checkNode();
  if (dependenciesAreCurrent()) return;
  console.log('Installing dependencies (npm ci) ...');
  // npm_execpath: the npm that runs this script, so that another one on the PATH cannot disagree with it.
  const npm = process.env.npm_execpath;
  const failure = 'npm ci failed; see its output above. The package registry must be reachable.';
  if (npm?.endsWith('.js')) run(process.execPath, [npm, 'ci'], { failure });
  else run('npm', ['ci'], { failure, shell: process.platform === 'win32' });
}

function answers(command) {
  return spawnSync(command, ['--version'], { encoding: 'utf8' });
}

/** Throws unless CMake and, where we can tell, a C++ compiler are installed. */
export function checkNativeTools() {
  const remedy = {
    linux: 'On Debian or Ubuntu: apt-get install cmake g++ make',
    darwin: 'xcode-select --install, and CMake from cmake.org or Homebrew',
    win32: 'Install Visual Studio Build Tools with "Desktop development with C++" (it includes CMake)',
  }[process.platform];
  const advice = remedy ? `\n  ${remedy}` : '';

  const cmake = answers('cmake');
  if (cmake.error)
    throw new SetupError(`CMake 3.19 or newer is needed to build the addon, and was not found.${advice}`);
  const [, major, minor] = cmake.stdout.match(/version (\d+)\.(\d+)/) ?? [];
  if (Number(major) < 3 || (Number(major) === 3 && Number(minor) < 19)) {
    throw new SetupError(`CMake 3.19 or newer is needed to build the addon; this is ${major}.${minor}.${advice}`);
  }
  if (process.platform === 'win32') return; // cmake-js looks for Visual Studio itself, and says so
  const compilers = process.env.CXX ? [process.env.CXX.split(' ')[0]] : ['c++', 'g++', 'clang++'];
  if (compilers.every((compiler) => answers(compiler).error)) {
    throw new SetupError(`A C++17 compiler is needed to build the addon; looked for ${compilers.join(', ')}.${advice}`);
  }
}
