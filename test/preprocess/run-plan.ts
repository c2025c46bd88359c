import { isaCeiling, native } from '../../lib/native.js';
import type { PreprocessPlan } from '../../lib/preprocess.js';

/** The native step on a plan; the output is poisoned first. */
export async function runPlan(plan: PreprocessPlan, pixels: Uint8Array): Promise<Float32Array | Uint8Array> {
  const length = plan.window.width * plan.window.height * 3;
  const output = plan.dtype === 'float32' ? new Float32Array(length).fill(Number.NaN) : new Uint8Array(length).fill(77);
  await native().preprocess(plan, pixels, output, 1, isaCeiling());
  return output;
}
