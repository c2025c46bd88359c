/** The float, fully convolutional form of a loaded network, made when a class map is first asked for. */
import type { Call } from './calls.js';
import type { ClassMap } from './class-map.js';
import { receptiveCentres, stageShapes } from './compile/geometry.js';
import { Engine } from './engine.js';
import { sourceChanged } from './load-model.js';
import type { ModelSpec } from './model-spec.js';
import type { NetworkInput, Prepared } from './pipeline.js';
import type { Size } from './preprocess.js';

export class FloatMaps {
  #engine: Promise<Engine> | null = null;

  /**
   * @param own the network as it was loaded: threads and arenas are shared with it, and, if it is a float network, the
   *   packed weights of all but the classifier.
   * @param reload reads the weights again; they were let go of after packing.
   */
  constructor(
    private readonly own: Engine,
    private readonly reload: () => Promise<ModelSpec>,
  ) {}

  /** What images must become. */
  input(size: Size): NetworkInput {
    return { ...size, precision: 'float32', quantization: null };
  }

  /** @throws MobileNetError FILE_NOT_FOUND, MODEL_CORRUPT, ... when the source is no longer what was loaded. */
  async classMap(call: Call, { input, inputSize, threads }: Prepared): Promise<ClassMap> {
    this.#engine ??= this.#make();
    const engine = await this.#engine;
    const { height, width } = inputSize;
    const { classes, ops } = engine.compiled;
    const centres = receptiveCentres(ops, stageShapes(ops, height, width));
    const rows = centres.rows.length;
    const columns = centres.columns.length;
    const logits = new Float32Array(rows * columns * classes);
    await engine.run({ height, width, input, count: 1, outputs: [logits], threads, cancel: call.flag });
    call.throwIfCancelled();
    const fractions = (middles: readonly number[], side: number) =>
      Float32Array.from(middles, (at) => (at + 0.5) / side);
    const columnCentres = fractions(centres.columns, width);
    return { rows, columns, classes, logits, columnCentres, rowCentres: fractions(centres.rows, height) };
  }

  /** Nothing may run, now or later. */
  async release(): Promise<void> {
    const engine = await this.#engine?.catch(() => null);
    engine?.release();
  }

  async #make(): Promise<Engine> {
    try {
      const spec = await this.reload();
      const again = new Engine(spec, { threads: this.own });
      const same = again.facts.contentKey === this.own.facts.contentKey;
      again.release();
      if (!same) throw sourceChanged(spec.source);
      const { compileClassMap } = await import('./compile/class-map.js');
      return new Engine(spec, { threads: this.own, compile: compileClassMap });
    } catch (error) {
      this.#engine = null; // a file that was missing may be back next time
      throw error;
    }
  }
}
