import type { Command } from 'commander';
import type { Diagnosis } from '../tools/doctor.js';
import type { SelfTest } from '../tools/self-test.js';
import { EXIT_PLATFORM } from './errors.js';
import { paint, printable } from './output.js';

export function addDoctor(program: Command): void {
  program
    .command('doctor')
    .summary('say what works on this machine')
    .description(
      'Prints what the package found here, and tests every instruction set of this CPU against the scalar reference.',
    )
    .option('--json', 'one JSON object')
    .addHelpText(
      'after',
      `
Ends with 0 when everything works, with ${EXIT_PLATFORM} when something does not. Please add
its output to bug reports.

With --json the object is
  { package, platform, addon, cpu, threads, memoryBytes, cache, decoder,
    selfTest, problems }

Examples:
  $ mobilenetv2 doctor
  $ mobilenetv2 doctor --json | jq .problems`,
    )
    .action(async ({ json }: { json?: true }) => {
      const { diagnose } = await import('../tools/doctor.js');
      const diagnosis = await diagnose();
      process.stdout.write(json ? `${JSON.stringify(diagnosis)}\n` : printed(diagnosis));
      if (diagnosis.problems.length > 0) process.exitCode = EXIT_PLATFORM;
    });
}

function printed(diagnosis: Diagnosis): string {
  const { package: self, platform, addon, cpu, threads, memoryBytes, cache, decoder, selfTest, problems } = diagnosis;
  const lines: [string, string][] = [
    ['mobilenetv2', `${self.version} in ${self.folder}`],
    ['platform', [`${platform.os}-${platform.arch}`, platform.libc].filter(Boolean).join(', ')],
    ['node', platform.node + (platform.electron ? ` (Electron ${platform.electron})` : '')],
    ['addon', addon ? `${addon.path} (${addon.origin}, ${addon.kernels} kernels)` : 'cannot be loaded'],
  ];
  if (cpu) {
    lines.push(
      ['cpu', cpu.model],
      ['instructions', cpu.features.join(' ')],
      ['kernels used', `${cpu.chosen} and below${cpu.forced ? ', by MOBILENETV2_ISA' : ''}`],
    );
  }
  const quota = threads.cgroupCpus === null ? 'no container limit' : `container limit ${threads.cgroupCpus} CPUs`;
  lines.push(['threads', `${threads.default} (${threads.allowedCpus} of ${threads.cpus} CPUs allowed, ${quota})`]);
  if (memoryBytes !== null) lines.push(['memory', `${(memoryBytes / 2 ** 30).toFixed(1)} GiB`]);
  lines.push(
    ['model cache', cache.folder + (cache.writable ? '' : ' (cannot be written)')],
    ['image decoder', decoder ? `sharp ${decoder}` : 'missing'],
  );
  for (const outcome of selfTest) {
    const result =
      'crashed' in outcome
        ? `ended with ${outcome.crashed}`
        : outcome.tests.map((test) => `${test.precision} ${verdict(test)}`).join(', ');
    lines.push([`test ${outcome.isa}`, result]);
  }
  const width = Math.max(...lines.map(([name]) => name.length)) + 2;
  const table = lines.map(([name, value]) => `${name.padEnd(width)}${printable(value)}\n`).join('');
  if (problems.length === 0) return `${table}\n${paint(process.stdout, 'green', 'Everything works.')}\n`;
  return `${table}\n${problems.map((text) => `${paint(process.stdout, 'red', 'problem:')} ${printable(text)}\n`).join('')}`;
}

function verdict({ passed, difference, layers }: SelfTest): string {
  if (!passed) return `WRONG (off by ${difference.toExponential(1)})`;
  const how = difference === 0 ? 'equal' : `within ${difference.toExponential(1)}`;
  return `${how} (${layers > 0 ? `${layers} layers` : 'no kernels of its own'})`;
}
