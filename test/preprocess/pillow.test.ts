/** The native resize against Pillow itself, by hashes of its output: scripts/pillow-goldens.py. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { PreprocessRecipeName } from '../../lib/model-spec.js';
import { type PreprocessPlan, planPreprocess, type Rect, resolveRecipe } from '../../lib/preprocess.js';
import { pixels } from './pixels.js';
import { runPlan } from './run-plan.js';

interface Golden {
  readonly image: [width: number, height: number, channels: number];
  readonly seed: number;
  /** The pass Pillow ran first; null: not to be seen in the result. */
  readonly first: 'horizontal' | 'vertical' | null;
  readonly sha256: string;
}
type RecipeGolden = Golden & { readonly recipe: PreprocessRecipeName; readonly side: number };
type Numbers4 = [number, number, number, number];
type BoxGolden = Golden & { readonly box: Numbers4; readonly resized: [number, number]; readonly window: Numbers4 };

const goldens = JSON.parse(readFileSync(new URL('pillow-goldens.json', import.meta.url), 'utf8')) as {
  recipes: RecipeGolden[];
  boxes: BoxGolden[];
};

const identityTable = Uint8Array.from({ length: 3 * 256 }, (_, i) => i % 256);

function planOf(golden: Golden, side: number, recipe: PreprocessRecipeName): PreprocessPlan {
  const [width, height, channels] = golden.image;
  const input = {
    width: side,
    height: side,
    dtype: 'uint8',
    quantization: { scale: 1 / 128, zeroPoint: 128 },
  } as const;
  return { ...planPreprocess(resolveRecipe(recipe), { width, height, channels }, input), table: identityTable };
}

async function hashOf(plan: PreprocessPlan, seed: number): Promise<string> {
  const { width, height, channels } = plan.image;
  const output = await runPlan(plan, pixels(seed, width * height * channels));
  return createHash('sha256').update(output).digest('hex');
}

describe('recipes that follow Pillow', () => {
  it('cover every order of the passes', () => {
    expect(new Set(goldens.recipes.map(({ first }) => first))).toEqual(new Set(['horizontal', 'vertical', null]));
  });

  for (const golden of goldens.recipes) {
    it(`${golden.recipe} of ${golden.image.join(' x ')} to ${golden.side}`, async () => {
      const plan = planOf(golden, golden.side, golden.recipe);
      if (golden.first) expect(plan.verticalFirst).toBe(golden.first === 'vertical');
      expect(await hashOf(plan, golden.seed)).toBe(golden.sha256);
    });
  }
});

describe('boxes and windows', () => {
  const rect = ([x, y, width, height]: Numbers4): Rect => ({ x, y, width, height });

  for (const golden of goldens.boxes) {
    const [width, height] = golden.resized;
    const box = rect(golden.box);
    it(`${golden.image.join(' x ')}: box ${golden.box} to ${width} x ${height}, window ${golden.window}`, async () => {
      const plan = {
        ...planOf(golden, 1, 'stretch'),
        box,
        resized: { width, height },
        window: rect(golden.window),
        verticalFirst: golden.first === 'vertical',
      };
      expect(await hashOf(plan, golden.seed)).toBe(golden.sha256);
    });
  }
});
