// The six networks of the published comparison, and what was published of each.

import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from '../setup.mjs';
import { nasNetMobile } from './nasnet.mjs';
import { shuffleNet } from './shufflenet.mjs';

const dist = (path) => import(pathToFileURL(join(root, 'dist', ...path.split('/'))).href);

/** Runs on this package's engine. */
async function mobileNet(family, width) {
  const { seededModel } = await dist('tools/seeded-model.js');
  const { describeSpec } = await dist('model-info.js');
  const spec = seededModel({ family, width, size: 224, precision: 'float32' });
  const { parameters, macs } = describeSpec(spec);
  return { spec, parameters, madds: macs };
}

/**
 * Each gives { parameters, madds } and either a spec (for our engine) or a graph (for ONNX Runtime). `noted` is as
 * published, and top-1 accuracy is published only: these networks have seeded weights.
 */
export const systems = [
  {
    system: 'MobileNetV1',
    publishedTop1: 70.6,
    noted: { parameters: 4.2e6, madds: 575e6 },
    build: () => mobileNet('mobilenet_v1', 1),
  },
  {
    system: 'ShuffleNet (1.5)',
    publishedTop1: 71.5,
    noted: { parameters: 3.4e6, madds: 292e6 },
    build: async () => shuffleNet(1.5, 24),
  },
  {
    system: 'ShuffleNet (x2)',
    publishedTop1: 73.7,
    noted: { parameters: 5.4e6, madds: 524e6 },
    build: async () => shuffleNet(2, 48),
  },
  {
    system: 'NASNet-A',
    publishedTop1: 74.0,
    noted: { parameters: 5.3e6, madds: 564e6 },
    build: async () => nasNetMobile(),
  },
  {
    system: 'MobileNetV2',
    publishedTop1: 72.0,
    noted: { parameters: 3.4e6, madds: 300e6 },
    build: () => mobileNet('mobilenet_v2', 1),
  },
  {
    system: 'MobileNetV2 (1.4)',
    publishedTop1: 74.7,
    noted: { parameters: 6.9e6, madds: 585e6 },
    build: () => mobileNet('mobilenet_v2', 1.4),
  },
];
