// What is published: one binary per row of targets.json, in the naming that node-gyp-build looks up at run time.
import { readFileSync } from 'node:fs';
import { SetupError } from '../setup.mjs';

/**
 * @typedef {object} Target
 * @property {string} name       process.platform and process.arch; on Linux also ARM version and C library
 * @property {string} triple     zig's -target: architecture, system, C library. glibc 2.28 is that of Debian 10 and
 *                               RHEL 8, and what Node's own binaries ask for; so are the versions of macOS
 * @property {string} [cpu]      zig's -mcpu, where its baseline for the architecture is not the ABI's. ARMv7
 *                               hard-float promises VFPv3 with 16 registers; NEON is found at run time
 * @property {'Linux' | 'Darwin' | 'Windows'} system   as CMake calls it
 * @property {string} processor  as CMake calls it
 * @property {string} file       relative to the repository
 */

/** @type {readonly Target[]} */
export const targets = JSON.parse(readFileSync(new URL('targets.json', import.meta.url), 'utf8')).map((target) => {
  const [platform, arch, ...tags] = target.name.split('-');
  return { ...target, file: `prebuilds/${platform}-${arch}/${['node', 'napi', ...tags].join('.')}.node` };
});

/** @returns {Target} */
export function targetNamed(name) {
  const target = targets.find((candidate) => candidate.name === name);
  if (target) return target;
  throw new SetupError(`no target ${name}; there are ${targets.map((candidate) => candidate.name).join(', ')}`);
}
