// The pinned compiler of the published binaries, installed on first use from Python's package index.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, SetupError } from '../setup.mjs';
import { cached } from './cache.mjs';

const requirements = join(root, 'scripts', 'prebuilds', 'zig-requirements.txt');

/** @returns {string} path of the zig executable, which is installed if it is not there. */
export function installZig() {
  if (process.platform !== 'linux') throw new SetupError('prebuilds are made on Linux, for all platforms');
  const folder = cached('zig', readFileSync(requirements), (unfinished) => {
    console.log('Installing the cross compiler ...');
    const options = ['--quiet', '--disable-pip-version-check', '--no-deps', '--only-binary', ':all:'];
    const args = ['install', ...options, '--require-hashes', '--target', unfinished, '-r', requirements];
    const result = spawnSync('python3', ['-m', 'pip', ...args], { encoding: 'utf8' });
    if (result.status === 0) return;
    const reason = result.error?.message ?? result.stderr.trim();
    throw new SetupError(
      `could not install ziglang; python3 with pip is needed (Debian: apt-get install python3-pip).\n${reason}`,
    );
  });
  return join(folder, 'ziglang', 'zig');
}
