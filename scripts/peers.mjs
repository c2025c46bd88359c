// The runtimes that benchmarks compare with: installed on demand in the user's cache folder, none of them a dependency.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import envPaths from 'env-paths';
import { SetupError } from './setup.mjs';

const PEERS = ['onnxruntime-node@1', '@tensorflow/tfjs@4', '@tensorflow/tfjs-backend-wasm@4'];

export const peersFolder = join(envPaths('mobilenetv2', { suffix: '' }).cache, 'peers');

/** Installed without scripts: onnxruntime-node's own only downloads CUDA. */
export function installPeers(folder, say) {
  if (existsSync(join(folder, 'installed'))) return;
  say(`Installing ${PEERS.join(', ')} in ${folder} ...`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{"private": true}');
  const args = ['install', '--ignore-scripts', '--no-audit', '--no-fund', ...PEERS];
  const { status, stderr } = spawnSync('npm', args, {
    cwd: folder,
    encoding: 'utf8',
    shell: process.platform === 'win32',
  });
  if (status !== 0) throw new SetupError(`installing the peers failed: ${stderr}\n--no-peers measures without them`);
  writeFileSync(join(folder, 'installed'), '');
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
