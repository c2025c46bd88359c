import diagnostics from 'node:diagnostics_channel';
import { createRequire } from 'node:module';
import { describe, expect, it, vi } from 'vitest';
import { type ImageTrace, type LoadTrace, MobileNetV2 } from '../../lib/index.js';
import { load, notAnImage, picture } from './seeded.js';

const baboon = createRequire(import.meta.url).resolve('baboon-image/baboon.png');

async function listen<T>(channel: string, work: () => Promise<unknown>): Promise<T[]> {
  const messages: T[] = [];
  const listener = (message: unknown) => messages.push(message as T);
  diagnostics.subscribe(channel, listener);
  try {
    await work();
  } finally {
    diagnostics.unsubscribe(channel, listener);
  }
  return messages;
}

describe('diagnostics channels', () => {
  it('mobilenetv2:image tells where the time of each image goes', async () => {
    const model = await load();
    const images = [baboon, picture(1), notAnImage];
    const traces = await listen<ImageTrace>('mobilenetv2:image', async () => {
      await model.classifyBatch(images);
      await model.embed(picture(2));
      await model.classMap(picture(2));
    });
    expect(traces.map(({ operation }) => operation).sort()).toEqual([
      'classMap',
      ...Array(3).fill('classify'),
      'embed',
    ]);
    for (const { model: name, queueMs, decodeMs, preprocessMs, inferenceMs, totalMs } of traces) {
      expect(name).toBe(model.info.source);
      for (const ms of [queueMs, decodeMs, preprocessMs, inferenceMs]) expect(ms).toBeGreaterThanOrEqual(0);
      expect(queueMs + decodeMs + preprocessMs + inferenceMs).toBeLessThanOrEqual(totalMs);
    }
    expect(traces.filter(({ error }) => error !== null).map(({ error }) => error?.code)).toEqual(['INVALID_ARGUMENT']);
    expect(Math.max(...traces.map(({ decodeMs }) => decodeMs))).toBeGreaterThan(1); // the PNG of 512 x 512
    await model.close();
  });

  it('mobilenetv2:load tells how long loading took', async () => {
    const traces = await listen<LoadTrace>('mobilenetv2:load', async () => (await MobileNetV2.load('nsfwjs')).close());
    expect(traces).toEqual([{ model: expect.stringContaining('nsfwjs'), totalMs: expect.any(Number) }]);
  });

  it('cost no look at the clock when nobody listens', async () => {
    const model = await load();
    const clock = vi.spyOn(performance, 'now');
    await model.classify(picture(1));
    expect(clock).not.toHaveBeenCalled();
    clock.mockRestore();
    await model.close();
  });
});
