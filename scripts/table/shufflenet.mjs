import { GraphBuilder } from './graph-builder.mjs';

const UNITS = [4, 8, 4];
/** Channels of the first stage at scale 1, by number of groups; they double from stage to stage. */
const FIRST_STAGE = { 1: 144, 2: 200, 3: 240, 4: 272, 8: 384 };

/**
 * ShuffleNet (v1) at 224x224 with 1000 classes.
 *
 * @param stemChannels 24 up to 1.5x and 48 at 2x: what the published multiply-adds (292 M, 524 M) are counted with.
 */
export function shuffleNet(scale, stemChannels, groups = 3) {
  const b = new GraphBuilder(224);
  let x = b.relu(b.conv(b.input, stemChannels, { kernel: 3, stride: 2 }));
  x = b.maxPool(x, { kernel: 3, stride: 2 });
  UNITS.forEach((units, stage) => {
    const channels = FIRST_STAGE[groups] * scale * 2 ** stage;
    for (let i = 0; i < units; i++) {
      // The first pointwise convolution of all sees too few channels to be divided.
      x = unit(b, x, channels, i === 0 ? 2 : 1, groups, stage === 0 && i === 0 ? 1 : groups);
    }
  });
  const output = b.classifier(x, 1000);
  return { graph: b.graph(`ShuffleNet ${scale}x g=${groups}`, output), parameters: b.parameters, madds: b.madds };
}

function unit(b, x, channels, stride, groups, firstGroups) {
  let y = b.relu(b.conv(x, channels / 4, { kernel: 1, groups: firstGroups }));
  y = b.shuffle(y, groups);
  y = b.depthwise(y, { kernel: 3, stride });
  if (stride === 1) return b.relu(b.add(x, b.conv(y, channels, { kernel: 1, groups })));
  const shortcut = b.averagePool(x, { kernel: 3, stride: 2 });
  return b.relu(b.concat(shortcut, b.conv(y, channels - x.channels, { kernel: 1, groups })));
}
