import { GraphBuilder } from './graph-builder.mjs';

const STEM_CHANNELS = 32;
const CELLS = 4;

/** NASNet-A (4 @ 1056), the mobile network, at 224x224 with 1000 classes. */
export function nasNetMobile() {
  const b = new GraphBuilder(224);
  const filters = 1056 / 24;
  let x = b.conv(b.input, STEM_CHANNELS, { kernel: 3, stride: 2, padding: 'valid' });
  let previous = null;
  const step = (cell, channels) => {
    const y = cell(b, x, previous, channels);
    previous = x;
    x = y;
  };
  step(reduction, filters / 4);
  step(reduction, filters / 2);
  for (const multiple of [1, 2, 4]) {
    if (multiple > 1) step(reduction, filters * multiple);
    for (let i = 0; i < CELLS; i++) step(normal, filters * multiple);
  }
  const output = b.classifier(b.relu(x), 1000);
  return { graph: b.graph('NASNet-A mobile', output), parameters: b.parameters, madds: b.madds };
}

/** ReLU and a separable convolution, twice; the first one may have a stride. */
function separable(b, x, channels, kernel, stride = 1) {
  const half = (input, s) =>
    b.conv(
      b.conv(b.relu(input), input.channels, { kernel, stride: s, groups: input.channels, bias: false }),
      channels,
      {
        kernel: 1,
      },
    );
  return half(half(x, stride), 1);
}

function squeeze(b, x, channels) {
  return b.conv(b.relu(x), channels, { kernel: 1 });
}

/** Brings the cell before last to the size and channels of this one. */
function adjust(b, previous, x, channels) {
  if (previous === null) return x;
  if (previous.height !== x.height) {
    const active = b.relu(previous);
    const half = (offset) => b.conv(b.everySecond(active, offset), channels / 2, { kernel: 1 });
    return b.concat(half(0), half(1));
  }
  return previous.channels === channels ? previous : squeeze(b, previous, channels);
}

const POOL = { kernel: 3, stride: 1 };
const HALVING_POOL = { kernel: 3, stride: 2 };

function normal(b, x, previous, channels) {
  const p = adjust(b, previous, x, channels);
  const h = squeeze(b, x, channels);
  const pooled = b.averagePool(p, POOL);
  return b.concat(
    p,
    b.add(separable(b, h, channels, 5), separable(b, p, channels, 3)),
    b.add(separable(b, p, channels, 5), separable(b, p, channels, 3)),
    b.add(b.averagePool(h, POOL), p),
    b.add(pooled, pooled),
    b.add(separable(b, h, channels, 3), h),
  );
}

function reduction(b, x, previous, channels) {
  const h = squeeze(b, x, channels);
  const p = adjust(b, previous, x, channels);
  const strongest = b.maxPool(h, HALVING_POOL);
  const one = b.add(separable(b, h, channels, 5, 2), separable(b, p, channels, 7, 2));
  const two = b.add(strongest, separable(b, p, channels, 7, 2));
  const three = b.add(b.averagePool(h, HALVING_POOL), separable(b, p, channels, 5, 2));
  return b.concat(two, three, b.add(b.averagePool(one, POOL), two), b.add(separable(b, one, channels, 3), strongest));
}
