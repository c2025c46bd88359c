/** Work on the items of an iterable, several at a time, with results in the items' order. */
import type { Call } from './calls.js';
import { MobileNetError } from './errors.js';

interface Pending<R> {
  settled: boolean;
  readonly result: Promise<R>;
}

/**
 * Takes items as long as fewer than `concurrency` of them are between being taken and their result being handed out:
 * a consumer that lags behind holds the source back. A result is handed out as soon as those before it are, even while
 * the source keeps us waiting for its next item.
 *
 * When the call is cancelled, throws its reason. When the source throws, so does this, after the results of the items
 * before. When it ends early, for whatever reason, the call is cancelled, the source ended, and the work in hand awaited.
 */
export async function* inOrder<T, R>(
  items: Iterable<T> | AsyncIterable<T>,
  concurrency: number,
  call: Call,
  work: (item: T) => Promise<R>,
): AsyncGenerator<R, void, undefined> {
  const iterator = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
  const pending: Pending<R>[] = [];
  let source: 'idle' | 'asked' | 'over' = 'idle';
  let failure: { readonly error: unknown } | null = null;

  // One sleeper, woken by whatever happens. (Promise.race on a long-lived promise would collect a callback per turn.)
  let wake = () => {};
  let happened = false;
  const notify = () => {
    happened = true;
    wake();
  };
  const begin = (item: T) => {
    const entry: Pending<R> = { settled: false, result: work(item) };
    const settle = () => {
      entry.settled = true;
      notify();
    };
    entry.result.then(settle, settle);
    pending.push(entry);
  };
  const take = (next: IteratorResult<T>) => {
    source = next.done ? 'over' : 'idle';
    if (!next.done) begin(next.value);
    notify();
  };
  const fail = (error: unknown) => {
    source = 'over';
    failure = { error };
    notify();
  };
  // What a plain iterable has is taken at once, so that the queue is as full as it will be when the next call comes.
  const ask = () => {
    source = 'asked';
    try {
      const next = iterator.next();
      if ('then' in next) next.then(take, fail);
      else take(next);
    } catch (error) {
      fail(error);
    }
  };

  const forget = call.onCancel(notify);
  try {
    for (;;) {
      call.throwIfCancelled();
      if (source === 'idle' && pending.length < concurrency) ask();
      const head = pending[0];
      if (head?.settled) {
        pending.shift();
        yield await head.result;
      } else if (head === undefined && sourceIsOver()) {
        if (failure !== null) throw (failure as { error: unknown }).error;
        return;
      } else {
        if (!happened) await new Promise<void>((resolve) => (wake = resolve));
        happened = false;
      }
    }
  } finally {
    forget();
    if (!sourceIsOver() || pending.length > 0) {
      call.cancel(new MobileNetError('ABORTED', 'the stream was ended'));
      // Not awaited: a source that is stuck in next() would keep us for ever.
      if (!sourceIsOver()) void (async () => iterator.return?.())().catch(() => {});
      await Promise.allSettled(pending.map(({ result }) => result));
    }
  }

  function sourceIsOver(): boolean {
    return source === 'over';
  }
}
