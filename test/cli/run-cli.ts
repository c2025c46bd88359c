import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));
const cli = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));

export interface CliResult {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the built command line in a process of its own, without a terminal, in `cwd` (default: the repository). */
export function runCli(args: readonly string[], env: NodeJS.ProcessEnv = {}, cwd = root): Promise<CliResult> {
  if (!existsSync(cli)) throw new Error('dist/cli.js is missing: run npm run build');
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [cli, ...args], {
      cwd,
      env: { ...process.env, MOBILENETV2_MIRROR: '', MOBILENETV2_CACHE: '', NODE_DEBUG: '', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const result = { stdout: '', stderr: '' };
    child.stdout.setEncoding('utf8').on('data', (text) => (result.stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text) => (result.stderr += text));
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, ...result }));
  });
}
