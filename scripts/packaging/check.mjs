// npm run check:package: packs the package, looks at it, installs it into empty projects as users do, and runs it there
// on every Node, processor and C library that can be had. Needs prebuilds/ (npm run prebuilds), at least of linux-x64.
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root, runScript, SetupError } from '../setup.mjs';
import {
  ARMV7_NODE_VERSION,
  armRunner,
  EMULATED_NODE_VERSION,
  missingForArm,
  muslNode,
  NODE_VERSIONS,
  nodeOf,
  wine,
} from './nodes.mjs';

const MAX_TARBALL_BYTES = 8e6;
/** Not among the dependencies: needed here alone, and large. */
const ARE_THE_TYPES_WRONG = '@arethetypeswrong/cli@0.18.5';
const ESBUILD = 'esbuild@0.25.12';

const scratch = mkdtempSync(join(tmpdir(), 'mobilenetv2-package-'));
const image = join(root, 'node_modules', 'baboon-image', 'baboon.png');
const model = 'nsfwjs'; // found as a package beside the project's other dependencies
const counts = { passed: 0, failed: 0, skipped: 0 };

function check(name, body) {
  const started = performance.now();
  try {
    const note = body();
    counts.passed++;
    console.log(
      `  passed   ${name}${note ? `: ${note}` : ''} (${((performance.now() - started) / 1000).toFixed(1)} s)`,
    );
  } catch (error) {
    counts.failed++;
    console.log(`  FAILED   ${name}: ${error.message}`);
  }
}

function skip(name, reason) {
  counts.skipped++;
  console.log(`  skipped  ${name}: ${reason}`);
}

/** Output of a command that must end with 0. */
function output(command, args, options = {}) {
  const result = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 28, ...options });
  if (result.status === 0) return result.stdout;
  const how = result.error?.message ?? `ended with ${result.signal ?? result.status}`;
  throw new Error(`${[command, ...args].join(' ')} ${how}\n${result.stdout ?? ''}${result.stderr ?? ''}`);
}

function expect(condition, message) {
  if (!condition) throw new Error(message);
}

/** A PATH of Node, npm and a shell: neither compiler nor make nor Python. */
function barePath() {
  const folder = join(scratch, 'bin');
  if (!existsSync(folder)) {
    mkdirSync(folder);
    const find = (name) => output('sh', ['-c', `command -v ${name}`]).trim();
    for (const name of ['node', 'npm', 'npx', 'sh', 'env']) symlinkSync(find(name), join(folder, name));
  }
  return folder;
}

function bareEnvironment() {
  const { HOME, npm_config_registry, NPM_CONFIG_USERCONFIG } = process.env;
  const kept = Object.entries({ HOME, npm_config_registry, NPM_CONFIG_USERCONFIG }).filter(([, value]) => value);
  return { ...Object.fromEntries(kept), PATH: barePath() };
}

function pack() {
  const [report] = JSON.parse(
    output('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', scratch], { cwd: root }),
  );
  for (const { path, size } of report.files.filter(({ path }) => path.startsWith('prebuilds/'))) {
    console.log(`           ${String(Math.ceil(size / 1024)).padStart(6)} KiB  ${path}`);
  }
  const rest = report.files.filter(({ path }) => !path.startsWith('prebuilds/'));
  const restBytes = rest.reduce((sum, { size }) => sum + size, 0);
  console.log(`           ${String(Math.ceil(restBytes / 1024)).padStart(6)} KiB  ${rest.length} other files`);
  expect(report.size <= MAX_TARBALL_BYTES, `${report.size} bytes are more than ${MAX_TARBALL_BYTES}`);
  return { tarball: join(scratch, report.filename), size: report.size, unpacked: report.unpackedSize };
}

/** An empty project with the package installed, as npm does it today: no scripts run. */
function install(name, tarball, npmArgs = []) {
  const folder = join(scratch, name);
  mkdirSync(folder);
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
  const args = ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock', ...npmArgs, tarball];
  output('npm', args, { cwd: folder, env: bareEnvironment() });
  symlinkSync(join(root, 'node_modules', 'nsfwjs'), join(folder, 'node_modules', 'nsfwjs'));
  copyFileSync(join(root, 'scripts', 'packaging', 'consumer.mjs'), join(folder, 'consumer.mjs'));
  return folder;
}

