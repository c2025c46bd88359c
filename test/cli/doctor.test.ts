import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { native } from '../../lib/native.js';
import type { Diagnosis } from '../../lib/tools/doctor.js';
import { runCli } from './run-cli.js';

const { available } = native().isas();

describe('mobilenetv2 doctor', () => {
  it('tests every instruction set and says that all is well', async () => {
    const { status, stdout, stderr } = await runCli(['doctor']);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    for (const isa of available) expect(stdout).toMatch(new RegExp(`^test ${isa} +uint8 equal \\(`, 'm'));
    expect(stdout).toContain(`${process.platform}-${process.arch}`);
    expect(stdout).toMatch(/\nEverything works\.\n$/);
  });

  it('gives the same as JSON', async () => {
    const { status, stdout } = await runCli(['doctor', '--json'], { MOBILENETV2_ISA: 'scalar' });
    const report = JSON.parse(stdout) as Diagnosis;
    expect({ status, problems: report.problems }).toEqual({ status: 0, problems: [] });
    expect(report.cpu).toMatchObject({ features: available, chosen: 'scalar', forced: true });
    expect(report.addon?.path).toMatch(/\.node$/);
    expect(report.threads.default).toBeLessThanOrEqual(report.threads.allowedCpus);
    expect(report.selfTest.map(({ isa }) => isa)).toEqual(available);
    for (const outcome of report.selfTest) {
      if ('crashed' in outcome) throw new Error(outcome.crashed);
      expect(outcome.tests.map(({ precision }) => precision)).toEqual(['uint8', 'int8', 'float32']);
    }
    const scalar = report.selfTest[0];
    expect(scalar && 'tests' in scalar && scalar.tests.every(({ layers }) => layers > 20)).toBe(true);
  });

  it('names an instruction set this CPU lacks', async () => {
    const { status, stdout } = await runCli(['doctor'], { MOBILENETV2_ISA: 'sse17' });
    expect(status).toBe(6);
    expect(stdout).toMatch(/problem: MOBILENETV2_ISA is "sse17"; this CPU offers scalar/);
    expect(stdout).not.toContain('Everything works');
  });

  it('without the addon still says where it looked, for what, and what to do', async () => {
    const empty = mkdtempSync(join(tmpdir(), 'mobilenetv2-no-addon-'));
    try {
      const { status, stdout } = await runCli(['doctor'], { PREBUILDS_ONLY: '1', MOBILENETV2_PREBUILD: empty });
      expect(status).toBe(6);
      expect(stdout).toMatch(/^addon +cannot be loaded$/m);
      const problem = stdout.match(/problem: (no native addon .*)/)?.[1];
      expect(problem).toContain(`${process.platform}-${process.arch}`);
      expect(problem).toContain(`Node ${process.version}`);
      if (process.platform === 'linux') expect(problem).toMatch(/, (glibc [\d.]+|musl), /);
      expect(problem).toContain('prebuilds');
      expect(problem).toContain('npm run build');
    } finally {
      rmSync(empty, { recursive: true });
    }
  });
});
