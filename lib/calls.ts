/** The calls under way on one model, and how they end early: by their own signal, or because the model is closed. */
import { describe, MobileNetError } from './errors.js';
import { onSettled } from './on-settled.js';

/** One call of the public API. */
export class Call {
  /** Its place among the open calls. */
  place = 0;
  /** What {@link Calls.close} waits for; null for a call whose work is tracked piece by piece. */
  settled: Promise<unknown> | null = null;
  #reason: MobileNetError | null = null;
  #listeners: Set<() => void> | null = null;

  /** @param flag of length 1; not 0 once cancelled: native runs look at it before every strip of rows. */
  constructor(
    readonly signal: AbortSignal | undefined,
    readonly flag: Int32Array,
  ) {}

  /** What a cancelled call rejects with; null while it is not. */
  get reason(): MobileNetError | null {
    return this.#reason;
  }

  throwIfCancelled(): void {
    if (this.#reason !== null) throw this.#reason;
  }

  /** Only the first reason counts. */
  cancel(reason: MobileNetError): void {
    if (this.#reason !== null) return;
    this.#reason = reason;
    Atomics.store(this.flag, 0, 1);
    for (const listener of [...(this.#listeners ?? [])]) listener();
  }

  /** Calls `listener` when cancelled; returns what takes it back. */
  onCancel(listener: () => void): () => void {
    this.#listeners ??= new Set();
    const listeners = this.#listeners;
    listeners.add(listener);
    return () => listeners.delete(listener);
  }
}

/** The calls that one signal cancels. */
interface Listener {
  readonly calls: Set<Call>;
  readonly stop: () => void;
}

/**
 * Sets of V8 get a new table when their only entry goes, and typed arrays native memory: where calls come and go one by
 * one, open ones stand in an array, and flags are used again.
 */
export class Calls {
  readonly #open: Call[] = [];
  readonly #flags: Int32Array[] = [];
  readonly #work = new Set<Promise<unknown>>();
  /** One listener per signal, however many calls have it: Node warns of more than ten. */
  readonly #listeners = new Map<AbortSignal, Listener>();
  #closed: Promise<void> | null = null;

  /** @param model what messages call the model. */
  constructor(private readonly model: string) {}

  /**
   * Begins a call; give it to {@link end} afterwards.
   *
   * @throws MobileNetError MODEL_CLOSED, ABORTED when the signal has aborted already, INVALID_ARGUMENT when it is none.
   */
  begin(signal: AbortSignal | undefined): Call {
    if (this.#closed) throw this.#closedError();
    checkSignal(signal);
    const call = new Call(signal, this.#flags.pop() ?? new Int32Array(1));
    call.place = this.#open.push(call) - 1;
    if (signal !== undefined) this.#listen(signal).calls.add(call);
    return call;
  }

  end(call: Call): void {
    const last = this.#open.pop();
    if (last !== undefined && last !== call) {
      this.#open[call.place] = last;
      last.place = call.place;
    }
    const { signal } = call;
    const listener = signal && this.#listeners.get(signal);
    if (listener === undefined) return;
    listener.calls.delete(call);
    if (listener.calls.size > 0) return;
    listener.stop();
    this.#listeners.delete(signal as AbortSignal);
  }

  #listen(signal: AbortSignal): Listener {
    const known = this.#listeners.get(signal);
    if (known !== undefined) return known;
    const calls = new Set<Call>();
    const abort = () => {
      for (const call of calls) call.cancel(aborted(signal));
    };
    signal.addEventListener('abort', abort, { once: true });
    const listener = { calls, stop: () => signal.removeEventListener('abort', abort) };
    this.#listeners.set(signal, listener);
    return listener;
  }

  /** A whole call: begun, waited for by {@link close}, ended. @throws MobileNetError at once, as begin() does. */
  run<T>(signal: AbortSignal | undefined, work: (call: Call) => Promise<T>): Promise<T> {
    const call = this.begin(signal);
    const end = () => {
      this.end(call);
      if (call.reason === null) this.#flags.push(call.flag);
    };
    const settled = onSettled(() => work(call), end);
    call.settled = settled;
    return settled;
  }

  /** Work that close() waits for: it uses the model's memory. */
  track<T>(work: Promise<T>): Promise<T> {
    this.#work.add(work);
    const done = () => this.#work.delete(work);
    work.then(done, done);
    return work;
  }

  /** Cancels what is under way with MODEL_CLOSED, waits until it has ended, then frees. Later calls do nothing more. */
  close(free: () => Promise<void>): Promise<void> {
    this.#closed ??= (async () => {
      const open = [...this.#open];
      for (const call of open) call.cancel(this.#closedError());
      await Promise.allSettled([...this.#work, ...open.map(({ settled }) => settled)]);
      await free();
    })();
    return this.#closed;
  }

  #closedError(): MobileNetError {
    return new MobileNetError('MODEL_CLOSED', `${this.model}: the model is closed`);
  }
}

function checkSignal(signal: AbortSignal | undefined): void {
  if (signal === undefined) return;
  if (!(signal instanceof AbortSignal)) {
    throw new MobileNetError('INVALID_ARGUMENT', `signal: expected an AbortSignal, got ${describe(signal)}`);
  }
  if (signal.aborted) throw aborted(signal);
}

function aborted(signal: AbortSignal): MobileNetError {
  return new MobileNetError('ABORTED', 'the signal aborted', { cause: signal.reason });
}
