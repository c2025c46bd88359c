/** Loading: sources, options and what is told about a model. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MobileNetV2 } from '../../lib/index.js';
import { native, resolveIsa } from '../../lib/native.js';
import { tinyTflite } from '../formats/tflite-writer.js';
import { repositoryRoot } from '../support/shared.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'mobilenetv2-load-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const image = {
  data: new Uint8Array(40 * 30 * 3).map((_, i) => (i * 37) % 256),
  width: 40,
  height: 30,
  channels: 3,
} as const;

describe('MobileNetV2.load', () => {
  it.each(['float32', 'uint8', 'int8'] as const)('takes the path and the bytes of a %s TFLite file', async (kind) => {
    const bytes = tinyTflite({ kind });
    const file = join(folder, `${kind}.tflite`);
    writeFileSync(file, bytes);
    const models = await Promise.all([
      MobileNetV2.load(file),
      MobileNetV2.load(bytes),
      MobileNetV2.load(bytes.slice().buffer),
    ]);
    const results = await Promise.all(models.map((model) => model.classify(image, { topK: 2 })));
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
    expect(results[0]).toHaveLength(2);
    expect(results[0]?.[0]).toEqual({ index: expect.any(Number), label: null, probability: expect.any(Number) });
    expect(models[0].info).toMatchObject({ source: file, format: 'tflite', precision: kind, hasLabels: false });
    await Promise.all(models.map((model) => model.close()));
  });

  it('tells blocks, parameters, operations, instruction set and arena', async () => {
    const model = await MobileNetV2.load(tinyTflite({ kind: 'float32' }), { threads: 2, labels: undefined as never });
    const { info } = model;
    expect(info.blocks.length).toBeGreaterThan(0);
    expect(info.blocks[0]).toMatchObject({
      t: expect.any(Number),
      stride: expect.any(Number),
      residual: expect.any(Boolean),
    });
    expect(info.parameters).toBeGreaterThan(0);
    expect(info.macs).toBeGreaterThan(info.blocks.reduce((sum, { macs }) => sum + macs, 0));
    expect(native().isas().available).toContain(info.isa);
    expect(info.threads).toBe(2);
    expect(info.arena.highWaterBytes).toBe(0);
    await model.classify(image);
    expect(model.info.arena.highWaterBytes).toBeGreaterThanOrEqual(info.arena.bytes);
    await model.close();
  });

  it.each([
    [{ threads: 0 }, /threads: expected an integer in 1 \.\.\. \d+, got 0/],
    [{ threads: 1.5 }, /threads.*1\.5/],
    [{ preprocess: 'tensorflow' }, /preprocess: expected one of 'tf'.*got "tensorflow"/],
    [{ precision: 'int8' }, /precision: expected 'float32', got "int8"/],
    [{ labels: [] }, /holds no labels/],
    [{ thread: 2 }, /"thread"; known: labels/],
    [null, /options: expected an object, got null/],
  ])('refuses the options %j', async (options, message) => {
    await expect(MobileNetV2.load(tinyTflite(), options as never)).rejects.toThrow(message);
  });

  it.each([
    ['no/such/file.tflite', 'FILE_NOT_FOUND'],
    [new Uint8Array(0), 'MODEL_FORMAT_UNKNOWN'],
    [new TextEncoder().encode('<!DOCTYPE html>'), 'MODEL_FORMAT_UNKNOWN'],
    [tinyTflite({ kind: 'dynamic' }), 'MODEL_UNSUPPORTED'],
    [tinyTflite().subarray(0, 300), 'MODEL_CORRUPT'],
    [42, 'INVALID_ARGUMENT'],
  ])('gives a typed error for a bad source, %#', async (source, code) => {
    await expect(MobileNetV2.load(source as never)).rejects.toMatchObject({ name: 'MobileNetError', code });
  });

  it('refuses weights that are not numbers', async () => {
    const damaged = tinyTflite({
      kind: 'float32',
      edit: (writer) => {
        const weights = writer.tensors.find(
          ({ data, type, shape }) => data && type === 'FLOAT32' && shape.length === 4,
        );
        weights?.data?.set(new Uint8Array(new Float32Array([Number.NaN]).buffer));
      },
    });
    await expect(MobileNetV2.load(damaged)).rejects.toMatchObject({ code: 'MODEL_CORRUPT' });
  });
});

describe('infer', () => {
  it.each(['float32', 'uint8', 'int8'] as const)('takes batches in the type of a %s model, and float', async (kind) => {
    const model = await MobileNetV2.load(tinyTflite({ kind }), { threads: 2 });
    const { height, width } = model.info.input;
    const values = height * width * 3;
    const own = { float32: Float32Array, uint8: Uint8Array, int8: Int8Array }[kind];
    const batch = new own(3 * values).map((_, i) => (kind === 'float32' ? ((i * 31) % 17) / 8 - 1 : (i * 31) % 127));
    const all = await model.infer(batch);
    expect(all).toHaveLength(3 * model.info.classes);
    for (let n = 0; n < 3; n++) {
      const one = await model.infer(batch.slice(n * values, (n + 1) * values));
      expect(one).toEqual(all.slice(n * model.info.classes, (n + 1) * model.info.classes));
      expect(one.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 1);
    }
    const output = new Float32Array(3 * model.info.classes);
    expect(await model.infer(batch, { output })).toBe(output);
    expect(output).toEqual(all);
    const float = await model.infer(new Float32Array(values).fill(0.25));
    expect(float).toHaveLength(model.info.classes);
    await model.close();
  });

  it('refuses what does not fit, by name', async () => {
    const model = await MobileNetV2.load(tinyTflite({ kind: 'uint8' }));
    const { height, width } = model.info.input;
    const values = height * width * 3;
    await expect(model.infer(new Uint8Array(values - 1))).rejects.toThrow(/batch: expected a multiple of/);
    await expect(model.infer(new Uint8Array(0))).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(model.infer(new Int8Array(values))).rejects.toThrow(/expected a Float32Array or a Uint8Array/);
    await expect(model.infer(new Uint8Array(values), { output: new Float32Array(1) })).rejects.toThrow(
      /output: expected/,
    );
    await model.close();
    await expect(model.infer(new Uint8Array(values))).rejects.toMatchObject({ code: 'MODEL_CLOSED' });
    await expect(model.classify(image)).rejects.toMatchObject({ code: 'MODEL_CLOSED' });
    await model.close();
    await model[Symbol.asyncDispose]();
  });
});

describe('instruction sets', () => {
  it('are chosen below the ceiling, and one the CPU lacks is an error', () => {
    const isas = { best: 'avx2', available: ['scalar', 'avx2'] } as const;
    const resolve = (wanted?: string) => resolveIsa(wanted, { best: isas.best, available: [...isas.available] });
    expect(resolve(undefined)).toBe('avx2');
    expect(resolve('')).toBe('avx2');
    expect(resolve('scalar')).toBe('scalar');
    for (const wanted of ['avx512vnni', 'sse9']) {
      expect(() => resolve(wanted)).toThrow(expect.objectContaining({ code: 'ISA_UNAVAILABLE' }));
    }
  });

  // Each set the CPU has must run when it is the ceiling; what it lacks is said by the title of the last test.
  const { available } = native().isas();
  const all = ['scalar', 'avx2', 'avxvnni', 'avx512', 'avx512vnni', 'amx', 'neon', 'neondot', 'i8mm'];
  const program = (file: string) => `
    import { MobileNetV2 } from ${JSON.stringify(join(repositoryRoot, 'dist', 'index.js'))};
    import { readFileSync } from 'node:fs';
    const model = await MobileNetV2.load(readFileSync(${JSON.stringify(file)}));
    const { height, width } = model.info.input;
    const out = await model.infer(new Uint8Array(height * width * 3).map((_, i) => (i * 37) % 256));
    console.log(JSON.stringify({ isa: model.info.isa, out: [...out] }));`;

  function runUnder(isa: string) {
    const file = join(folder, 'forced.tflite');
    writeFileSync(file, tinyTflite({ kind: 'uint8' }));
    return spawnSync(process.execPath, ['--input-type=module', '-e', program(file)], {
      encoding: 'utf8',
      env: { ...process.env, MOBILENETV2_ISA: isa },
    });
  }

  it.each(available)('%s runs when it is the ceiling, with the bytes of the scalar kernels', (isa) => {
    const forced = JSON.parse(runUnder(isa).stdout) as { isa: string; out: number[] };
    const scalar = JSON.parse(runUnder('scalar').stdout) as { isa: string; out: number[] };
    expect(scalar.isa).toBe('scalar');
    expect(forced.out).toEqual(scalar.out);
    // avx512 without VNNI has no 8-bit kernels of its own and takes AVX2's.
    expect(forced.isa).toBe(isa === 'avx512' ? 'avx2' : isa);
  });

  const lacking = all.filter((isa) => !available.includes(isa as never));
  it(`what this CPU lacks is refused: ${lacking.join(' ')}`, () => {
    for (const isa of [...lacking, 'nonsense']) {
      const result = runUnder(isa);
      expect(result.status).not.toBe(0);
      expect(result.stderr).toContain('ISA_UNAVAILABLE');
    }
  });
});

describe('the built package', () => {
  const run = (type: 'module' | 'commonjs', code: string) =>
    spawnSync(process.execPath, [`--input-type=${type}`, '-e', code], { encoding: 'utf8', cwd: repositoryRoot });

  it('is one module for import and for require', () => {
    const imported = run(
      'module',
      "import { MobileNetV2, MobileNetError } from 'mobilenetv2'; console.log(typeof MobileNetV2.load, new MobileNetError('INTERNAL', 'x').code)",
    );
    const required = run(
      'commonjs',
      "const { MobileNetV2, MobileNetError } = require('mobilenetv2'); console.log(typeof MobileNetV2.load, new MobileNetError('INTERNAL', 'x').code)",
    );
    expect(imported.stdout).toBe('function INTERNAL\n');
    expect(required.stdout).toBe('function INTERNAL\n');
  });

  it("leaves sharp's settings alone, and is not loaded for raw pixels", () => {
    const file = join(folder, 'sharp.tflite');
    writeFileSync(file, tinyTflite());
    const { stdout, stderr } = run(
      'module',
      `import { createRequire } from 'node:module';
       import { MobileNetV2 } from 'mobilenetv2';
       const require = createRequire(${JSON.stringify(join(repositoryRoot, 'package.json'))});
       const loaded = () => Object.keys(require.cache).some((path) => /[\\\\/]sharp[\\\\/]/.test(path));
       const model = await MobileNetV2.load(${JSON.stringify(file)});
       await model.classify({ data: new Uint8Array(300), width: 10, height: 10, channels: 3 });
       const before = loaded();
       const sharp = require('sharp');
       const settings = () => JSON.stringify([sharp.cache(), sharp.concurrency(), sharp.simd()]);
       const was = settings();
       const png = await sharp({ create: { width: 9, height: 9, channels: 3, background: 'red' } }).png().toBuffer();
       await model.classify(png);
       console.log(before, loaded(), JSON.parse(was).slice(1).join() === JSON.parse(settings()).slice(1).join());`,
    );
    expect(stderr).toBe('');
    expect(stdout).toBe('false true true\n');
  });
});
