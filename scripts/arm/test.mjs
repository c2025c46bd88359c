// npm run test:arm: what is published for ARM Linux, run in qemu: the native tests on processors of several generations
// and, in a real ARM Node, tests of the API. Closes with the line that npm test closes with.
//
//   npm run test:arm                 the native tests, and the quicker API and accuracy tests
//   npm run test:arm -- --all        all API and accuracy tests, for nights
import { execFile, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { buildTypeScript } from '../build.mjs';
import { armRunner, EMULATED_NODE_VERSION, missingForArm, nodeOf } from '../packaging/nodes.mjs';
import { buildTarget } from '../prebuilds/build.mjs';
import { targetNamed } from '../prebuilds/targets.mjs';
import { installZig } from '../prebuilds/zig.mjs';
import { checkNativeTools, installDependencies, root, run, runScript } from '../setup.mjs';

/** What each processor must offer: a test that did not run on it would prove nothing. */
const MACHINES = [
  { arch: 'arm64', target: 'linux-arm64-glibc', cpu: 'cortex-a53', isas: 'scalar neon' },
  { arch: 'arm64', target: 'linux-arm64-glibc', cpu: 'cortex-a76', isas: 'scalar neon neondot' },
  { arch: 'arm64', target: 'linux-arm64-glibc', cpu: 'max', isas: 'scalar neon neondot i8mm' },
  { arch: 'arm', target: 'linux-arm-armv7-glibc', cpu: 'cortex-a15', isas: 'scalar neon' },
];
/** A few minutes in the emulator; those left out start hundreds of processes or run large images. */
const QUICK_TESTS = ['test/api/infer', 'test/api/wrong-input', 'test/api/labels', 'test/cli/doctor'];
/** Of test/accuracy, what is quick: a whole 8-bit network, bit for bit, on every instruction set but scalar. */
const QUICK_GOLDENS = ['test/accuracy', '--testNamePattern=uint8 logits.*(neon|i8mm)'];
const API_CPU = 'max';
const folder = join(root, 'build', 'arm');
const total = { passed: 0, failed: 0, skipped: 0 };

function add({ passed, failed, skipped }) {
  total.passed += passed;
  total.failed += failed;
  total.skipped += skipped;
}

/** Like spawnSync, but others can run meanwhile. */
function spawnAsync(command, args) {
  return new Promise((done) => {
    execFile(command, args, { maxBuffer: 1 << 28 }, (failure, stdout, stderr) => {
      const error = typeof failure?.code === 'string' ? failure : undefined; // a number is an exit status
      done({ status: failure ? failure.code : 0, signal: failure?.signal, stdout, stderr, error });
    });
  });
}

async function runNativeTests({ arch, target, cpu, isas }, executable) {
  const [command, ...args] = armRunner(arch, cpu);
  const started = performance.now();
  const { status, signal, stdout, stderr, error } = await spawnAsync(command, [...args, executable]);
  const offered = stdout?.match(/CPU offers: (.*)$/m)?.[1];
  const counts = stdout
    ?.match(/^native: (\d+) passed, (\d+) failed, (\d+) skipped$/m)
    ?.slice(1)
    .map(Number);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const problem =
    error?.message ||
    (!counts && `ended with ${signal ?? status}`) ||
    (offered !== isas && `offers ${offered}, and should offer ${isas}`) ||
    (status !== 0 && counts[1] === 0 && `ended with ${signal ?? status}`);
  if (problem) {
    console.log(`${stdout ?? ''}${stderr ?? ''}\n${target} on ${cpu}: ${problem}`);
    add({ passed: 0, failed: 1, skipped: 0 });
    return;
  }
  const [passed, failed, skipped] = counts;
  if (failed > 0) console.log(stdout);
  console.log(
    `${target} on ${cpu} (${offered}): ${passed} passed, ${failed} failed, ${skipped} skipped (${seconds} s)`,
  );
  add({ passed, failed, skipped });
}

/** A copy of the tree with the dependencies, the addon and the Node of ARM. Tests start child processes through `node`. */
function prepareTree() {
  const tree = join(folder, 'tree');
  const lock = readFileSync(join(root, 'package-lock.json'), 'utf8');
  const installed = join(tree, 'installed-from');
  mkdirSync(tree, { recursive: true });
  for (const name of ['package.json', 'package-lock.json']) cpSync(join(root, name), join(tree, name));
  if (!existsSync(installed) || readFileSync(installed, 'utf8') !== lock) {
    const args = ['ci', '--ignore-scripts', '--os=linux', '--cpu=arm64', '--libc=glibc', '--no-audit', '--no-fund'];
    run('npm', args, { cwd: tree, stdio: ['ignore', 'ignore', 'inherit'], failure: 'npm ci for ARM failed' });
    writeFileSync(installed, lock);
  }
  for (const name of ['lib', 'test', 'dist', 'scripts', 'prebuilds', 'vitest.config.ts', 'tsconfig.json']) {
    rmSync(join(tree, name), { recursive: true, force: true });
    cpSync(join(root, name), join(tree, name), { recursive: true });
  }
  // Where tests look for it, beside the tree.
  const [shared, link] = [resolve(root, '..', 'shared'), join(folder, 'shared')];
  if (existsSync(shared) && !existsSync(link)) symlinkSync(shared, link);
  return tree;
}

/** A script that is Node for ARM, also to the processes it starts: the kernel cannot start them itself. */
function writeNodeScript() {
  const bin = join(folder, 'bin');
  const script = join(bin, 'node');
  const preload = join(bin, 'exec-path.mjs');
  mkdirSync(bin, { recursive: true });
  writeFileSync(preload, `process.execPath = ${JSON.stringify(script)};\n`);
  const command = [...armRunner('arm64', API_CPU), nodeOf(EMULATED_NODE_VERSION, 'linux-arm64')]
    .map((word) => `'${word}'`)
    .join(' ');
  writeFileSync(script, `#!/bin/sh\nNODE_OPTIONS='--import=${preload}' exec ${command} "$@"\n`);
  chmodSync(script, 0o755);
  return script;
}

function runApiTests(files) {
  const tree = prepareTree();
  const summary = join(folder, 'summary.json');
  rmSync(summary, { force: true });
  const vitest = ['node_modules/vitest/vitest.mjs', 'run', '--reporter=default'];
  const reporter = `--reporter=${join(root, 'scripts', 'summary-reporter.mjs')}`;
  // Threads: vitest starts its process workers in ways that do not go through the script.
  const options = ['--pool=threads', '--maxWorkers=2', '--testTimeout=300000', '--hookTimeout=300000'];
  const { status } = spawnSync(writeNodeScript(), [...vitest, reporter, ...options, ...files], {
    cwd: tree,
    stdio: 'inherit',
    env: { ...process.env, PREBUILDS_ONLY: '1', MOBILENETV2_TEST_SUMMARY: summary },
  });
  const counts = existsSync(summary) ? JSON.parse(readFileSync(summary, 'utf8')) : { passed: 0, failed: 1, skipped: 0 };
  if (status !== 0 && counts.failed === 0) counts.failed = 1;
  add(counts);
}

await runScript(async () => {
  installDependencies();
  const missing = missingForArm();
  if (missing.length > 0) {
    console.log(`skipped: tests on ARM need Debian's emulator and C libraries: apt-get install ${missing.join(' ')}`);
    console.log('0 passed, 0 failed, 1 skipped');
    return;
  }
  checkNativeTools();
  const zig = installZig();
  const executables = new Map();
  for (const { target } of MACHINES) {
    if (!executables.has(target)) executables.set(target, buildTarget(targetNamed(target), zig, 'native_tests'));
  }
  buildTarget(targetNamed('linux-arm64-glibc'), zig);
  await buildTypeScript();
  // Two at a time: a machine of each target.
  const inTurn = async (target, executable) => {
    for (const machine of MACHINES) if (machine.target === target) await runNativeTests(machine, executable);
  };
  await Promise.all([...executables].map(([target, executable]) => inTurn(target, executable)));
  if (process.argv.includes('--all')) {
    runApiTests(['test/api', 'test/cli/doctor', 'test/accuracy']);
  } else {
    runApiTests(QUICK_TESTS);
    runApiTests(QUICK_GOLDENS);
  }
  console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
  process.exitCode = total.failed > 0 ? 1 : 0;
});
