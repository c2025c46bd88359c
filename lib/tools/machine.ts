/** The machine a measurement was made on, and whether it was quiet. */
import { readFileSync } from 'node:fs';
import { arch, availableParallelism, cpus, loadavg, platform, totalmem } from 'node:os';
import { type Isa, native } from '../native.js';
import { defaultThreads } from '../threads.js';

export interface Machine {
  /** The CPU's name, as the system tells it. */
  readonly cpu: string;
  /** CPUs of the machine. */
  readonly cpus: number;
  /** CPUs this process may use: affinity and the container's quota taken into account. */
  readonly usableCpus: number;
  /** Instruction sets there are kernels for and this CPU has. */
  readonly features: readonly Isa[];
  /** Frequency governor of CPU 0 (Linux), if the system tells. */
  readonly governor: string | null;
  /** Runnable processes over the last minute, before the measurement. */
  readonly load: number;
  /** Memory limit of the container, or the machine's memory. */
  readonly memoryBytes: number;
  readonly platform: string;
  readonly node: string;
}

function read(path: string): string | null {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return null;
  }
}

export function describeMachine(): Machine {
  const limits = ['/sys/fs/cgroup/memory.max', '/sys/fs/cgroup/memory/memory.limit_in_bytes'].map((path) =>
    Number(read(path) ?? Number.NaN),
  );
  return {
    cpu: cpus()[0]?.model.trim() || 'unknown',
    cpus: Math.max(cpus().length, availableParallelism()),
    usableCpus: defaultThreads(),
    features: native().isas().available,
    governor: read('/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor'),
    load: loadavg()[0] ?? 0,
    memoryBytes: Math.min(totalmem(), ...limits.filter((limit) => limit > 0)), // "max" is not a number: no limit
    platform: `${platform()}-${arch()}`,
    node: process.version,
  };
}

/** Time that CPUs spent, in ticks since the machine started; null where the system does not tell. */
interface CpuTicks {
  readonly all: number;
  /** Spent by the hypervisor on others. */
  readonly stolen: number;
  readonly idle: number;
}

/** @internal */
export function parseCpuTicks(stat: string | null): CpuTicks | null {
  const fields = /^cpu +(.*)$/m
    .exec(stat ?? '')?.[1]
    ?.split(' ')
    .map(Number);
  if (fields === undefined || fields.length < 8) return null;
  const [, , , idle = 0, waiting = 0, , , stolen = 0] = fields;
  return { all: fields.slice(0, 8).reduce((sum, ticks) => sum + ticks, 0), stolen, idle: idle + waiting };
}

/** Watches for other work on the machine while something is measured. */
export class NoiseWatch {
  readonly #ticks = parseCpuTicks(read('/proc/stat'));
  readonly #own = process.cpuUsage();
  readonly #started = performance.now();

  /** Why the figures may be off, one sentence each; empty on a quiet machine. */
  warnings(machine: Machine, latency: { readonly p50: number; readonly p90: number }): string[] {
    const warnings: string[] = [];
    const own = process.cpuUsage(this.#own);
    const ownCpus = (own.user + own.system) / 1000 / (performance.now() - this.#started);
    const now = parseCpuTicks(read('/proc/stat'));
    if (now && this.#ticks && now.all > this.#ticks.all) {
      const all = now.all - this.#ticks.all;
      const stolen = (now.stolen - this.#ticks.stolen) / all;
      const busy = (1 - (now.idle - this.#ticks.idle) / all) * machine.cpus;
      if (stolen > 0.02) warnings.push(`the hypervisor gave ${percent(stolen)} of the CPU time to others`);
      const others = busy - ownCpus;
      if (others > 0.25) warnings.push(`other processes kept ${others.toFixed(1)} of ${machine.cpus} CPUs busy`);
    } else if (machine.load > 0.5) {
      warnings.push(`the load was ${machine.load.toFixed(1)} before the measurement`);
    }
    if (machine.governor !== null && !['performance', 'schedutil'].includes(machine.governor)) {
      warnings.push(`the frequency governor is "${machine.governor}"`);
    }
    const spread = latency.p90 / latency.p50;
    if (spread > 1.15) warnings.push(`one run in ten took ${spread.toFixed(2)} times the median or longer`);
    return warnings;
  }
}

function percent(share: number): string {
  return `${(share * 100).toFixed(0)} %`;
}
