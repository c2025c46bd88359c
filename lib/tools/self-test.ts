/**
 * Does every instruction set of this CPU compute what the scalar reference computes? On seeded networks, so that it
 * needs no files. Quantised results must be equal; float results may differ by rounding.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { Engine } from '../engine.js';
import type { ModelSpec, Precision } from '../model-spec.js';
import { type Isa, native } from '../native.js';
import { programFile } from '../place.js';
import { seededModel } from './seeded-model.js';

export interface SelfTest {
  readonly isa: Isa;
  readonly precision: Precision;
  /** Layers that ran on kernels of this very instruction set; 0 where it has none and weaker ones stand in. */
  readonly layers: number;
  /** Largest difference of a logit from the reference's, as a share of the largest logit. */
  readonly difference: number;
  readonly passed: boolean;
}

export type SelfTestOutcome = { readonly isa: Isa } & (
  | { readonly tests: readonly SelfTest[] }
  /** The process ended before it answered. */
  | { readonly crashed: string }
);

const PRECISIONS: readonly Precision[] = ['uint8', 'int8', 'float32'];
/** Float sums are added in another order; over some fifty layers that stays far below this. */
const FLOAT_TOLERANCE = 1e-4;
const [SIDE, IMAGES, CLASSES] = [96, 2, 101];

/** Runs every precision on `isa` in this process. */
export async function testIsa(isa: Isa): Promise<SelfTest[]> {
  const tests: SelfTest[] = [];
  for (const precision of PRECISIONS) {
    const spec = seededModel({ family: 'mobilenet_v2', width: 0.35, size: SIDE, classes: CLASSES, precision });
    const input = seededInput(precision);
    const want = await logitsOf(spec, 'scalar', input);
    const got = await logitsOf(spec, isa, input);
    const largest = want.logits.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
    let difference = 0;
    for (const [i, value] of got.logits.entries()) {
      const share = Math.abs(value - (want.logits[i] as number)) / largest;
      difference = share <= difference ? difference : share; // a NaN stays
    }
    tests.push({
      isa,
      precision,
      layers: got.layers,
      difference,
      passed: difference <= (precision === 'float32' ? FLOAT_TOLERANCE : 0),
    });
  }
  return tests;
}

async function logitsOf(spec: ModelSpec, isa: Isa, input: ArrayBufferView) {
  const engine = new Engine(spec, { isa, threads: 2 });
  try {
    const logits = new Float32Array(IMAGES * CLASSES);
    await engine.run({ height: SIDE, width: SIDE, input, count: IMAGES, outputs: [null, logits] });
    const layers = engine.facts.kernels.filter((name) => name.endsWith(`__${isa}`)).length;
    return { logits, layers };
  } finally {
    engine.release();
  }
}

/** Every byte value; as float, -1 ... 1. */
function seededInput(precision: Precision): ArrayBufferView {
  const bytes = Uint8Array.from({ length: IMAGES * SIDE * SIDE * 3 }, (_, i) => Math.imul(i + 1, 0x9e3779b1) >>> 24);
  if (precision === 'uint8') return bytes;
  return precision === 'int8' ? new Int8Array(bytes.buffer) : Float32Array.from(bytes, (byte) => byte / 127.5 - 1);
}

const worker = programFile('tools/self-test-process.js');

/** All instruction sets of this CPU, each in a process of its own: an illegal instruction ends only that one. */
export async function selfTest(): Promise<SelfTestOutcome[]> {
  const outcomes: SelfTestOutcome[] = [];
  for (const isa of native().isas().available) {
    const child = fork(worker, [isa], { execArgv: [], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    outcomes.push({ isa, ...(await answerOf(child)) });
  }
  return outcomes;
}

function answerOf(child: ChildProcess): Promise<{ tests: SelfTest[] } | { crashed: string }> {
  return new Promise((resolve) => {
    child.once('message', (tests) => {
      child.disconnect();
      resolve({ tests: tests as SelfTest[] });
    });
    child.once('error', (error) => resolve({ crashed: error.message }));
    child.once('exit', (status, signal) => resolve({ crashed: signal ?? `exit status ${status}` }));
  });
}
