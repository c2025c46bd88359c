import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MobileNetV2 } from '../../lib/classifier.js';
import type { MobileNetError } from '../../lib/index.js';
import { load, picture } from './seeded.js';

let model: MobileNetV2;
beforeAll(async () => {
  model = await load();
});
afterAll(() => model.close());

/** Some seconds of work on this small network: nobody waits for it. */
const LARGE = { inputSize: { width: 4096, height: 4096 } };

describe('a signal', () => {
  it.each([
    ['classify', (signal: AbortSignal) => model.classify(picture(1), { signal })],
    ['classifyBatch', (signal: AbortSignal) => model.classifyBatch([picture(1)], { signal })],
    ['classifyStream', (signal: AbortSignal) => model.classifyStream([picture(1)], { signal }).next()],
    ['embed', (signal: AbortSignal) => model.embed(picture(1), { signal })],
    ['embedBatch', (signal: AbortSignal) => model.embedBatch([picture(1)], { signal })],
    ['classMap', (signal: AbortSignal) => model.classMap(picture(1), { signal })],
    ['heatmap', (signal: AbortSignal) => model.heatmap(picture(1), 0, { signal })],
    ['infer', (signal: AbortSignal) => model.infer(new Float32Array(64 * 64 * 3), { signal })],
  ])('that has aborted keeps %s from beginning; its reason is the cause', async (_, call) => {
    const reason = new Error('changed my mind');
    await expect(call(AbortSignal.abort(reason))).rejects.toMatchObject({ code: 'ABORTED', cause: reason });
    await expect(call('yes' as unknown as AbortSignal)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: 'signal: expected an AbortSignal, got "yes"',
    });
  });

  it('drops images that wait and spares those of other calls', async () => {
    const controller = new AbortController();
    const images = Array.from({ length: 12 }, (_, seed) => picture(seed));
    const doomed = images.map((image) => model.classify(image, { signal: controller.signal }));
    const spared = model.classify(picture(1));
    controller.abort();
    const settled = await Promise.allSettled(doomed);
    for (const result of settled) expect(result).toMatchObject({ status: 'rejected', reason: { code: 'ABORTED' } });
    expect(await spared).toHaveLength(5);
  });

  it('stops a running image at the next strip of rows', async () => {
    const controller = new AbortController();
    const call = model.classMap(picture(1), { ...LARGE, signal: controller.signal });
    let aborted = 0;
    setTimeout(() => {
      aborted = performance.now();
      controller.abort();
    }, 150);
    await expect(call).rejects.toMatchObject({ code: 'ABORTED' });
    const ended = performance.now();
    await model.classMap(picture(1), { inputSize: { width: 1024, height: 1024 } }); // a sixteenth of the work, whole
    expect(ended - aborted).toBeLessThan(8 * (performance.now() - ended));
  });

  it('ends a batch and a stream as a whole', async () => {
    const controller = new AbortController();
    const images = Array.from({ length: 400 }, () => picture(2));
    const batch = model.classifyBatch(images, { signal: controller.signal });
    const stream = model.classifyStream(images, { signal: controller.signal });
    await stream.next();
    controller.abort();
    await expect(batch).rejects.toMatchObject({ code: 'ABORTED' });
    await expect(drain(stream)).rejects.toMatchObject({ code: 'ABORTED' });
  });

  it('ends a stream whose source is stuck', async () => {
    const controller = new AbortController();
    async function* stuck() {
      yield picture(1);
      await new Promise(() => {});
    }
    const stream = model.classifyStream(stuck(), { signal: controller.signal });
    await stream.next();
    setTimeout(() => controller.abort(), 20);
    await expect(stream.next()).rejects.toMatchObject({ code: 'ABORTED' });
  });

  it('is let go of after the call', async () => {
    const { signal } = new AbortController();
    const listeners = new Set<unknown>();
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = (...[type, listener, options]: Parameters<typeof add>) => {
      listeners.add(listener);
      add(type, listener, options);
    };
    signal.removeEventListener = (...[type, listener]: Parameters<typeof remove>) => {
      listeners.delete(listener);
      remove(type, listener);
    };
    const calls = Array.from({ length: 20 }, () => model.classify(picture(1), { signal }));
    expect(listeners.size).toBe(1); // Node warns of more than ten
    await Promise.all(calls);
    await drain(model.classifyStream([picture(1)], { signal }));
    expect(listeners.size).toBe(0);
  });
});

describe('close', () => {
  it('ends everything that is under way with MODEL_CLOSED, and later calls too', async () => {
    const closing = await load({ threads: 1 });
    const images = Array.from({ length: 300 }, () => picture(1));
    const stream = closing.classifyStream(images);
    await stream.next(); // and now nobody asks for more
    const calls = [
      closing.classify(picture(1)),
      closing.classifyBatch(images),
      closing.embed(picture(1)),
      closing.classMap(picture(1), LARGE),
    ];
    const settled = Promise.allSettled(calls);
    await closing.close();
    for (const result of await settled) {
      expect(result).toMatchObject({ status: 'rejected', reason: { code: 'MODEL_CLOSED' } });
    }
    await expect(drain(stream)).rejects.toMatchObject({ code: 'MODEL_CLOSED' });
    for (const call of [
      () => closing.classify(picture(1)),
      () => closing.classifyBatch([picture(1)]),
      () => closing.classifyStream([picture(1)]).next(),
      () => closing.embedBatch([picture(1)]),
      () => closing.heatmap(picture(1), 0),
      () => closing.infer(new Float32Array(64 * 64 * 3)),
    ]) {
      const error = await call().then(
        () => null,
        (reason: MobileNetError) => reason,
      );
      expect(error).toMatchObject({ code: 'MODEL_CLOSED', message: expect.stringContaining('is closed') });
    }
    await closing.close(); // twice is fine
  });
});

async function drain(stream: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of stream);
}