let reference; // what the first run said; every other must agree

/** Runs the consumer with a Node executable, perhaps through an emulator. */
function consume(folder, [command, ...args], input = [image]) {
  const stdout = output(command, [...args, 'consumer.mjs', model, ...input], { cwd: folder, env: bareEnvironment() });
  const result = JSON.parse(stdout);
  reference ??= result;
  expect(result.label === 'Neutral' && result.probability > 0.9, `a baboon is ${result.label} (${result.probability})`);
  const difference = Math.abs(result.probability - reference.probability);
  expect(difference < 1e-4, `probability differs by ${difference} from ${reference.node} on ${reference.arch}`);
  expect(result.required, 'require() and import give different classes');
  expect(result.same, 'worker threads computed something else');
  return `${result.node} ${result.arch}, ${result.label} ${result.probability.toFixed(4)}`;
}

/** The image as pixels: sharp tells musl by the system's files, and would load its glibc build into a musl Node. */
function rawImage() {
  const program = "require('sharp')(process.argv[1]).removeAlpha().raw().pipe(process.stdout)";
  const { stdout } = spawnSync(process.execPath, ['-e', program, image], { cwd: root, maxBuffer: 1 << 28 });
  const path = join(scratch, 'image.rgb');
  writeFileSync(path, stdout);
  return [path, String(Math.sqrt(stdout.length / 3))];
}

function bundle(folder) {
  const bundler = join(scratch, 'bundler'); // apart: npm takes away packages it did not install itself
  output('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--prefix', bundler, ESBUILD]);
  const source = 'import { MobileNetV2 } from "mobilenetv2"; console.log(typeof MobileNetV2.load);\n';
  writeFileSync(join(folder, 'entry.js'), source);
  for (const [format, file] of [
    ['esm', 'bundle.mjs'],
    ['cjs', 'bundle.cjs'],
  ]) {
    const args = [
      'entry.js',
      '--bundle',
      '--platform=node',
      `--format=${format}`,
      '--external:mobilenetv2',
      `--outfile=${file}`,
    ];
    output(join(bundler, 'node_modules', '.bin', 'esbuild'), args, { cwd: folder });
    expect(output(process.execPath, [file], { cwd: folder }) === 'function\n', `the ${format} bundle does not run`);
  }
}

/** Without its binaries, the package must say what it looked for and what to do. */
function withoutBinaries(folder) {
  const prebuilds = join(folder, 'node_modules', 'mobilenetv2', 'prebuilds');
  renameSync(prebuilds, `${prebuilds}-away`);
  try {
    const program =
      'import("mobilenetv2").then((m) => m.MobileNetV2.load("nsfwjs")).catch((e) => console.log(e.code, e.message))';
    const text = output(process.execPath, ['-e', program], { cwd: folder, env: bareEnvironment() });
    for (const part of [
      'NATIVE_UNAVAILABLE',
      `linux-${process.arch}`,
      'glibc',
      process.version,
      'prebuilds',
      'npm run build',
    ]) {
      expect(text.includes(part), `the message lacks ${part}: ${text}`);
    }
  } finally {
    renameSync(`${prebuilds}-away`, prebuilds);
  }
}

/** Runs the self-test with a Node that may need an emulator; `tuple` is the folder of the binary it must load. */
function selfTest(folder, tuple, [command, ...args], settings = {}) {
  const program = 'self-test.mjs';
  copyFileSync(join(root, 'scripts', 'packaging', program), join(folder, program));
  output(command, [...args, program, 'result.json'], { cwd: folder, env: { ...process.env, ...settings } });
  const result = JSON.parse(readFileSync(join(folder, 'result.json'), 'utf8'));
  expect(result.wrong.length === 0, JSON.stringify(result.wrong));
  expect(result.addon.split(/[\\/]/).at(-2) === tuple, `${result.addon} was loaded`);
  return `${result.node}, ${result.available.join(' ')}`;
}

/** Under another name than node.exe, as packaged applications have it. */
function selfTestOnWindows(folder) {
  copyFileSync(nodeOf(EMULATED_NODE_VERSION, 'win-x64'), join(folder, 'application.exe'));
  const settings = { WINEPREFIX: join(scratch, 'wine'), WINEDEBUG: '-all', NODE_SKIP_PLATFORM_CHECK: '1' };
  return selfTest(folder, 'win32-x64', [wine(), 'application.exe'], settings);
}

