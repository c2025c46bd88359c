/**
 * A compiled, packed network and the programs and arenas it has been given so far. Stateful, and the only client of
 * lib/compile and of the native contract's model part.
 */
import { type CompiledModel, compileOps } from './compile/ops.js';
import { type Plan, planProgram } from './compile/program.js';
import { MobileNetError } from './errors.js';
import type { ModelSpec } from './model-spec.js';
import { allocateArena, type Isa, isaCeiling, type ModelHandle, type NativeBinding, native, type ProgramHandle } from './native.js';

/** A program that native has accepted. */
export interface BoundProgram {
  readonly plan: Plan;
  readonly handle: ProgramHandle;
  /** Arenas that no run uses at the moment. */
  readonly idleArenas: Uint8Array[];
}

/** Input sizes whose programs and arenas are kept. */
const MAX_PROGRAMS = 4;

export class Engine {
  readonly compiled: CompiledModel;
  readonly facts: { readonly isa: Isa; readonly packedBytes: number; readonly kernels: readonly string[] };
  readonly #native: NativeBinding;
  readonly #model: ModelHandle;
  readonly #programs = new Map<string, BoundProgram>();

  /**
   * @param isa the strongest instruction set kernels may use.
   * @throws MobileNetError MODEL_UNSUPPORTED when the file's numbers leave the range the engine computes in.
   */
  constructor(spec: ModelSpec, isa: Isa = isaCeiling()) {
    this.#native = native();
    this.compiled = compileOps(spec);
    try {
      this.#model = this.#native.packModel(
        this.compiled.ops.map(({ op }) => op),
        isa,
      );
    } catch (cause) {
      throw new MobileNetError('MODEL_UNSUPPORTED', `${spec.source}: ${explain(cause, this.compiled)}`, { cause });
    }
    this.facts = this.#native.modelFacts(this.#model);
  }

  /** The program for one input size, planned once. */
  program(height: number, width: number, lanes: number): BoundProgram {
    const key = `${height}x${width}x${lanes}`;
    const known = this.#programs.get(key);
    this.#programs.delete(key);
    const program = known ?? this.#plan(height, width, lanes);
    this.#programs.set(key, program); // youngest last
    for (const oldest of this.#programs.keys()) {
      if (this.#programs.size <= MAX_PROGRAMS) break;
      this.#programs.delete(oldest);
    }
    return program;
  }

  #plan(height: number, width: number, lanes: number): BoundProgram {
    const plan = planProgram(this.compiled, height, width, lanes, (op, shape) =>
      this.#native.stageFacts(this.#model, op, shape),
    );
    return { plan, handle: this.#native.bindProgram(this.#model, plan.program), idleArenas: [] };
  }

  /**
   * Runs `count` images; see {@link NativeBinding.run} for the buffers. Resolves to false when cancelled.
   *
   * @param threads at most this many images at a time, and so this many arenas.
   */
  async run(
    program: BoundProgram,
    io: { input: ArrayBufferView; count: number; probabilities: Float32Array; logits?: Float32Array | null; cancel?: Int32Array },
    threads: number,
  ): Promise<boolean> {
    const arenas = this.#takeArenas(program, Math.min(threads, io.count));
    const done = await this.#native.run(program.handle, { ...io, arenas }, threads);
    // Kept for the next run, never more than can run at a time.
    const room = Math.max(threads - program.idleArenas.length, 0);
    program.idleArenas.push(...arenas.slice(0, room));
    return done;
  }

  /** One image on the calling thread; `onRow` sees every row of every layer that scalar kernels make. */
  trace(
    program: BoundProgram,
    input: ArrayBufferView,
    onRow: (op: number, layer: string, row: number, bytes: Uint8Array) => void,
  ): Float32Array {
    const probabilities = new Float32Array(this.compiled.classes);
    const arenas = this.#takeArenas(program, 1);
    this.#native.trace(program.handle, { input, count: 1, arenas, probabilities }, onRow);
    program.idleArenas.push(...arenas);
    return probabilities;
  }

  #takeArenas(program: BoundProgram, count: number): Uint8Array[] {
    const arenas = program.idleArenas.splice(0, count);
    while (arenas.length < count) arenas.push(allocateArena(program.plan.program.arenaBytes));
    return arenas;
  }
}

/** Native counts ops; people know layers by name. */
function explain(cause: unknown, compiled: CompiledModel): string {
  const text = cause instanceof Error ? cause.message : String(cause);
  const index = /^op (\d+): /.exec(text);
  const name = index ? compiled.ops[Number(index[1])]?.name : undefined;
  return name === undefined ? text : `layer ${name}: ${text.slice((index as RegExpExecArray)[0].length)}`;
}
