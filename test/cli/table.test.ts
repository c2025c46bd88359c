import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { PbfReader } from 'pbf';
import { beforeAll, describe, expect, it } from 'vitest';
import { encodeOnnx } from '../../lib/tools/onnx/graph.js';
import { repositoryRoot } from '../support/shared.js';

interface TableRow {
  readonly system: string;
  readonly parameters: number;
  readonly madds: number;
  readonly latencyMs: number | null;
  readonly publishedTop1: number;
  readonly noted: { readonly parameters: number; readonly madds: number };
}

async function script<T>(name: string): Promise<T> {
  return import(join(repositoryRoot, 'scripts', 'table', name)) as Promise<T>;
}

function table(...args: string[]): Promise<{ status: number | null; stdout: string; stderr: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [
      join(repositoryRoot, 'scripts', 'table', 'index.mjs'),
      '--no-build',
      ...args,
    ]);
    const result = { stdout: '', stderr: '' };
    child.stdout.setEncoding('utf8').on('data', (text) => (result.stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text) => (result.stderr += text));
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, ...result }));
  });
}

describe('npm run table', () => {
  let rows: TableRow[];
  beforeAll(async () => {
    const { status, stdout } = await table('--json', '--no-install', '--seconds', '0.2');
    expect(status).toBe(0);
    rows = JSON.parse(stdout);
  }, 120_000);

  it('has the six networks with their published top-1', () => {
    expect(rows.map(({ system, publishedTop1 }) => [system, publishedTop1])).toEqual([
      ['MobileNetV1', 70.6],
      ['ShuffleNet (1.5)', 71.5],
      ['ShuffleNet (x2)', 73.7],
      ['NASNet-A', 74],
      ['MobileNetV2', 72],
      ['MobileNetV2 (1.4)', 74.7],
    ]);
  });

  it('counts parameters and multiply-adds within 2 % of the noted figures, or as the real network has them', () => {
    const real: Record<string, number> = { MobileNetV2: 3.5e6, 'MobileNetV2 (1.4)': 6.1e6 };
    for (const { system, parameters, madds, noted } of rows) {
      expect(Math.abs(parameters / (real[system] ?? noted.parameters) - 1), `${system} parameters`).toBeLessThan(0.02);
      expect(Math.abs(madds / noted.madds - 1), `${system} multiply-adds`).toBeLessThan(0.02);
    }
  });

  it('times the MobileNets on this engine', () => {
    for (const { system, latencyMs } of rows) {
      if (system.startsWith('MobileNet')) expect(latencyMs).toBeGreaterThan(0);
    }
  });

  it('times ShuffleNet and NASNet-A on ONNX Runtime', async ({ skip }) => {
    const { findOnnxRuntime } = await script<{ findOnnxRuntime(o: object): unknown }>('latency.mjs');
    if (findOnnxRuntime({ install: false }) === null) skip('onnxruntime-node is not here; npm run table installs it');
    for (const { latencyMs } of rows) expect(latencyMs).toBeGreaterThan(0);
  });

  it('for people: both counts where they differ, and notes, within 80 columns', async () => {
    const { status, stdout } = await table('--no-latency');
    expect(status).toBe(0);
    expect(stdout).toContain('3.5M (3.4M)');
    expect(stdout).toContain('6.1M (6.9M)');
    expect(stdout).toContain('quoted, never measured');
    expect(stdout.split('\n').filter((line) => line.length > 80)).toEqual([]);
    expect((await table('--no-latency', '--markdown')).stdout).toContain('| MobileNetV2 | 72.0 | 3.5M (3.4M) |');
  });

  it('refuses wrong options', async () => {
    expect(await table('--json', '--markdown')).toMatchObject({ status: 1, stdout: '' });
    expect(await table('--seconds', 'x')).toMatchObject({ status: 1, stdout: '' });
  });
});

describe('ONNX bytes', () => {
  it('can be read back: nodes, attributes, tensors, input and output', async () => {
    const bytes = await encodeOnnx({
      name: 'g',
      nodes: [{ op: 'Conv', inputs: ['input', 'w'], outputs: ['y'], attributes: { group: 2, pads: [1, 0, 1, 300] } }],
      initializers: [{ name: 'w', dims: [2, 1], data: Float32Array.of(1.5, -2) }],
      input: { name: 'input', type: 'float32', dims: [1, 2] },
      output: { name: 'y', type: 'uint8', dims: [1, 2] },
    });
    expect(readOnnx(bytes)).toEqual({
      graph: 'g',
      nodes: [{ op: 'Conv', inputs: ['input', 'w'], outputs: ['y'], attributes: { group: 2, pads: [1, 0, 1, 300] } }],
      initializers: [{ name: 'w', dims: [2, 1], type: 1, values: [1.5, -2] }],
      values: ['input', 'y'],
    });
  });
});

/** What the fields of onnx.proto hold, by their numbers. */
function readOnnx(bytes: Uint8Array) {
  const result = { graph: '', nodes: [] as object[], initializers: [] as object[], values: [] as string[] };
  const attribute = (pbf: PbfReader) => {
    const found = { name: '', value: [] as number[], type: 0 };
    pbf.readMessage((tag) => {
      if (tag === 1) found.name = pbf.readString();
      else if (tag === 3 || tag === 8) found.value.push(pbf.readVarint(true));
      else if (tag === 20) found.type = pbf.readVarint();
    }, found);
    return [found.name, found.type === 2 ? found.value[0] : found.value];
  };
  const node = (pbf: PbfReader) => {
    const found = { op: '', inputs: [] as string[], outputs: [] as string[], attributes: [] as unknown[][] };
    pbf.readMessage((tag) => {
      if (tag === 1) found.inputs.push(pbf.readString());
      else if (tag === 2) found.outputs.push(pbf.readString());
      else if (tag === 4) found.op = pbf.readString();
      else if (tag === 5) found.attributes.push(attribute(pbf));
    }, found);
    return { ...found, attributes: Object.fromEntries(found.attributes) };
  };
  const tensor = (pbf: PbfReader) => {
    const found = { name: '', dims: [] as number[], type: 0, values: [] as number[] };
    pbf.readMessage((tag) => {
      if (tag === 1) found.dims.push(pbf.readVarint());
      else if (tag === 2) found.type = pbf.readVarint();
      else if (tag === 8) found.name = pbf.readString();
      else if (tag === 9) found.values = [...new Float32Array(pbf.readBytes().slice().buffer)];
    }, found);
    return found;
  };
  const graph = (pbf: PbfReader) =>
    pbf.readMessage((tag) => {
      if (tag === 1) result.nodes.push(node(pbf));
      else if (tag === 2) result.graph = pbf.readString();
      else if (tag === 5) result.initializers.push(tensor(pbf));
      else if (tag === 11 || tag === 12) {
        pbf.readMessage((field) => void (field === 1 && result.values.push(pbf.readString())), result);
      }
    }, result);
  const pbf = new PbfReader(bytes);
  pbf.readFields((tag) => void (tag === 7 && graph(pbf)), result);
  return result;
}
