/** The options of `bench`, checked and turned into cases. */
import { InvalidArgumentError } from 'commander';
import { MobileNetError } from '../index.js';
import type { BenchRequest } from '../tools/bench.js';

export interface BenchOptions {
  readonly model?: string;
  readonly arch?: string;
  readonly precision?: readonly string[];
  readonly batch: readonly number[];
  readonly threads?: readonly number[];
  readonly isa?: readonly string[];
  readonly warmup: number;
  readonly runs?: number;
  readonly duration?: number;
  readonly untilStable?: number;
  readonly mode: 'latency' | 'throughput';
  readonly concurrency?: number;
  readonly cold: number;
  readonly profile?: true;
  readonly peers?: true;
  readonly save?: string;
  readonly against?: string;
  readonly report?: string;
  readonly json?: true;
  readonly csv?: true;
  readonly markdown?: true;
  readonly raw?: true;
}

/** One combination of a sweep. */
export interface BenchCase extends BenchRequest {
  readonly isa: string | null;
}

const DEFAULT_SECONDS = 2;
/** What --until-stable waits for at most, unless --duration says. */
const STABLE_SECONDS = 60;

/** Parser of options that take one whole number or several, separated by commas. */
export function positiveIntegers(text: string): number[] {
  const values = text.split(',').map(Number);
  if (!values.every((value) => Number.isSafeInteger(value) && value >= 1)) {
    throw new InvalidArgumentError('It must be a whole number above 0, or several separated by commas.');
  }
  return values;
}

export function words(text: string): string[] {
  return text.split(',');
}

export function naturalNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isSafeInteger(value) || value < 0) {
    throw new InvalidArgumentError('It must be a whole number, 0 or above.');
  }
  return value;
}

/** Parser of --until-stable, whose value may be left out. */
export function stablePercent(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= 50)) throw new InvalidArgumentError('It must be a percentage above 0, at most 50.');
  return value;
}

export function benchMode(text: string): 'latency' | 'throughput' {
  if (text === 'latency' || text === 'throughput') return text;
  throw new InvalidArgumentError('It must be latency or throughput.');
}

/** @throws MobileNetError INVALID_ARGUMENT for options that do not go together. */
export function benchCases(options: BenchOptions): BenchCase[] {
  const { model, arch, duration } = options;
  if ((model === undefined) === (arch === undefined)) {
    throw new MobileNetError('INVALID_ARGUMENT', 'bench: give either --model or --arch');
  }
  if (duration !== undefined && !(duration > 0 && duration <= 3600)) {
    throw new MobileNetError('INVALID_ARGUMENT', `--duration: expected seconds above 0, at most 3600, got ${duration}`);
  }
  for (const precision of options.precision ?? []) {
    if (precision !== 'fp32' && precision !== 'int8') {
      throw new MobileNetError('INVALID_ARGUMENT', `--precision: expected fp32 or int8, got ${precision}`);
    }
  }
  if ([options.json, options.csv, options.markdown].filter(Boolean).length > 1) {
    throw new MobileNetError('INVALID_ARGUMENT', 'bench: give one of --json, --csv and --markdown');
  }
  const axis = <T>(values: readonly T[] | undefined): readonly (T | undefined)[] => values ?? [undefined];
  const { runs, untilStable } = options;
  const defaultSeconds = untilStable === undefined ? DEFAULT_SECONDS : STABLE_SECONDS;
  const seconds = duration ?? (runs !== undefined && untilStable === undefined ? null : defaultSeconds);
  const cases: BenchCase[] = [];
  const profiled = new Set<string>();
  const profiles = (key: string) => {
    // A report places every operator on the roofline, once per kernel set.
    const first = options.report !== undefined && !profiled.has(key);
    profiled.add(key);
    return options.profile === true || first;
  };
  for (const isa of axis(options.isa)) {
    for (const precision of axis(options.precision)) {
      for (const threads of axis(options.threads)) {
        for (const batch of options.batch) {
          cases.push({
            ...{ model, arch, threads, batch, isa: isa ?? null, precision: precision as 'fp32' | 'int8' | undefined },
            ...{ warmup: options.warmup, runs: runs ?? null, seconds, stablePercent: untilStable ?? null },
            concurrency: options.concurrency ?? (options.mode === 'throughput' ? null : 1),
            ...{ cold: options.cold, profile: profiles(`${isa} ${precision}`), peers: options.peers === true },
          });
        }
      }
    }
  }
  return cases;
}

/** The command line of one case, for a process of its own. */
export function argumentsOf(c: BenchCase): string[] {
  const args: string[] = ['bench', '--json', '--raw', '--batch', String(c.batch), '--warmup', String(c.warmup)];
  const option = (name: string, value: string | number | null | undefined) => {
    if (value !== null && value !== undefined) args.push(name, String(value));
  };
  option('--model', c.model);
  option('--arch', c.arch);
  option('--precision', c.precision);
  option('--threads', c.threads);
  option('--isa', c.isa);
  option('--runs', c.runs);
  option('--duration', c.seconds);
  if (c.stablePercent !== null) args.push(`--until-stable=${c.stablePercent}`);
  if (c.concurrency === null) args.push('--mode', 'throughput');
  option('--concurrency', c.concurrency);
  if (c.cold > 0) option('--cold', c.cold);
  if (c.profile) args.push('--profile');
  if (c.peers) args.push('--peers');
  return args;
}
