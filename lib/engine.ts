/**
 * A compiled, packed network and the programs and arenas it has been given so far. Stateful, and the only client of
 * lib/compile and of the native contract's model part.
 */
import { ArenaPool } from './arena-pool.js';
import { type CompiledModel, compileOps, type Path } from './compile/ops.js';
import { type Kernels, type Plan, planProgram } from './compile/program.js';
import { withoutWeights } from './compile/without-weights.js';
import { MobileNetError } from './errors.js';
import type { ModelSpec } from './model-spec.js';
import { type Isa, isaCeiling, type ModelHandle, type NativeBinding, native, type ProgramHandle } from './native.js';
import { onSettled } from './on-settled.js';
import { ThreadShares } from './thread-shares.js';

/** A program that native has accepted. */
interface BoundProgram extends InputSize {
  readonly path: Path;
  readonly lanes: number;
  readonly plan: Plan;
  readonly handle: ProgramHandle;
}

export interface InputSize {
  readonly height: number;
  readonly width: number;
}

export interface EngineRun extends InputSize {
  /** `count` images, NHWC, in the network's input type. */
  readonly input: ArrayBufferView;
  readonly count: number;
  /** One per output of the path: count x its values, written; null where not wanted. Default path: classify. */
  readonly outputs: (Float32Array | null)[];
  readonly path?: Path;
  /** Threads it may take at most. Default: all of the engine's. */
  readonly threads?: number;
  /** Length 1; set to 1 to stop. */
  readonly cancel?: Int32Array;
}

export interface EngineOptions {
  /** Most threads at a time, or an engine of which this one takes threads and arenas: the same bounds hold for both. */
  readonly threads: number | Engine;
  /** The strongest instruction set kernels may use. Default: what the CPU and MOBILENETV2_ISA allow. */
  readonly isa?: Isa;
  /** Default: {@link compileOps}. */
  readonly compile?: (spec: ModelSpec) => CompiledModel;
}

/** Programs (paths x input sizes x thread counts) that are kept. */
const MAX_PROGRAMS = 4;

export class Engine {
  readonly compiled: CompiledModel;
  readonly facts: Readonly<ReturnType<NativeBinding['modelFacts']>>;
  readonly #native: NativeBinding;
  readonly #model: ModelHandle;
  readonly #shares: ThreadShares;
  readonly #programs: BoundProgram[] = []; // most recently used first
  readonly #arenas: ArenaPool;

