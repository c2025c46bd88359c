// Many inferences, and many loads, must leave resident memory where it was. Runs on the built package.
//
//   node --expose-gc test/soak/soak.mjs [--inferences 10000] [--loads 1000]
//
// Closes with the line of the other tests and a non-zero status when memory grew by more than the tolerance.
import { parseArgs } from 'node:util';
import { MobileNetV2 } from '../../dist/index.js';
import { seededModel } from '../../dist/tools/seeded-model.js';

const { values } = parseArgs({
  options: { inferences: { type: 'string', default: '10000' }, loads: { type: 'string', default: '1000' } },
});
const inferences = Number(values.inferences);
const loads = Number(values.loads);

/**
 * What allocators and the garbage collector may keep: little while buffers are reused, some tens of MB where every
 * round allocates and frees megabytes. Half of 1000 loads that each left an arena of 100 KB behind would be 50 MB.
 */
const TOLERANCE_MB = { inferences: 16, loads: 40 };
const SIZE = 96;
const architecture = { family: 'mobilenet_v2', width: 0.35, size: SIZE, classes: 100 };

if (globalThis.gc === undefined) {
  console.error('run with: node --expose-gc test/soak/soak.mjs');
  process.exit(2);
}

async function residentMb() {
  for (let i = 0; i < 3; i++) {
    globalThis.gc();
    await new Promise((resolve) => setTimeout(resolve, 20)); // finalizers run between turns
  }
  return process.memoryUsage.rss() / 2 ** 20;
}

const SAMPLES = 10;

/**
 * Runs `body` and looks at memory ten times. Allocators give pages back late, by up to 100 MB (measured), so that single
 * looks mean little: a leak raises even the least of the later half over the least of the first.
 */
async function soak(name, count, toleranceMb, body) {
  const samples = [];
  for (let i = 1; i <= count; i++) {
    await body(i);
    if (i % Math.ceil(count / SAMPLES) === 0) samples.push(await residentMb());
  }
  const half = Math.ceil(samples.length / 2);
  const [first, later] = [samples.slice(0, half), samples.slice(half)].map((part) => Math.min(...part));
  const flat = later - first <= toleranceMb;
  const figures = `least of the first half ${first.toFixed(1)} MB, of the later half ${later.toFixed(1)} MB`;
  console.log(`${flat ? 'passed' : 'FAILED'}  ${name}: ${count} times, resident: ${figures}`);
  return flat;
}

const results = [];
for (const precision of ['float32', 'int8']) {
  const model = await MobileNetV2.fromSpec(seededModel({ ...architecture, precision }), { threads: 2 });
  const image = { data: new Uint8Array(120 * 90 * 3).fill(99), width: 120, height: 90, channels: 3 };
  results.push(
    await soak(`${precision} classify`, Math.ceil(inferences / 4), TOLERANCE_MB.inferences, () =>
      model.classify(image),
    ),
  );
  const batch = new Float32Array(4 * SIZE * SIZE * 3).fill(0.5);
  const calls = Math.ceil(inferences / 16);
  results.push(
    await soak(`${precision} infer, batches of 4`, calls, TOLERANCE_MB.inferences, () => model.infer(batch)),
  );
  await model.close();
}
const spec = seededModel({ ...architecture, size: 224, precision: 'int8' });
results.push(
  await soak('load, infer, close', loads, TOLERANCE_MB.loads, async () => {
    const model = await MobileNetV2.fromSpec(spec, { threads: 2 });
    await model.infer(new Int8Array(224 * 224 * 3));
    await model.close();
  }),
);

const failed = results.filter((flat) => !flat).length;
console.log(`${results.length - failed} passed, ${failed} failed, 0 skipped`);
process.exitCode = failed > 0 ? 1 : 0;
