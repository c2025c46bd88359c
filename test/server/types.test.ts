/** What callers' compilers see. Checked by `npm run typecheck`; vitest only runs it. */
import { describe, expectTypeOf, it } from 'vitest';
import type {
  Classification,
  ClassificationWithLogit,
  ClassScores,
  Heatmap,
  ImageInput,
  MobileNetError,
  MobileNetV2,
} from '../../lib/index.js';

/** Calls are written down, not made. */
const types = (_: (model: MobileNetV2) => unknown) => {};

describe('types', () => {
  it('of predictions follow from the options', () => {
    types(async (model) => {
      expectTypeOf(await model.classify('a.jpg')).toEqualTypeOf<Classification[]>();
      expectTypeOf(await model.classify('a.jpg', { topK: 3 })).toEqualTypeOf<Classification[]>();
      expectTypeOf(await model.classify('a.jpg', { logits: true })).toEqualTypeOf<ClassificationWithLogit[]>();
      expectTypeOf(await model.classify('a.jpg', { outputs: 'typed-array' })).toEqualTypeOf<ClassScores>();
      expectTypeOf(await model.heatmap('a.jpg', 3)).toEqualTypeOf<Heatmap>();
      expectTypeOf(await model.heatmap('a.jpg', 'cat', { format: 'png' })).toEqualTypeOf<Uint8Array>();
      // @ts-expect-error: no such option
      await model.classify('a.jpg', { topk: 3 });
      // @ts-expect-error: labels or indices
      await model.classify('a.jpg', { allow: [true] });
      // @ts-expect-error: one image is no series
      await model.classifyBatch('a.jpg');
    });
  });

  it('of a result of many: predictions or an error, told apart by looking', () => {
    types(async (model) => {
      for await (const result of model.classifyStream([], { logits: true, concurrency: 2 })) {
        expectTypeOf(result.image).toEqualTypeOf<ImageInput>();
        if (result.error) {
          expectTypeOf(result.error).toEqualTypeOf<MobileNetError>();
          expectTypeOf(result.predictions).toEqualTypeOf<undefined>();
        } else {
          expectTypeOf(result.predictions).toEqualTypeOf<ClassificationWithLogit[]>();
        }
      }
      for (const { error, embedding } of await model.embedBatch([])) {
        if (!error) expectTypeOf(embedding).toEqualTypeOf<Float32Array>();
      }
      const [first] = await model.classifyBatch([new Uint8Array(1), 'b.png'], { outputs: 'typed-array' });
      expectTypeOf(first?.predictions).toEqualTypeOf<ClassScores | undefined>();
    });
  });

  it('of options fit variables that may be undefined', () => {
    types((model) => (signal: AbortSignal | undefined, topK: number | undefined) => {
      expectTypeOf(model.classify('a.jpg', { signal, topK })).toEqualTypeOf<Promise<Classification[]>>();
    });
  });
});
