/** Runs kept in a file, and what a later run says about them. */
import { readFile, stat } from 'node:fs/promises';
import { MobileNetError } from '../errors.js';
import type { BenchReport } from './bench.js';
import { type Ratio, ratioOfMedians } from './statistics.js';
import { writeWhole } from './write-file.js';

const KIND = 'mobilenetv2 bench runs';
const VERSION = 1;

export interface Comparison extends Ratio {
  /** Which case it is about: precision, batch, threads, instruction set, concurrency. */
  readonly case: string;
  readonly verdict: 'faster' | 'slower' | 'no difference shown';
  /** Why the two may not be comparable; empty if nothing speaks against it. */
  readonly caveats: readonly string[];
}

/** Below this share a difference is not called one, however certain: two runs of one program differ by as much. */
const INDIFFERENT = 0.01;

export function caseName(r: BenchReport): string {
  const concurrent = r.concurrency > 1 ? ` concurrency ${r.concurrency}` : '';
  return `${r.source} ${r.precision} ${r.isa} batch ${r.batch} threads ${r.threads}${concurrent}`;
}

/** @throws MobileNetError INVALID_ARGUMENT when the file cannot be written. */
export async function saveRuns(path: string, reports: readonly BenchReport[]): Promise<void> {
  await writeWhole('--save', path, `${JSON.stringify({ kind: KIND, version: VERSION, reports }, null, 1)}\n`);
}

/** @throws MobileNetError FILE_NOT_FOUND, or INVALID_ARGUMENT for a file that --save did not write. */
export async function readRuns(path: string): Promise<BenchReport[]> {
  let text: string;
  try {
    // Before opening: to open a named pipe may wait for ever.
    if (!(await stat(path)).isFile()) throw new Error('is no regular file');
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw new MobileNetError('FILE_NOT_FOUND', `--against ${path}: ${(cause as Error).message}`, { cause });
  }
  const wrong = () => new MobileNetError('INVALID_ARGUMENT', `--against ${path}: expected a file that --save wrote`);
  let saved: { kind?: unknown; version?: unknown; reports?: unknown };
  try {
    saved = JSON.parse(text);
  } catch {
    throw wrong();
  }
  if (saved?.kind !== KIND || saved.version !== VERSION || !Array.isArray(saved.reports)) throw wrong();
  const reports = saved.reports as BenchReport[];
  const usable = (r: BenchReport) =>
    Array.isArray(r?.blockMediansMs) && r.blockMediansMs.length > 0 && r.blockMediansMs.every((ms) => ms > 0);
  if (!reports.every(usable)) throw wrong();
  return reports;
}

/** How `now` compares with the same case of earlier runs; null if they have none. */
export function compareRuns(now: BenchReport, earlier: readonly BenchReport[]): Comparison | null {
  const before = earlier.find((report) => caseName(report) === caseName(now));
  if (before === undefined) return null;
  const ratio = ratioOfMedians(now.blockMediansMs, before.blockMediansMs);
  const verdict = ratio.high < 1 - INDIFFERENT ? 'faster' : ratio.low > 1 + INDIFFERENT ? 'slower' : null;
  const caveats: string[] = [];
  if (before.machine?.cpu !== now.machine.cpu) {
    caveats.push(`other CPUs: ${before.machine?.cpu ?? 'unknown'}, now ${now.machine.cpu}`);
  }
  if (before.machine?.node !== now.machine.node) {
    caveats.push(`other Node: ${before.machine?.node ?? 'unknown'}, now ${now.machine.node}`);
  }
  if (before.warnings?.length) caveats.push('the machine was noisy before');
  if (now.warnings.length) caveats.push('the machine is noisy now');
  return { case: caseName(now), ...ratio, verdict: verdict ?? 'no difference shown', caveats };
}
