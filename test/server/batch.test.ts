import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MobileNetV2 } from '../../lib/classifier.js';
import type { ImageInput, MobileNetError } from '../../lib/index.js';
import { load, notAnImage, picture } from './seeded.js';

let model: MobileNetV2;
beforeAll(async () => {
  model = await load();
});
afterAll(() => model.close());

const pictures = Array.from({ length: 9 }, (_, seed) => picture(seed, 60 + seed, 70));

describe('classifyBatch', () => {
  it('gives what classify gives, in order', async () => {
    const single = await Promise.all(pictures.map((image) => model.classify(image, { topK: 2 })));
    const batch = await model.classifyBatch(pictures, { topK: 2 });
    expect(new Set(single.map(([best]) => best?.probability)).size).toBe(pictures.length); // the order can show
    expect(batch.map(({ predictions }) => predictions)).toEqual(single);
    expect(batch.map(({ image }) => image)).toEqual(pictures);
  });

  it('lets a bad image fail alone, in its place', async () => {
    const images: ImageInput[] = [picture(1), notAnImage, '/no/such.jpg', new Uint8Array(40), picture(2)];
    const results = await model.classifyBatch(images);
    expect(results.map(({ error }) => error?.code)).toEqual([
      undefined,
      'INVALID_ARGUMENT',
      'FILE_NOT_FOUND',
      'IMAGE_INVALID',
      undefined,
    ]);
    expect(results.map(({ image }) => image)).toEqual(images);
    expect(results[4]?.predictions).toEqual(await model.classify(picture(2)));
  });

  it('of no images is an empty array', async () => {
    expect(await model.classifyBatch([])).toEqual([]);
  });

  it.each([
    ['a string', 'cat.jpg'],
    ['an image', picture(1)],
    ['an iterator', [picture(1)].values()],
  ])('refuses %s', async (_, images) => {
    const call = model.classifyBatch(images as unknown as ImageInput[]);
    await expect(call).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', message: expect.stringContaining('images:') });
  });

  it('refuses wrong options at once, not per image', async () => {
    await expect(model.classifyBatch(pictures, { topK: 0 })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });
});

describe('classifyStream', () => {
  it('gives what classifyBatch gives, from any iterable', async () => {
    async function* source() {
      yield* pictures;
    }
    const batch = await model.classifyBatch(pictures);
    expect(await collect(model.classifyStream(source()))).toEqual(batch);
    expect(await collect(model.classifyStream(new Set(pictures), { concurrency: 1 }))).toEqual(batch);
  });

  it('goes on after an image that is bad', async () => {
    const codes: (string | undefined)[] = [];
    for await (const { error } of model.classifyStream([picture(1), notAnImage, picture(2)])) codes.push(error?.code);
    expect(codes).toEqual([undefined, 'INVALID_ARGUMENT', undefined]);
  });

  it('holds the source back: at most `concurrency` images are between it and the consumer', async () => {
    let taken = 0;
    let given = 0;
    let most = 0;
    function* source() {
      for (; taken < 40; ) {
        taken++;
        most = Math.max(most, taken - given);
        yield picture(taken % 9);
      }
    }
    for await (const _ of model.classifyStream(source(), { concurrency: 3 })) {
      given++;
      if (given % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 20)); // a consumer that lags behind
    }
    expect(given).toBe(40);
    expect(most).toBeLessThanOrEqual(4); // 3, and the one being handed over
    expect(most).toBeGreaterThan(1); // images do overlap
  });

  it('hands a result out though the source has not come up with its next image', async () => {
    let release = () => {};
    async function* webcam() {
      yield picture(1);
      await new Promise<void>((resolve) => {
        release = resolve;
      });
      yield picture(2);
    }
    const stream = model.classifyStream(webcam(), { concurrency: 4 });
    expect((await stream.next()).value?.predictions).toEqual(await model.classify(picture(1)));
    release();
    expect((await stream.next()).value?.predictions).toEqual(await model.classify(picture(2)));
    expect(await stream.next()).toEqual({ done: true, value: undefined });
  });

  it('throws what the source throws, after the results before it', async () => {
    async function* source() {
      yield picture(1);
      throw new RangeError('the camera fell');
    }
    const stream = model.classifyStream(source());
    expect((await stream.next()).value?.predictions).toHaveLength(5);
    await expect(stream.next()).rejects.toThrow('the camera fell');
  });

  it('ends the source when the loop ends early', async () => {
    let ended = false;
    function* source() {
      try {
        for (;;) yield picture(1);
      } finally {
        ended = true;
      }
    }
    for await (const _ of model.classifyStream(source())) break;
    expect(ended).toBe(true);
    expect(await model.classify(picture(1))).toHaveLength(5); // nothing is left in the queue
  });

  it.each([['cat.jpg'], [new Uint8Array(9)], [7]])('refuses %o, which is no series of images', async (images) => {
    const stream = model.classifyStream(images as unknown as ImageInput[]);
    await expect(stream.next()).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  it.each([0, 1.5, -1, '2'])('refuses a concurrency of %o', async (concurrency) => {
    const stream = model.classifyStream([], { concurrency: concurrency as number });
    await expect(stream.next()).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(/^concurrency: expected an integer in 1 \.\.\. /),
    });
  });
});

describe('the queue of images', () => {
  it('refuses calls beyond its limit, and takes them again later', async () => {
    const small = await load({ threads: 1, queueLimit: 3 }); // 2 images under way, 3 wait
    const calls = Array.from({ length: 8 }, () => small.classify(picture(1)));
    const settled = await Promise.allSettled(calls);
    expect(settled.map(({ status }) => status)).toEqual([...Array(5).fill('fulfilled'), ...Array(3).fill('rejected')]);
    const { reason } = settled[7] as PromiseRejectedResult & { reason: MobileNetError };
    expect(reason).toMatchObject({ code: 'OVERLOADED', message: expect.stringContaining('queueLimit is 3') });
    expect(await small.classify(picture(1))).toHaveLength(5);
    await small.close();
  });

  it('takes a batch of any length, but no further one while it is full', async () => {
    const small = await load({ threads: 1, queueLimit: 2 });
    const batch = small.classifyBatch(Array.from({ length: 30 }, () => picture(3)));
    await expect(small.classifyBatch([picture(1)])).rejects.toMatchObject({ code: 'OVERLOADED' });
    await expect(small.classifyStream([picture(1)]).next()).rejects.toMatchObject({ code: 'OVERLOADED' });
    await expect(small.embed(picture(1))).rejects.toMatchObject({ code: 'OVERLOADED' });
    expect((await batch).every(({ predictions }) => predictions?.length === 5)).toBe(true);
    await small.close();
  });

  it('serves concurrent calls fairly: a single image does not wait for the whole of a long batch', async () => {
    const order: string[] = [];
    const batch = model.classifyBatch(Array.from({ length: 60 }, () => picture(4))).then(() => order.push('batch'));
    const single = model.classify(picture(5)).then(() => order.push('single'));
    await Promise.all([batch, single]);
    expect(order).toEqual(['single', 'batch']);
  });
});

async function collect<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const results: T[] = [];
  for await (const result of stream) results.push(result);
  return results;
}
