/**
 * The largest tensor that must exist whole at each resolution, for the networks that MobileNetV2 is usually compared
 * with: computed from the networks themselves, beside the figures of the published comparison.
 */
import { describeSpec } from '../model-info.js';
import type { ModelSpec } from '../model-spec.js';
import { seededModel } from './seeded-model.js';

export interface Resolution {
  readonly height: number;
  readonly width: number;
  /** Of the widest tensor between blocks at this resolution. */
  readonly channels: number;
  /** With 16-bit values. */
  readonly bytes: number;
}

export interface ComparedNetwork {
  readonly name: string;
  readonly computed: readonly Resolution[];
  /** As published, from the highest resolution down: channels and rounded kilobytes. */
  readonly published: readonly { readonly channels: number; readonly kilobytes: number }[];
}

/**
 * Tensors between blocks, from the highest resolution down to the pooled vector. The stem's output is left out where a
 * block follows at its resolution: row by row, it feeds that block.
 */
export function resolutionsOf(spec: ModelSpec): Resolution[] {
  const { blocks } = describeSpec(spec);
  const pooled = spec.head?.outChannels ?? blocks.at(-1)?.outChannels ?? spec.stem.outChannels;
  return largestPerSize([
    ...blocks.map(({ height, width, outChannels }) => ({ height, width, channels: outChannels })),
    { height: 1, width: 1, channels: pooled },
  ]);
}

function largestPerSize(tensors: readonly Omit<Resolution, 'bytes'>[]): Resolution[] {
  const rows: Resolution[] = [];
  for (const tensor of tensors) {
    const row = { ...tensor, bytes: tensor.height * tensor.width * tensor.channels * 2 };
    const last = rows.at(-1);
    if (last?.height !== row.height || last.width !== row.width) rows.push(row);
    else if (row.channels > last.channels) rows[rows.length - 1] = row;
  }
  return rows;
}

function published(...pairs: readonly (readonly [number, number])[]): ComparedNetwork['published'] {
  return pairs.map(([channels, kilobytes]) => ({ channels, kilobytes }));
}

const square = (side: number, channels: number) => ({ height: side, width: side, channels });

/** At 224x224. */
export function comparedNetworks(): ComparedNetwork[] {
  const ours = (family: 'mobilenet_v1' | 'mobilenet_v2') =>
    resolutionsOf(seededModel({ family, width: 1, size: 224, precision: 'float32' }));
  return [
    {
      name: 'MobileNetV1',
      computed: ours('mobilenet_v1'),
      published: published([64, 1600], [128, 800], [256, 400], [512, 200], [1024, 199], [1024, 2]),
    },
    {
      name: 'MobileNetV2',
      computed: ours('mobilenet_v2'),
      published: published([16, 400], [32, 200], [64, 100], [160, 62], [320, 32], [1280, 2]),
    },
    {
      name: 'ShuffleNet 2x, g=3',
      // A 48-channel convolution, pooled to 56x56, and three stages.
      computed: largestPerSize([
        ...[square(112, 48), square(56, 48), square(28, 480), square(14, 960), square(7, 1920), square(1, 1920)],
      ]),
      published: published([32, 800], [48, 300], [400, 600], [800, 310], [1600, 156], [1600, 3]),
    },
  ];
}

/** Where the two differ, and why. */
export const COMPARISON_NOTES: readonly string[] = [
  'MobileNetV2: published pairs the size before a stride with the channels after',
  'MobileNetV1 at 7x7: 1024 channels are 100 KB, not the 199 published',
  'ShuffleNet: published 400, 800 and 1600 channels belong to g=2; 48 to the stem',
];
