// Tools that are large to fetch, kept out of build/ so that they outlive a clean build.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/**
 * The folder of one tool, filled on first use.
 *
 * @param {string} name
 * @param {string | Buffer} identity  what the contents depend on
 * @param {(folder: string) => void} fill  puts the tool into the folder; may throw
 * @returns {string}
 */
export function cached(name, identity, fill) {
  const base = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
  const digest = createHash('sha256').update(identity).digest('hex').slice(0, 12);
  const folder = join(base, 'mobilenetv2-build', `${name}-${digest}`);
  if (existsSync(folder)) return folder;
  const unfinished = `${folder}.${process.pid}`;
  mkdirSync(unfinished, { recursive: true });
  try {
    fill(unfinished);
    renameSync(unfinished, folder);
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
  return folder;
}