  /** @throws MobileNetError MODEL_UNSUPPORTED when the file's numbers leave the range the engine computes in. */
  constructor(spec: ModelSpec, { threads, isa = isaCeiling(), compile = compileOps }: EngineOptions) {
    this.#native = native();
    this.#shares = typeof threads === 'number' ? new ThreadShares(threads) : threads.#shares;
    this.#arenas = typeof threads === 'number' ? new ArenaPool(threads) : threads.#arenas;
    const compiled = compile(spec);
    this.compiled = withoutWeights(compiled);
    try {
      this.#model = this.#native.packModel(
        compiled.ops.map(({ op }) => op),
        isa,
        this.#shares.total,
      );
    } catch (cause) {
      throw new MobileNetError('MODEL_UNSUPPORTED', `${spec.source}: ${explain(cause, compiled)}`, { cause });
    }
    this.facts = this.#native.modelFacts(this.#model);
  }

  get threads(): number {
    return this.#shares.total;
  }

  /** Most arena bytes held at a time. */
  get highWaterBytes(): number {
    return this.#arenas.highWaterBytes;
  }

  /** How an image of one size runs on `lanes` threads. */
  plan(height: number, width: number, lanes = 1, path: Path = this.compiled.classify): Plan {
    return this.#program(path, { height, width }, lanes).plan;
  }

  /**
   * Runs `count` images of one size: image by image on as many threads as are free or, with threads to spare, each
   * image on several. Resolves to false when cancelled.
   */
  run(io: EngineRun): Promise<boolean> {
    const wanted = Math.min(io.threads ?? this.threads, this.threads);
    const share = this.#shares.take(wanted);
    return share > 0 ? this.#runOn(share, io) : this.#shares.acquire(wanted).then((later) => this.#runOn(later, io));
  }

  /** Gives the share back. */
  #runOn(share: number, io: EngineRun): Promise<boolean> {
    const { count, input, outputs, cancel } = io;
    const images = Math.min(share, count);
    let arenas: Uint8Array[] = [];
    const end = () => {
      this.#arenas.give(arenas);
      this.#shares.release(share);
    };
    return onSettled(() => {
      if (cancel?.[0]) return Promise.resolve(false);
      const program = this.#program(io.path ?? this.compiled.classify, io, Math.floor(share / images));
      arenas = this.#arenas.take(images, program.plan.program.arenaBytes);
      return this.#native.run(program.handle, { input, count, arenas, outputs, cancel: cancel ?? null }, share);
    }, end);
  }

  /** One image on the calling thread; `onRow` sees every row of every layer that scalar kernels make. */
  trace(
    height: number,
    width: number,
    input: ArrayBufferView,
    onRow: (op: number, layer: string, row: number, bytes: Uint8Array) => void,
  ): Promise<void> {
    const program = this.#program(this.compiled.classify, { height, width }, 1);
    const outputs = program.plan.program.outputs.map(() => null);
    return this.#withArena(program, (arenas) =>
      this.#native.trace(program.handle, { input, count: 1, arenas, outputs }, onRow),
    );
  }

  /** Nanoseconds that each op of the classify path took, for one image on the calling thread. */
  profile(height: number, width: number, input: ArrayBufferView): Promise<Float64Array> {
    const program = this.#program(this.compiled.classify, { height, width }, 1);
    const outputs = program.plan.program.outputs.map(() => null);
    return this.#withArena(program, (arenas) =>
      this.#native.profile(program.handle, { input, count: 1, arenas, outputs }),
    );
  }

  /** Frees the packed weights and the arenas. Nothing may run, now or later. */
  release(): void {
    this.#programs.length = 0;
    this.#arenas.clear();
    this.#native.releaseModel(this.#model);
  }

  /** Planned once per path, input size and lane count. */
  #program(path: Path, { height, width }: InputSize, lanes: number): BoundProgram {
    const programs = this.#programs;
    for (let i = 0; i < programs.length; i++) {
      const program = programs[i] as BoundProgram;
      if (program.height !== height || program.width !== width) continue;
      if (program.path.name !== path.name || program.lanes !== lanes) continue;
      if (i > 0) programs.unshift(...programs.splice(i, 1));
      return program;
    }
    const plan = planProgram(this.compiled, path, { height, width }, lanes, kernelsOf(this.#native, this.#model));
    const program = { path, height, width, lanes, plan, handle: this.#native.bindProgram(this.#model, plan.program) };
    if (programs.unshift(program) > MAX_PROGRAMS) programs.pop();
    return program;
  }

  /** One image on the calling thread. */
  async #withArena<T>(program: BoundProgram, use: (arenas: Uint8Array[]) => T): Promise<T> {
    const arenas = this.#arenas.take(1, program.plan.program.arenaBytes);
    try {
      return use(arenas);
    } finally {
      this.#arenas.give(arenas);
    }
  }
}

/** @internal A packed model as planning sees it. */
export function kernelsOf(native: NativeBinding, model: ModelHandle): Kernels {
  return {
    stageFacts: (op, shape, lanes) => native.stageFacts(model, op, shape, lanes),
    ringRows: (stages, lanes) => native.ringRows(model, { stages, lanes }),
  };
}

/** Native counts ops; people know layers by name. */
function explain(cause: unknown, compiled: CompiledModel): string {
  const text = cause instanceof Error ? cause.message : String(cause);
  const match = /^op (\d+): (.*)$/.exec(text);
  return match ? `layer ${compiled.ops[Number(match[1])]?.name}: ${match[2]}` : text;
}
