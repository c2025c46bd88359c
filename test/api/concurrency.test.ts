/** Many calls at once, the event loop meanwhile, and the end of a model's life. */
import { describe, expect, it } from 'vitest';
import { type Classification, MobileNetV2 } from '../../lib/index.js';
import { isaCeiling, native } from '../../lib/native.js';
import { seededModel } from '../../lib/tools/seeded-model.js';

const CLASSES = 12;
const SIZE = 96;
const specOf = (precision: 'float32' | 'int8' = 'float32', size = SIZE) =>
  seededModel({ family: 'mobilenet_v2', width: 0.35, size, classes: CLASSES, precision });

function picture(seed: number, side = SIZE) {
  const data = new Uint8Array(side * side * 3).map((_, i) => (Math.imul(i + seed * 7919, 2654435761) >>> 24) & 255);
  return { data, width: side, height: side, channels: 3 } as const;
}

const closed = { name: 'MobileNetError', code: 'MODEL_CLOSED', message: expect.stringContaining('closed') };

describe('at once', () => {
  it.each([1, 2, 3, 8])('50 calls give what they give alone (%d threads)', async (threads) => {
    await using model = await MobileNetV2.fromSpec(specOf(), { threads });
    const alone: Classification[][] = [];
    for (let i = 0; i < 10; i++) alone.push(await model.classify(picture(i), { topK: CLASSES }));
    const calls = Array.from({ length: 50 }, (_, i) => model.classify(picture(i % 10), { topK: CLASSES }));
    const together = await Promise.all(calls);
    for (const [i, result] of together.entries()) expect(result).toEqual(alone[i % 10]);
    // Single images on all threads, then many on one each: never more arenas than threads, none larger than that of an
    // image which all of them share.
    const { bytes, highWaterBytes } = model.info.arena;
    expect(highWaterBytes).toBeGreaterThanOrEqual(bytes);
    expect(highWaterBytes).toBeLessThanOrEqual(threads * (await sharedArena(threads)));
    if (threads === 1) expect(highWaterBytes).toBeLessThan(bytes + 128);
  });

  async function sharedArena(threads: number): Promise<number> {
    await using model = await MobileNetV2.fromSpec(specOf(), { threads });
    await model.classify(picture(1));
    return model.info.arena.highWaterBytes;
  }

  it('classify, embed and infer of two models share the process', async () => {
    await using a = await MobileNetV2.fromSpec(specOf(), { threads: 2 });
    await using b = await MobileNetV2.fromSpec(specOf('int8'), { threads: 2 });
    const batch = new Int8Array(SIZE * SIZE * 3 * 3).map((_, i) => i);
    const work = () => [
      a.classify(picture(1)),
      b.classify(picture(2)),
      a.embed(picture(3)),
      b.embed(picture(3)),
      b.infer(batch),
    ];
    const want = [];
    for (const call of work()) want.push(await call);
    for (let round = 0; round < 5; round++)
      expect(await Promise.all([...work(), ...work()])).toEqual([...want, ...want]);
  });

  it('the event loop goes on during a long inference', async () => {
    await using model = await MobileNetV2.fromSpec(
      seededModel({ family: 'mobilenet_v2', width: 1, size: 224, classes: CLASSES }),
      { threads: 1 },
    );
    const batch = new Float32Array(500 * 224 * 224 * 3); // some seconds of work: nobody waits for it
    await model.infer(batch.subarray(0, 224 * 224 * 3)); // planned and packed
    const controller = new AbortController();
    let ended = false;
    const running = model.infer(batch, { signal: controller.signal }).finally(() => {
      ended = true;
    });
    const aborted = expect(running).rejects.toMatchObject({ code: 'ABORTED' });
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setTimeout(resolve, 1));
    expect(ended).toBe(false);
    controller.abort();
    await aborted;
  });
});

describe('close', () => {
  it('rejects what is under way with MODEL_CLOSED, and resolves', async () => {
    const model = await MobileNetV2.fromSpec(specOf('float32', 192), { threads: 2 });
    const calls = [
      ...Array.from({ length: 20 }, (_, i) => model.classify(picture(i, 192))),
      model.infer(new Float32Array(40 * 192 * 192 * 3)),
      model.embed(picture(1)),
    ];
    const outcomes = Promise.allSettled(calls);
    await Promise.race(calls); // most images still wait for their turn
    await model.close();
    const rejected = (await outcomes).filter((outcome) => outcome.status === 'rejected');
    expect(rejected.length).toBeGreaterThan(0);
    expect(rejected.length).toBeLessThan(calls.length);
    for (const { reason } of rejected) expect(reason).toMatchObject(closed);
  });

  it('waits for what runs', async () => {
    const model = await MobileNetV2.fromSpec(specOf(), { threads: 2 });
    let ended = false;
    const call = model.infer(new Float32Array(30 * SIZE * SIZE * 3)).catch(() => {
      ended = true;
    });
    await model.close();
    await call;
    expect(ended).toBe(true);
  });

  it('may be called twice, and at once', async () => {
    const model = await MobileNetV2.fromSpec(specOf(), {});
    await Promise.all([model.close(), model.close()]);
    await model.close();
  });

  it('is the end: every later call rejects, and info still tells what the model was', async () => {
    const model = await MobileNetV2.fromSpec(specOf(), { threads: 2 });
    await model.classify(picture(1));
    const info = model.info;
    await model.close();
    await expect(model.classify(picture(1))).rejects.toMatchObject(closed);
    await expect(model.infer(new Float32Array(SIZE * SIZE * 3))).rejects.toMatchObject(closed);
    await expect(model.embed(picture(1))).rejects.toMatchObject(closed);
    await expect(model.classifyBatch([picture(1)])).rejects.toMatchObject(closed);
    expect(model.info).toEqual(info);
  });

  it('info may be asked for the first time after it', async () => {
    const model = await MobileNetV2.fromSpec(specOf(), { threads: 2 });
    await model.close();
    expect(model.info.arena.bytes).toBeGreaterThan(0);
  });

  // By hand: not every Node that runs this knows `using`.
  it('is what Symbol.asyncDispose and Symbol.dispose do', async () => {
    const first = await MobileNetV2.fromSpec(specOf(), {});
    await first[Symbol.asyncDispose]();
    await expect(first.classify(picture(1))).rejects.toMatchObject(closed);
    const second = await MobileNetV2.fromSpec(specOf(), {});
    const running = second.infer(new Float32Array(30 * SIZE * SIZE * 3));
    second[Symbol.dispose]();
    await expect(running).rejects.toMatchObject(closed);
    await second.close();
  });

  it('leaves other models alone', async () => {
    const [a, b] = [await MobileNetV2.fromSpec(specOf(), {}), await MobileNetV2.fromSpec(specOf(), {})]; // the same weights
    const want = await b.classify(picture(4));
    await a.close();
    expect(await b.classify(picture(4))).toEqual(want);
    await b.close();
  });
});

it(`has run on ${isaCeiling()}, of ${native().isas().available.join(', ')}`, async () => {
  await using model = await MobileNetV2.fromSpec(specOf('int8'), {});
  expect(model.info.isa).toBe(process.env.MOBILENETV2_ISA || native().isas().available.at(-1));
});
