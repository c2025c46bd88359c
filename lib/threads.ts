/** How many threads this process may usefully run. */
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/**
 * CPUs by affinity (cpuset, taskset), bounded by the CPU quota of the cgroup: a container with two CPUs' worth of time on
 * a machine of 64 gets two threads. At least 1.
 */
export function defaultThreads(): number {
  return Math.max(1, Math.min(availableParallelism(), Math.ceil(cgroupQuota() ?? Number.POSITIVE_INFINITY)));
}

/** CPUs' worth of time of the tightest cgroup this process is in, or null without a limit. */
export function cgroupQuota(): number | null {
  if (process.platform !== 'linux') return null;
  return quotaOf(read('/proc/self/cgroup') ?? '', read);
}

/** @internal `read` gives a file's text, or null. */
export function quotaOf(cgroups: string, read: (path: string) => string | null): number | null {
  let tightest: number | null = null;
  const tighten = (quota: number, period: number) => {
    if (quota > 0 && period > 0) tightest = Math.min(tightest ?? Number.POSITIVE_INFINITY, quota / period);
  };
  for (const line of cgroups.split('\n')) {
    const [, hierarchy, controllers, path] = /^(\d+):([^:]*):(.*)$/.exec(line) ?? [];
    if (path === undefined) continue;
    if (hierarchy === '0' && controllers === '') {
      // Version 2: every ancestor may set a limit.
      for (let folder = path; ; folder = folder.slice(0, folder.lastIndexOf('/'))) {
        const [quota, period] = (read(`/sys/fs/cgroup${folder === '/' ? '' : folder}/cpu.max`) ?? '').split(/\s+/);
        tighten(Number(quota), Number(period)); // "max" is not a number: no limit
        if (folder === '' || folder === '/') break;
      }
    } else if ((controllers ?? '').split(',').includes('cpu')) {
      for (const folder of [`/sys/fs/cgroup/cpu${path}`, '/sys/fs/cgroup/cpu']) {
        const quota = Number(read(`${folder}/cpu.cfs_quota_us`) ?? 0);
        tighten(quota, Number(read(`${folder}/cpu.cfs_period_us`) ?? 0));
      }
    }
  }
  return tightest;
}

function read(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
