/** From the start of a process to the first probabilities, in fresh processes. */
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { type ErrorCode, MobileNetError } from '../errors.js';
import { programFile } from '../place.js';
import type { NetworkSource, PrecisionName } from './read-network.js';
import { type LatencySummary, median, summarise } from './statistics.js';

/** What a child is asked to do, and answers; see cold-start-process.ts. */
export interface ColdStartRequest extends NetworkSource {
  readonly precision?: PrecisionName | undefined;
  readonly threads?: number | undefined;
}

export interface ColdStartAnswer {
  readonly loadMs: number;
  readonly firstInferenceMs: number;
  readonly error?: { readonly code: ErrorCode; readonly message: string };
}

export interface ColdStart {
  readonly processes: number;
  /** From starting a process to its first probabilities of a ready tensor. */
  readonly startToFirstOutputMs: LatencySummary;
  /** From starting Node to its first message, with nothing to do: median of as many processes. */
  readonly bareNodeMs: number;
  /** Median of the first less the second. */
  readonly netMs: number;
  /** Medians inside the process. */
  readonly loadMs: number;
  readonly firstInferenceMs: number;
}

const worker = programFile('tools/cold-start-process.js');

/** @param onProgress share that is done, 0 ... 1. */
export async function measureColdStart(
  request: ColdStartRequest,
  processes: number,
  onProgress: (share: number) => void = () => undefined,
): Promise<ColdStart> {
  const full: number[] = [];
  const bare: number[] = [];
  const answers: ColdStartAnswer[] = [];
  for (let i = 0; i < processes; i++) {
    const startedBare = performance.now();
    await firstMessage(
      spawn(process.execPath, ['-e', 'process.send(0)'], { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] }),
    );
    bare.push(performance.now() - startedBare);
    const started = performance.now();
    const answer = await firstMessage<ColdStartAnswer>(
      fork(worker, [JSON.stringify(request)], { execArgv: [], stdio: ['ignore', 'ignore', 'ignore', 'ipc'] }),
    );
    full.push(performance.now() - started);
    if (answer.error) throw new MobileNetError(answer.error.code, answer.error.message);
    answers.push(answer);
    onProgress((i + 1) / processes);
  }
  const bareNodeMs = median(bare);
  return {
    processes,
    startToFirstOutputMs: summarise(full),
    bareNodeMs,
    netMs: median(full) - bareNodeMs,
    loadMs: median(answers.map((answer) => answer.loadMs)),
    firstInferenceMs: median(answers.map((answer) => answer.firstInferenceMs)),
  };
}

function firstMessage<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    child.once('message', (message) => {
      child.disconnect();
      resolve(message as T);
    });
    child.once('error', reject);
    child.once('exit', (status, signal) =>
      reject(new MobileNetError('INTERNAL', `a fresh process ended with ${signal ?? status} before its first output`)),
    );
  });
}