function hasPrebuild(name) {
  return existsSync(join(root, 'prebuilds', name));
}

await runScript(() => {
  if (!hasPrebuild('linux-x64/node.napi.glibc.node'))
    throw new SetupError('no prebuilds: npm run prebuilds -- linux-x64-glibc');
  try {
    let packed;
    check('npm pack', () => {
      packed = pack();
      return `${(packed.size / 1e6).toFixed(2)} MB, ${(packed.unpacked / 1e6).toFixed(2)} MB unpacked`;
    });
    if (!packed) return;
    const { tarball } = packed;
    check('publint', () => void output('npx', ['publint', 'run', tarball, '--strict'], { cwd: root }));
    check('types resolve for ESM (attw)', () => {
      output('npx', ['--yes', ARE_THE_TYPES_WRONG, tarball, '--profile', 'esm-only'], { cwd: scratch });
    });
    let project;
    check('install without scripts and compiler', () => {
      project = install('project', tarball);
    });
    if (!project) return;
    check('classify', () => consume(project, [process.execPath]));
    check('command line', () => {
      const args = ['mobilenetv2', 'classify', image, '--model', model, '--json'];
      const line = JSON.parse(output('npx', args, { cwd: project, env: bareEnvironment() }));
      expect(line.predictions[0].label === 'Neutral', JSON.stringify(line));
    });
    check('doctor', () => void output('npx', ['mobilenetv2', 'doctor'], { cwd: project, env: bareEnvironment() }));
    for (const version of NODE_VERSIONS)
      check(`classify on Node ${version}`, () => consume(project, [nodeOf(version)]));
    check('esbuild bundles, the package external', () => bundle(project));
    check('message without binaries', () => withoutBinaries(project));

    const musl = muslNode();
    if (musl && hasPrebuild('linux-x64/node.napi.musl.node')) {
      check('classify on musl', () =>
        consume(install('musl', tarball, ['--os=linux', '--cpu=x64', '--libc=musl']), [musl], rawImage()),
      );
    } else {
      skip(
        'classify on musl',
        musl ? 'no prebuild: npm run prebuilds -- linux-x64-musl' : 'no musl: apt-get install musl',
      );
    }
    const missing = missingForArm();
    const noEmulator = missing.length > 0 && `apt-get install ${missing.join(' ')}`;
    const arm64 = 'linux-arm64/node.napi.glibc.node';
    if (noEmulator || !hasPrebuild(arm64)) {
      skip('classify on ARM', noEmulator || 'no prebuild: npm run prebuilds -- linux-arm64-glibc');
    } else {
      check('classify on ARM', () => {
        const folder = install('arm64', tarball, ['--os=linux', '--cpu=arm64', '--libc=glibc']);
        return consume(folder, [...armRunner('arm64', 'cortex-a76'), nodeOf(EMULATED_NODE_VERSION, 'linux-arm64')]);
      });
    }
    if (noEmulator || !hasPrebuild('linux-arm/node.napi.armv7.glibc.node')) {
      skip('self-test on ARMv7', noEmulator || 'no prebuild: npm run prebuilds -- linux-arm-armv7-glibc');
    } else {
      check('self-test on ARMv7', () => {
        const folder = install('armv7', tarball, ['--os=linux', '--cpu=arm', '--libc=glibc']);
        const node = nodeOf(ARMV7_NODE_VERSION, 'linux-armv7l');
        return selfTest(folder, 'linux-arm', [...armRunner('arm', 'cortex-a15'), node]);
      });
    }
    if (wine() && hasPrebuild('win32-x64/node.napi.node')) {
      check('self-test on Windows (Wine)', () =>
        selfTestOnWindows(install('windows', tarball, ['--os=win32', '--cpu=x64'])),
      );
    } else {
      const reason = wine() ? 'no prebuild: npm run prebuilds -- win32-x64' : 'no Wine: apt-get install wine64';
      skip('self-test on Windows (Wine)', reason);
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true });
    const { passed, failed, skipped } = counts;
    console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
    if (failed > 0) process.exitCode = 1;
  }
});
