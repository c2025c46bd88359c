import type { Command } from 'commander';
import { MobileNetError } from '../index.js';

interface Options {
  readonly arch?: string;
  readonly precision?: string;
  readonly memory?: true;
  readonly json?: true;
}

export function addInspect(program: Command): void {
  program
    .command('inspect')
    .summary('print what a model file contains')
    .description('Prints what was understood of a model: its blocks, sizes, preprocessing and labels.')
    .argument('[model]', 'a name, a .tflite file, a model.json, or a directory with one')
    .option('-a, --arch <architecture>', 'instead of a model: seeded weights, e.g. mobilenet_v2:1.4:224')
    .option('--precision <precision>', 'fp32: as if dequantised; int8: check that it is quantised')
    .option('--memory', 'also: the largest tensors, and the arena as it is planned')
    .option('--json', 'one JSON object')
    .addHelpText(
      'after',
      `
Blocks are listed as t, c, n, s: n blocks in a row with expansion t and c output
channels, the first with stride s.

With --json the object is
  { network: { source, format, family, precision, input, classes, parameters,
    macs }, stem, stages: [{ t, c, n, s, height, width, inChannels, macs }],
    head, classifier, softmax, inputQuantization, preprocess, labels }
and, with --memory, memory: { perResolution, compared, int8, fp32,
plan: { arenaBytes, steps, ranges } }, where int8 and fp32 are the bytes
{ unfused, fused, chained } of all that is written while an image runs on one
thread.

Examples:
  $ mobilenetv2 inspect mobilenet_v2_1.0_224_quant.tflite
  $ mobilenetv2 inspect imagenet --memory
  $ mobilenetv2 inspect --arch mobilenet_v2:0.35:96 --json | jq .stages`,
    )
    .action(async (model: string | undefined, { arch, precision, memory, json }: Options) => {
      if ((model === undefined) === (arch === undefined)) {
        throw new MobileNetError('INVALID_ARGUMENT', 'inspect: give either a model or --arch');
      }
      if (precision !== undefined && precision !== 'fp32' && precision !== 'int8') {
        throw new MobileNetError('INVALID_ARGUMENT', `--precision: expected fp32 or int8, got ${precision}`);
      }
      const { inspectModel } = await import('../tools/inspect.js');
      const inspection = await inspectModel({ model, arch }, precision, memory === true);
      if (json) process.stdout.write(`${JSON.stringify(inspection)}\n`);
      else process.stdout.write((await import('./inspect-text.js')).inspectionText(inspection));
    });
}
