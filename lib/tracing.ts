/** Where an image's time goes, for those who subscribe. Nobody listening costs one look at a flag per image. */
import { channel } from 'node:diagnostics_channel';
import type { MobileNetError } from './errors.js';

/** Message of the diagnostics channel `mobilenetv2:image`: one image, when its work has ended. Times in milliseconds. */
export interface ImageTrace {
  /** `info.source` of the model. */
  readonly model: string;
  readonly operation: 'classify' | 'embed' | 'classMap';
  /** Waiting for other images. */
  readonly queueMs: number;
  /** From a file to pixels; about 0 for raw pixels. */
  readonly decodeMs: number;
  /** From pixels to the input tensor. */
  readonly preprocessMs: number;
  /** From the input tensor to the outputs, waiting for threads included. */
  readonly inferenceMs: number;
  /** From the call to the end of the work. */
  readonly totalMs: number;
  /** What the image failed with, or null. */
  readonly error: MobileNetError | null;
}

/** Message of the channel `mobilenetv2:load`: a model was loaded. */
export interface LoadTrace {
  readonly model: string;
  /** Reading the file (and downloading it, should it be so), compiling and packing. */
  readonly totalMs: number;
}

export const imageChannel = channel('mobilenetv2:image');
export const loadChannel = channel('mobilenetv2:load');

type Stage = 'queueMs' | 'decodeMs' | 'preprocessMs' | 'inferenceMs';

export class Stopwatch {
  readonly #started = performance.now();
  #lapStarted = this.#started;
  readonly #times = { queueMs: 0, decodeMs: 0, preprocessMs: 0, inferenceMs: 0 };

  /** The stage that has just ended. */
  lap(stage: Stage): void {
    const now = performance.now();
    this.#times[stage] = now - this.#lapStarted;
    this.#lapStarted = now;
  }

  publish(model: string, operation: ImageTrace['operation'], error: MobileNetError | null): void {
    const totalMs = performance.now() - this.#started;
    imageChannel.publish({ model, operation, ...this.#times, totalMs, error } satisfies ImageTrace);
  }
}
