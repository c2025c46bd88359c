// The self-test, once in a worker thread that ends, then in the main thread; for platforms that cannot run everything.
// Writes its result to the file it is given: under Wine, standard output may not work.
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { isMainThread, Worker } from 'node:worker_threads';

// The only ARMv7 Node that npm has is 20.11, below what the package asks for.
process.getBuiltinModule ??= createRequire(import.meta.url);

const { testIsa } = await import('./node_modules/mobilenetv2/dist/tools/self-test.js');
const { addonPath, native } = await import('./node_modules/mobilenetv2/dist/native.js');
const { available } = native().isas();
const tests = [];
for (const isa of available) tests.push(...(await testIsa(isa)));
if (isMainThread) {
  await new Promise((resolve, reject) => {
    new Worker(new URL(import.meta.url), { stdout: true, stderr: true }).once('exit', resolve).once('error', reject);
  });
  const wrong = tests.filter(({ passed }) => !passed);
  writeFileSync(process.argv[2], JSON.stringify({ addon: addonPath(), node: process.version, available, wrong }));
}
