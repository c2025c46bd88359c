/** What this package found on this machine, and whether it computes right there. */
import { accessSync, constants, readFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { dirname, join, sep } from 'node:path';
import { cacheDirectory } from '../download.js';
import { MobileNetError } from '../errors.js';
import { addonPath, type Isa, isaCeiling, libc, native } from '../native.js';
import { packageRoot } from '../place.js';
import { cgroupQuota, defaultThreads } from '../threads.js';
import { describeMachine } from './machine.js';
import { type SelfTestOutcome, selfTest } from './self-test.js';

export interface Diagnosis {
  readonly package: { readonly version: string; readonly folder: string };
  readonly platform: {
    readonly os: NodeJS.Platform;
    readonly arch: string;
    /** Null where a platform has only one. */
    readonly libc: string | null;
    readonly node: string;
    readonly electron: string | null;
  };
  /** Null when it cannot be loaded; then `problems` says why, and what needs it is null too. */
  readonly addon: {
    readonly path: string;
    readonly origin: 'prebuilt' | 'built here';
    readonly kernels: number;
  } | null;
  readonly cpu: {
    readonly model: string;
    /** Instruction sets there are kernels for and this CPU has, weakest first. */
    readonly features: readonly Isa[];
    /** The strongest that is used, and whether MOBILENETV2_ISA put it there. */
    readonly chosen: Isa;
    readonly forced: boolean;
  } | null;
  readonly threads: {
    /** What a model takes unless told otherwise. */
    readonly default: number;
    readonly cpus: number;
    /** CPUs this process may be scheduled on. */
    readonly allowedCpus: number;
    /** CPUs' worth of time the container grants; null without a limit. */
    readonly cgroupCpus: number | null;
  };
  readonly memoryBytes: number | null;
  readonly cache: { readonly folder: string; readonly writable: boolean };
  /** sharp's version, or null without it: then only raw pixels can be classified. */
  readonly decoder: string | null;
  readonly selfTest: readonly SelfTestOutcome[];
  /** What does not work, one sentence each. */
  readonly problems: readonly string[];
}

/** Takes about a second: every instruction set is tried in a process of its own. */
export async function diagnose(): Promise<Diagnosis> {
  const folder = packageRoot;
  const problems: string[] = [];
  const attempt = <T>(look: () => T): T | null => {
    try {
      return look();
    } catch (error) {
      if (!(error instanceof MobileNetError)) throw error;
      problems.push(error.message);
      return null;
    }
  };
  const addon = attempt(() => ({ kernels: native().kernels().length, path: addonPath() }));
  const cpu =
    addon &&
    attempt(() => ({
      model: cpus()[0]?.model.trim() || 'unknown',
      features: native().isas().available,
      chosen: isaCeiling(),
      forced: Boolean(process.env.MOBILENETV2_ISA),
    }));
  const decoder = await sharpVersion();
  if (decoder === null) problems.push('sharp, which decodes image files, could not be loaded: npm install sharp');
  const cache = cacheDirectory();
  const outcomes = addon ? await selfTest() : [];
  for (const outcome of outcomes) {
    if ('crashed' in outcome) problems.push(`${outcome.isa}: the self-test ended with ${outcome.crashed}`);
    else {
      const wrong = outcome.tests.filter(({ passed }) => !passed).map(({ precision }) => precision);
      if (wrong.length > 0) problems.push(`${outcome.isa}: results differ from the reference (${wrong.join(', ')})`);
    }
  }
  return {
    package: { version: JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).version, folder },
    platform: {
      os: process.platform,
      arch: process.arch,
      libc: libc(),
      node: process.version,
      electron: process.versions.electron ?? null,
    },
    addon: addon && { ...addon, origin: addon.path.includes(`${sep}prebuilds${sep}`) ? 'prebuilt' : 'built here' },
    cpu,
    threads: {
      default: defaultThreads(),
      cpus: cpus().length,
      allowedCpus: availableParallelism(),
      cgroupCpus: cgroupQuota(),
    },
    memoryBytes: addon && describeMachine().memoryBytes,
    cache: { folder: cache, writable: isWritable(cache) },
    decoder,
    selfTest: outcomes,
    problems,
  };
}

async function sharpVersion(): Promise<string | null> {
  try {
    return (await import('sharp')).default.versions.sharp ?? null;
  } catch {
    return null;
  }
}

/** The folder, or the nearest one above it that exists. */
function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch (error) {
    const above = dirname(folder);
    return (error as NodeJS.ErrnoException).code === 'ENOENT' && above !== folder && isWritable(above);
  }
}
