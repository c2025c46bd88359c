import { expect, it } from 'vitest';
import { plannedMemory } from '../../lib/tools/memory.js';
import { seededModel } from '../../lib/tools/seeded-model.js';

it('says what each buffer of the arena is, whatever the file calls its layers', () => {
  const spec = seededModel({ family: 'mobilenet_v2', width: 0.35, size: 96, classes: 5 });
  const rename = <T extends { readonly name: string }>(layer: T, name: string): T => ({ ...layer, name });
  const hostile = {
    ...spec,
    stem: rename(spec.stem, 'stem (scratch'),
    blocks: spec.blocks.map((block, i) => ({ ...block, project: rename(block.project, `${i} (ring`) })),
  };
  const kinds = (of: typeof spec) => plannedMemory(of).ranges.map(({ kind }) => kind);
  expect(kinds(hostile)).toEqual(kinds(spec));
  expect(new Set(kinds(spec))).toEqual(new Set(['tensor', 'ring', 'scratch']));
});
