/** The process that cold-start.ts starts: loads a model, runs it once, and sends how long that took. */
import type { ColdStartAnswer, ColdStartRequest } from './cold-start.js';

async function run(request: ColdStartRequest): Promise<ColdStartAnswer> {
  const started = performance.now();
  const { loadModel } = await import('./load-model.js');
  const model = await loadModel(request);
  const loadMs = performance.now() - started;
  const { emptyInput } = await import('./input.js');
  const input = emptyInput(model.info, 1);
  const begun = performance.now();
  await model.infer(input);
  return { loadMs, firstInferenceMs: performance.now() - begun };
}

run(JSON.parse(process.argv[2] as string)).then(
  (answer) => process.send?.(answer),
  (error) => {
    const code = error?.name === 'MobileNetError' ? error.code : 'INTERNAL'; // by name: the class would be loaded before
    process.send?.({ loadMs: 0, firstInferenceMs: 0, error: { code, message: error.message } });
  },
);
