import { writeFile } from 'node:fs/promises';
import type { Command } from 'commander';
import type { MobileNetV2 } from '../index.js';
import { MobileNetError } from '../index.js';
import { addModelOptions, loadModel, type ModelOptions } from './model-options.js';
import { printable } from './output.js';

interface Options extends ModelOptions {
  readonly out: string;
  readonly class?: string;
  readonly json?: true;
}

export function addExplain(program: Command): void {
  const command = program
    .command('explain')
    .summary('show where in an image the network sees a class')
    .description('Writes a PNG of the image, coloured where the network sees a class: its class activation map.')
    .argument('<image>', 'image file')
    .requiredOption('-o, --out <file>', 'the PNG to write')
    .option('-c, --class <class>', 'index or label (default: the most probable class)');
  addModelOptions(command)
    .option('--json', 'one JSON object')
    .addHelpText(
      'after',
      `
The whole image is shown to the network in its own shape, whatever the recipe
would crop. With --json the object is
  { "image", "out", "index", "label", "probability" }
and the probability is that of the ordinary classification.

Examples:
  $ mobilenetv2 explain cat.jpg --out cat-heat.png
  $ mobilenetv2 explain street.jpg --out cars.png --class minivan`,
    )
    .action(explain);
}

async function explain(image: string, options: Options): Promise<void> {
  const model = await loadModel(options);
  try {
    const wanted = options.class === undefined ? undefined : [classOf(options.class, model)];
    const [best] = await model.classify(image, { topK: 1, allow: wanted });
    if (best === undefined) throw new MobileNetError('INTERNAL', `${image}: no class came back`);
    const png = await model.heatmap(image, best.index, { format: 'png' });
    await write(options.out, png);
    if (options.json) process.stdout.write(`${JSON.stringify({ image, out: options.out, ...best })}\n`);
    else process.stdout.write(`${printable(options.out)}: ${describeClass(best)}\n`);
  } finally {
    await model.close();
  }
}

/** Digits are an index, anything else a label. @throws MobileNetError INVALID_ARGUMENT. */
function classOf(text: string, { labels, info }: MobileNetV2): number {
  if (/^\d+$/.test(text) && Number(text) < info.classes) return Number(text);
  const found = [...(labels ?? []).entries()].filter(([, label]) => label === text).map(([index]) => index);
  if (found.length === 1) return found[0] as number;
  const choices = found.length > 1 ? `an index, one of ${found.join(', ')}` : `0 ... ${info.classes - 1} or a label`;
  throw new MobileNetError('INVALID_ARGUMENT', `--class: expected ${choices}, got ${JSON.stringify(text)}`);
}

function describeClass({ label, index, probability }: Awaited<ReturnType<MobileNetV2['classify']>>[number]): string {
  const name = label === null ? `class ${index}` : printable(label);
  return `${name} (${(probability * 100).toFixed(1)} %)`;
}

async function write(path: string, bytes: Uint8Array): Promise<void> {
  try {
    await writeFile(path, bytes);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new MobileNetError('INVALID_ARGUMENT', `--out: cannot write ${path}: ${reason}`, { cause });
  }
}
