import Table from 'cli-table3';
import type { Command } from 'commander';
import type { Classification } from '../index.js';
import { reportError } from './errors.js';
import { addModelOptions, loadModel, type ModelOptions } from './model-options.js';
import { paint, positiveInteger, printable } from './output.js';
import { NO_LINES } from './tables.js';

interface Options extends ModelOptions {
  readonly top: number;
  readonly json?: true;
}

export function addClassify(program: Command): void {
  const command = program
    .command('classify')
    .summary('print the most probable labels of images')
    .description('Prints the most probable labels of each image (JPEG, PNG, WebP, AVIF, GIF or TIFF).')
    .argument('<image...>', 'image files');
  addModelOptions(command)
    .option('-k, --top <count>', 'how many labels per image', positiveInteger, 5)
    .option('--json', 'one JSON object per image and line')
    .addHelpText(
      'after',
      `
Models by name: imagenet (1001 labels; downloaded once) and nsfwjs (with the npm
package of that name).

With --json a line is
  { "image", "predictions": [{ "index", "label", "probability" }], "ms" }
index is the raw output index of the model; label is null without labels; ms is
the time from the file's bytes to the labels, decoding included.

Examples:
  $ mobilenetv2 classify cat.jpg dog.jpg
  $ mobilenetv2 classify cat.jpg --model nsfwjs --top 1
  $ mobilenetv2 classify photos/*.jpg --json > labels.jsonl`,
    )
    .action(async (images: string[], options: Options) => {
      process.exitCode = await classify(images, options);
    });
}

async function classify(images: readonly string[], options: Options): Promise<number> {
  const model = await loadModel(options);
  let exitCode = 0;
  try {
    for (const image of images) {
      const started = performance.now();
      try {
        const predictions = await model.classify(image, { topK: options.top });
        const ms = Number((performance.now() - started).toFixed(3));
        if (options.json) process.stdout.write(`${JSON.stringify({ image, predictions, ms })}\n`);
        else process.stdout.write(`${table(image, predictions, ms)}\n\n`);
      } catch (error) {
        const code = reportError(error, image);
        exitCode ||= code; // of the first image that failed
      }
    }
  } finally {
    await model.close();
  }
  return exitCode;
}

function table(image: string, predictions: readonly Classification[], ms: number): string {
  const out = process.stdout;
  const rows = new Table({
    colAligns: ['right', 'left', 'right'],
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 2 },
    chars: NO_LINES,
  });
  predictions.forEach(({ index, label, probability }, rank) => {
    const percent = `${(probability * 100).toFixed(1)} %`;
    const name = label === null ? `class ${index}` : printable(label);
    rows.push([percent, rank === 0 ? paint(out, 'bold', name) : name, paint(out, 'dim', String(index))]);
  });
  return `${paint(out, 'cyan', printable(image))}  ${paint(out, 'dim', `${ms.toFixed(1)} ms`)}\n${rows.toString().replace(/ +$/gm, '')}`;
}
