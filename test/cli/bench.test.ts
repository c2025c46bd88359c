import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BenchReport } from '../../lib/tools/bench.js';
import { hasShared, shared } from '../support/shared.js';
import { runCli } from './run-cli.js';

const SMALL = ['--arch', 'mobilenet_v2:0.35:96', '--threads', '1'];
const QUICK = ['--runs', '5', '--warmup', '0'];

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'mobilenetv2-bench-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

async function bench(...args: string[]) {
  return runCli(['bench', ...args]);
}

/** The objects that `--json` prints, one per line. */
async function reports(...args: string[]): Promise<BenchReport[]> {
  const { status, stdout, stderr } = await bench(...args, '--json');
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' }); // no progress bar in a pipe
  const lines = stdout.trimEnd().split('\n');
  return lines.map((line) => JSON.parse(line));
}

function expectToFit80Columns(text: string): void {
  expect(text.split('\n').filter((line) => line.length > 80)).toEqual([]);
}

describe('mobilenetv2 bench', () => {
  it('one case is one JSON object with the documented fields', async () => {
    const [report, ...more] = await reports(...SMALL, '--precision', 'int8', '--batch', '2', '--duration', '0.1');
    expect(more).toEqual([]);
    const positive = expect.toSatisfy((value: number) => value > 0);
    expect(report).toEqual({
      source: expect.stringContaining('mobilenet_v2'),
      precision: 'int8',
      batch: 2,
      threads: 1,
      isa: expect.any(String),
      concurrency: 1,
      latencyMs: { min: positive, p50: positive, p90: positive, p99: positive, mean: positive },
      runs: positive,
      warmup: 3,
      stoppedBy: 'duration',
      throughput: positive,
      arenaBytes: positive,
      peakRssBytes: positive,
      loadMs: positive,
      firstInferenceMs: positive,
      blockMediansMs: expect.any(Array),
      machine: expect.objectContaining({ cpus: positive, usableCpus: positive, node: process.version }),
      warnings: expect.any(Array),
    });
    const { min, p50, p90, p99 } = (report as BenchReport).latencyMs;
    expect([min, p50, p90, p99]).toEqual([min, p50, p90, p99].sort((a, b) => a - b));
    expect(report?.machine.features).toContain(report?.isa);
  });

  it('a sweep is every combination, one object per line, each on the instruction set asked for', async () => {
    const sweep = [...SMALL.slice(0, 2), '--threads', '1,2', '--batch', '1,3', '--isa', 'scalar', ...QUICK];
    const found = await reports(...sweep);
    expect(found.map(({ threads, batch, isa }) => [threads, batch, isa])).toEqual([
      [1, 1, 'scalar'],
      [1, 3, 'scalar'],
      [2, 1, 'scalar'],
      [2, 3, 'scalar'],
    ]);
  });

  it('a sweep over precisions and its table for people', async () => {
    const { status, stdout, stderr } = await bench(...SMALL, '--precision', 'fp32,int8', ...QUICK);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(/^\S+ +float32 +1 +1 /m);
    expect(stdout).toMatch(/^\S+ +int8 +1 +1 /m);
    expectToFit80Columns(stdout);
  });

  it('stops after --runs, and counts no warm-up', async () => {
    const [report] = await reports(...SMALL, '--runs', '7', '--warmup', '2');
    expect(report).toMatchObject({ runs: 7, warmup: 2, stoppedBy: 'runs' });
    expect(report?.blockMediansMs).toHaveLength(7);
  });

  it('stops when stable, or at the limit of time', async () => {
    const [loose] = await reports(...SMALL, '--until-stable=50', '--duration', '20');
    expect(loose?.stoppedBy).toBe('stable');
    const [strict] = await reports(...SMALL, '--until-stable=0.0001', '--duration', '0.3');
    expect(strict?.stoppedBy).toBe('duration');
  });

  it('throughput mode keeps several calls under way', async () => {
    const [report] = await reports(...SMALL, '--mode', 'throughput', '--runs', '20');
    expect(report).toMatchObject({ concurrency: 2, runs: 20 });
    const [four] = await reports(...SMALL, '--concurrency', '4', '--runs', '20');
    expect(four).toMatchObject({ concurrency: 4, runs: 20 });
  });

  it('times the cold start in fresh processes', async () => {
    const [report] = await reports(...SMALL, ...QUICK, '--cold', '2');
    const cold = report?.cold;
    expect(cold?.processes).toBe(2);
    expect(cold?.startToFirstOutputMs.min).toBeGreaterThan(cold?.firstInferenceMs as number);
    expect(cold?.bareNodeMs).toBeGreaterThan(0);
  });

  it('profiles every operator against the measured peak', async () => {
    const [report] = await reports(...SMALL, ...QUICK, '--profile');
    const profile = report?.profile;
    expect(profile?.ops.map(({ what }) => what)).toContain('3x3x112 conv 1x1 -> 1280');
    expect(profile?.macs).toBe(profile?.ops.reduce((sum, { macs }) => sum + macs, 0));
    const inspected = JSON.parse((await runCli(['inspect', ...SMALL.slice(0, 2), '--json'])).stdout);
    expect(profile?.macs).toBe(inspected.network.macs);
    for (const op of profile?.ops ?? []) {
      expect(op.ms).toBeGreaterThan(0);
      expect(op.gmacPerSecond).toBeCloseTo(op.macs / op.ms / 1e6, 6);
      if (profile?.peakGmacPerSecond) {
        expect(op.shareOfPeak).toBeCloseTo(op.gmacPerSecond / profile.peakGmacPerSecond, 6);
        expect(op.shareOfPeak).toBeLessThan(1.2); // above the peak would mean that the peak is none
      }
    }
  });

  it('times peers that are installed on the same weights, and names what is missing', async () => {
    const [report] = await reports(...SMALL, ...QUICK, '--duration', '0.1', '--peers');
    const peers = new Map(report?.peers?.map((peer) => [peer.name, peer]));
    expect([...peers.keys()].sort()).toEqual(['onnxruntime-node', 'tfjs']);
    for (const peer of peers.values()) {
      if ('missing' in peer) expect(peer.missing).toContain('npm install');
      else {
        // The same network: probabilities agree to the last digits of float32.
        expect(peer.largestDifference).toBeLessThan(1e-4);
        expect(peer.ratio.low).toBeLessThanOrEqual(peer.ratio.ratio);
        expect(peer.runs).toBeGreaterThan(0);
      }
    }
    expect(peers.get('tfjs')).toHaveProperty('latencyMs'); // a dependency of these tests
  });

  it('has no share of peak where no peak is known, and says so', async () => {
    const { status, stdout } = await bench(...SMALL, ...QUICK, '--profile', '--isa', 'scalar');
    expect(status).toBe(0);
    expect(stdout).toContain('no peak is known');
    expectToFit80Columns(stdout);
  });

  it('writes CSV and Markdown', async () => {
    const { stdout } = await bench(...SMALL, ...QUICK, '--csv');
    const [header, row, ...rest] = stdout.trimEnd().split('\n');
    expect(rest).toEqual([]);
    expect(header?.split(',').slice(0, 7)).toEqual([
      ...['source', 'precision', 'isa', 'threads', 'batch', 'concurrency', 'minMs'],
    ]);
    expect(row).toMatch(/^"?mobilenet_v2.*,float32,/);
    const markdown = (await bench(...SMALL, ...QUICK, '--profile', '--markdown')).stdout;
    const tables = markdown.split('\n').filter((line) => line.startsWith('| '));
    expect(new Set(tables.map((line) => line.split('|').length)).size).toBe(2); // cases, operators
  });

  it('profiles as CSV: a line per operator', async () => {
    const { stdout } = await bench(...SMALL, ...QUICK, '--profile', '--csv');
    const lines = stdout.trimEnd().split('\n');
    expect(lines[0]).toContain('op,what,kernel,ms,macs');
    expect(lines.length).toBeGreaterThan(20);
  });

  it('keeps a run and compares with it', async () => {
    const file = join(directory, 'before.json');
    expect((await bench(...SMALL, '--runs', '40', '--save', file)).status).toBe(0);
    const saved = JSON.parse(readFileSync(file, 'utf8'));
    saved.reports[0].blockMediansMs = saved.reports[0].blockMediansMs.map((ms: number) => ms * 1000);
    writeFileSync(file, JSON.stringify(saved));
    const [report] = await reports(...SMALL, '--runs', '40', '--against', file);
    expect(report).toMatchObject({ comparison: { verdict: 'faster' } });
    const { stdout } = await bench(...SMALL, '--runs', '40', '--against', file);
    expect(stdout).toMatch(/against the saved run: faster\n {2}median -99\.\d %; 95 % confidence/);

    expect(await bench(...SMALL, ...QUICK, '--batch', '2', '--against', file)).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('no case of it was measured now'),
    });
    writeFileSync(file, '{}');
    expect(await bench(...SMALL, ...QUICK, '--against', file)).toMatchObject({
      ...{ status: 2, stdout: '', stderr: expect.stringContaining('expected a file that --save wrote') },
    });
    expect(await bench(...SMALL, '--against', join(directory, 'none.json'))).toMatchObject({ status: 3, stdout: '' });
  });

  it.each([
    [['--duration', '1'], 2, 'give either --model or --arch'],
    [[...SMALL, '--model', 'x.tflite'], 2, 'give either --model or --arch'],
    [[...SMALL, '--threads', '1,x'], 2, '[USAGE]'],
    [[...SMALL, '--mode', 'fast'], 2, '[USAGE]'],
    [[...SMALL, '--until-stable=0'], 2, '[USAGE]'],
    [[...SMALL, '--duration', '0'], 2, '--duration: expected seconds above 0'],
    [[...SMALL, '--precision', 'int4'], 2, 'expected fp32 or int8, got int4'],
    [[...SMALL, '--json', '--csv'], 2, 'one of --json, --csv and --markdown'],
    [[...SMALL, '--isa', 'mmx'], 6, '[ISA_UNAVAILABLE]'],
    [[...SMALL, '--isa', 'mmx,scalar'], 6, '[ISA_UNAVAILABLE]'],
    [['--arch', 'resnet:1:224'], 2, '[INVALID_ARGUMENT]'],
    [['--model', 'nowhere.tflite'], 3, '[FILE_NOT_FOUND]'],
    [['--model', 'nsfwjs', '--precision', 'int8'], 2, 'is a float model'],
  ])('%j: exit code %i, one line on stderr', async (args, status, message) => {
    const result = await bench(...args);
    expect(result).toMatchObject({ status, stdout: '', stderr: expect.stringContaining(message) });
    expect(result.stderr.trimEnd().split('\n')).toHaveLength(1);
  });

  it.skipIf(!hasShared)('measures model files, quantised and dequantised', async () => {
    const model = shared('models', 'imagenet', 'mobilenet_v2_1.0_224_quant.tflite');
    const [own] = await reports('--model', model, '--threads', '1', ...QUICK);
    expect(own).toMatchObject({ precision: 'uint8', source: model });
    const [float] = await reports('--model', model, '--precision', 'fp32', '--threads', '1', '--runs', '1');
    expect(float).toMatchObject({ precision: 'float32' });
  });
});
