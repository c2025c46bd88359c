import { mkdir, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { detectFormat } from '../../lib/formats/detect.js';
import { type ModelSource, readModel } from '../../lib/formats/index.js';
import { readBytes } from '../../lib/formats/read-file.js';
import { tinyKeras } from './tfjs-writer.js';
import { tinyTflite } from './tflite-writer.js';
import { appendZip } from './zip-writer.js';

let directory = '';
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mobilenetv2-formats-'));
});
afterAll(() => rm(directory, { recursive: true }));

async function write(path: string, data: string | Uint8Array): Promise<string> {
  const file = join(directory, path);
  await mkdir(join(file, '..'), { recursive: true });
  await writeFile(file, data);
  return file;
}

async function writeKeras(
  folder: string,
  change: (json: ReturnType<typeof tinyKeras>['modelJson']) => void = () => {},
) {
  const { modelJson, weights } = tinyKeras({ style: 'teachable-machine' });
  change(modelJson);
  await write(`${folder}/weights.bin`, weights);
  return write(`${folder}/model.json`, JSON.stringify(modelJson));
}

const fails = (source: unknown, code: string, message: RegExp) =>
  expect(readModel(source as ModelSource)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });

describe('readModel', () => {
  it('takes a path, a URL and bytes of a TFLite file, whatever its name', async () => {
    const bytes = tinyTflite();
    const file = await write('model.bin', bytes);
    const spec = await readModel(file);
    expect(spec.source).toBe(file);
    const same = { ...spec, source: 'model bytes' };
    expect(await readModel(pathToFileURL(file))).toEqual(spec);
    expect(await readModel(bytes)).toEqual(same);
    expect(await readModel(Buffer.from(bytes))).toEqual(same);
    expect(await readModel(bytes.buffer.slice(0) as ArrayBuffer)).toEqual(same);
  });

  it('takes a directory, a model.json and a model in memory', async () => {
    const path = await writeKeras('machine');
    const metadata = { labels: ['x', 'y', 'z'] };
    await write('machine/metadata.json', JSON.stringify(metadata));
    const spec = await readModel(join(directory, 'machine'));
    expect(spec).toMatchObject({ source: path, labels: ['x', 'y', 'z'], preprocess: 'teachable-machine' });
    expect(await readModel(path)).toEqual(spec);
    const { modelJson, weights } = tinyKeras({ style: 'teachable-machine' });
    for (const json of [modelJson, JSON.stringify(modelJson), Buffer.from(JSON.stringify(modelJson))]) {
      for (const parts of [weights, [weights], [weights.slice(0, 99), weights.slice(99)], weights.slice().buffer]) {
        const source = { modelJson: json, weights: parts as Uint8Array, metadata, name: path };
        expect(await readModel(source)).toEqual(spec);
      }
    }
  });

  it("takes a directory with one .tflite file and labels.txt, Teachable Machine's other export", async () => {
    const file = await write('lite/model_unquant.tflite', tinyTflite());
    await write('lite/labels.txt', '0 first thing\n1 second\n');
    const spec = await readModel(join(directory, 'lite'));
    expect(spec).toMatchObject({ source: file, labels: ['first thing', 'second'] });
    await write('lite/another.tflite', tinyTflite());
    await fails(join(directory, 'lite'), 'FILE_NOT_FOUND', /2 \.tflite files/);
  });

  it('joins shards in the order of the manifest', async () => {
    const { modelJson, weights } = tinyKeras();
    const [group] = modelJson.weightsManifest;
    Object.assign(group ?? {}, { paths: ['b.bin', 'deep/a.bin'] });
    await write('shards/b.bin', weights.subarray(0, 1001));
    await write('shards/deep/a.bin', weights.subarray(1001));
    const path = await write('shards/model.json', `\uFEFF  ${JSON.stringify(modelJson)}`);
    const expected = await readModel({ modelJson: tinyKeras().modelJson, weights, name: path });
    expect(await readModel(path)).toEqual(expected);
  });

  it('never leaves the directory of model.json', async () => {
    await write('secret.bin', 'secret');
    for (const path of [
      '../secret.bin',
      '/etc/hostname',
      'a/../../secret.bin',
      '..\\secret.bin',
      'C:\\x',
      'file:///x',
      '',
    ]) {
      const json = await writeKeras('escape', (model) =>
        Object.assign(model.weightsManifest[0] ?? {}, { paths: [path] }),
      );
      await fails(json, 'MODEL_CORRUPT', /weight file .*expected a path inside the model's directory/);
    }
  });

  it('says which file is missing', async () => {
    await fails(join(directory, 'none.tflite'), 'FILE_NOT_FOUND', /none\.tflite: does not exist/);
    await mkdir(join(directory, 'empty'), { recursive: true });
    await fails(join(directory, 'empty'), 'FILE_NOT_FOUND', /holds no model\.json/);
    const json = await writeKeras('lost', (model) =>
      Object.assign(model.weightsManifest[0] ?? {}, { paths: ['w2.bin'] }),
    );
    await fails(json, 'FILE_NOT_FOUND', /w2\.bin: does not exist/);
    await fails(`${directory}/a\0b`, 'FILE_NOT_FOUND', /cannot be read/);
  });

  it('reads files of many pieces right', async () => {
    const bytes = new Uint8Array(3.3 * 2 ** 21).map((_, i) => Math.imul(i, 2654435761) >>> 24);
    const read = await readBytes(await write('pieces.bin', bytes));
    expect(Buffer.compare(read, bytes)).toBe(0);
  });

  it('calls `meanwhile` once while a file is read', async () => {
    const file = await write('meanwhile.tflite', tinyTflite());
    let calls = 0;
    await readModel(file, { meanwhile: () => calls++ });
    expect(calls).toBe(1);
    await readModel(tinyTflite(), { meanwhile: () => calls++ });
    await expect(readModel(join(directory, 'nothing'), { meanwhile: () => calls++ })).rejects.toThrow();
    expect(calls).toBe(1);
  });

  it('refuses what is no source', async () => {
    await fails(5, 'INVALID_ARGUMENT', /model source: 5, expected a path/);
    await fails(null, 'INVALID_ARGUMENT', /null/);
    await fails(new URL('https://example.org/m.tflite'), 'INVALID_ARGUMENT', /https: URL, expected file:/);
    await fails({ modelJson: {}, weights: 'abc' }, 'INVALID_ARGUMENT', /weights\[0\]: expected a Uint8Array/);
    await fails(Buffer.from(JSON.stringify(tinyKeras().modelJson)), 'INVALID_ARGUMENT', /pass its path/);
  });

  it('refuses files above the limit without reading them', async () => {
    const path = await write('huge.tflite', '');
    await truncate(path, 513 * 2 ** 20); // sparse
    await fails(path, 'MODEL_UNSUPPORTED', /537919488 bytes, expected a model file of at most 536870912/);
  });

  it('refuses labels of millions of lines at once', async () => {
    const lines = '\n0'.repeat(2 ** 20 - 4);
    const before = performance.now();
    expect(lines.repeat(4).split('\n')).toHaveLength(4 * (2 ** 20 - 4) + 1);
    const started = performance.now();
    const bytes = appendZip(tinyTflite(), { 'labels.txt': lines });
    expect(bytes.length).toBeLessThan(64 * 1024 + tinyTflite().length);
    await fails(bytes, 'MODEL_CORRUPT', /more than 16384 lines/);
    await fails(
      appendZip(tinyTflite(), { 'labels.txt': lines.repeat(4) }),
      'MODEL_CORRUPT',
      /expected at most 2097152/,
    );
    await write('flood/model.tflite', tinyTflite());
    await write('flood/labels.txt', lines);
    await fails(join(directory, 'flood'), 'MODEL_CORRUPT', /more than 16384 lines/);
    await write('flood/labels.txt', lines.repeat(2));
    await fails(join(directory, 'flood'), 'MODEL_UNSUPPORTED', /labels\.txt: .* expected at most 2097152/);
    const splitting = started - before; // of as many lines as the largest of these, once
    expect(performance.now() - started).toBeLessThan(20 * splitting);
  });

  it('refuses more weight files than any model has, empty ones too, and a metadata.json without end', async () => {
    const paths = Array.from({ length: 1001 }, () => 'empty.bin');
    await write('shard-flood/empty.bin', '');
    const json = await writeKeras('shard-flood', (model) => Object.assign(model.weightsManifest[0] ?? {}, { paths }));
    await fails(json, 'MODEL_CORRUPT', /more than 1000 weight files/);
    const path = await writeKeras('metadata-flood');
    await write('metadata-flood/metadata.json', `{"labels": []}${' '.repeat(2 ** 21)}`);
    await fails(path, 'MODEL_UNSUPPORTED', /metadata\.json: .* expected at most/);
  });

  it('refuses URLs that name no path here, and models in memory with wrong names and labels', async () => {
    await fails(new URL('file://host/x'), 'INVALID_ARGUMENT', /model source: file:\/\/host\/x: /);
    await fails(new URL('file:///a%2Fb'), 'INVALID_ARGUMENT', /model source: file:\/\/\/a%2Fb: /);
    const source = tinyKeras();
    await fails({ ...source, labels: 5 }, 'INVALID_ARGUMENT', /labels: expected an array of strings, got 5/);
    await fails({ ...source, labels: ['a', 5] }, 'INVALID_ARGUMENT', /labels\[1\]: expected a string, got 5/);
    await fails({ ...source, name: 5 }, 'INVALID_ARGUMENT', /name: expected a string, got 5/);
  });

  it('tells other JSON from a model', async () => {
    await fails(await write('package.json', '{"name": "x"}'), 'MODEL_FORMAT_UNKNOWN', /without a modelTopology/);
    await fails(await write('broken.json', '{"modelTopology": {'), 'MODEL_CORRUPT', /broken\.json: not valid JSON/);
    await fails(
      await write('deep.json', `{"modelTopology": ${'['.repeat(200_000)}`),
      'MODEL_CORRUPT',
      /not valid JSON/,
    );
    const graph = await write(
      'graph/model.json',
      '{"format": "graph-model", "modelTopology": {}, "weightsManifest": []}',
    );
    await fails(graph, 'MODEL_UNSUPPORTED', /graph\/model\.json: this is a TensorFlow\.js graph model/);
  });
});

describe('detectFormat', () => {
  const latin1 = (text: string) => Uint8Array.from(text, (c) => c.charCodeAt(0));
  const unknown = [
    ['', /is empty/],
    ['\x89HDF\r\n\x1a\n', /HDF5/],
    ['PK\x03\x04....', /zip archive/],
    ['\x08\x07\x12\x07pytorch', /ONNX/],
    ['\x08\x01\x12\x00', /SavedModel/],
    ['\x02\0\0\0\0\0\0\0{}', /safetensors/],
    ['\x89PNG\r\n\x1a\n', /PNG image/],
    ['\xff\xd8\xff\xe0', /JPEG image/],
    ['RIFF\0\0\0\0WEBPVP8 ', /WebP image/],
    ['GIF89a', /GIF image/],
    ['\x1f\x8b\x08', /gzip/],
    ['version https://git-lfs.github.com/spec/v1\noid sha256:0', /Git LFS pointer.*git lfs pull/],
    ['\n <!DOCTYPE html><html>', /web page/],
    ['<html>', /web page/],
    ['\x01\x02\x03', /unknown format \(3 bytes, beginning 01 02 03\)/],
  ] as const;
  for (const [text, message] of unknown) {
    it(`names ${message.source}`, () => {
      expect(() => detectFormat(latin1(text), 'f')).toThrow(expect.objectContaining({ code: 'MODEL_FORMAT_UNKNOWN' }));
      expect(() => detectFormat(latin1(text), 'f')).toThrow(message);
    });
  }

  it('knows what is read', () => {
    expect(detectFormat(tinyTflite(), 'f')).toBe('tflite');
    expect(detectFormat(latin1(' \n{"a": 1}'), 'f')).toBe('json');
    expect(detectFormat(latin1('\xef\xbb\xbf{}'), 'f')).toBe('json');
  });
});
