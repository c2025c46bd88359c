/** Running the cases of `bench`: one here, several in a process each. */
import { spawn } from 'node:child_process';
import { programFile } from '../place.js';
import type { BenchReport, BenchResult } from '../tools/bench.js';
import { argumentsOf, type BenchCase } from './bench-options.js';
import type { BenchProgress } from './bench-progress.js';

/** A report as it is printed and saved. */
export type CaseOutput = BenchReport & { readonly timesMs?: readonly number[] };

/** Runs one case in this process. */
export async function runHere(c: BenchCase, progress: BenchProgress): Promise<BenchResult> {
  // The engine reads the ceiling when it loads its first model.
  if (c.isa !== null) process.env.MOBILENETV2_ISA = c.isa;
  const { bench } = await import('../tools/bench.js');
  return bench(c, (phase, share) => progress.update(phase, share));
}

/** A case that failed has told why on stderr. */
export class CaseFailed extends Error {
  constructor(readonly exitCode: number) {
    super('a case failed');
  }
}

/**
 * Runs one case in a process of its own: an instruction set is chosen once per process, and only there are peak memory,
 * load time and the first inference the case's own.
 */
export function runInProcess(c: BenchCase): Promise<BenchResult> {
  const cli = programFile('cli.js');
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [cli, ...argumentsOf(c)], { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (chunk) => (text += chunk));
    child.on('error', reject);
    child.on('close', (status) => {
      if (status !== 0) return reject(new CaseFailed(status ?? 1));
      const { timesMs = [], ...report } = JSON.parse(text) as CaseOutput;
      resolve({ report, timesMs });
    });
  });
}
