/** The calls under way on one model, and how they end early: by their own signal, or because the model is closed. */
import { describe, MobileNetError } from './errors.js';

/** One call of the public API. */
export class Call {
  /** Not 0 once cancelled; native runs look at it before every strip of rows. */
  readonly flag = new Int32Array(1);
  #reason: MobileNetError | null = null;
  readonly #listeners = new Set<() => void>();

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
    for (const listener of [...this.#listeners]) listener();
  }

  /** Calls `listener` when cancelled; returns what takes it back. */
  onCancel(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

export class Calls {
  /** With what takes their signals' listeners away. */
  readonly #open = new Map<Call, (() => void) | null>();
  readonly #work = new Set<Promise<unknown>>();
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
    const call = new Call();
    this.#open.set(call, null);
    if (signal === undefined) return call;
    const abort = () => call.cancel(aborted(signal));
    signal.addEventListener('abort', abort, { once: true });
    this.#open.set(call, () => signal.removeEventListener('abort', abort));
    return call;
  }

  end(call: Call): void {
    this.#open.get(call)?.();
    this.#open.delete(call);
  }

  /** A whole call: begun, waited for by {@link close}, ended. */
  async run<T>(signal: AbortSignal | undefined, work: (call: Call) => Promise<T>): Promise<T> {
    const call = this.begin(signal);
    try {
      return await this.track(work(call));
    } finally {
      this.end(call);
    }
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
      for (const call of this.#open.keys()) call.cancel(this.#closedError());
      await Promise.allSettled(this.#work);
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
