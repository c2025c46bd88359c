/** The options of commands that run a model on images, and loading it as they say. */
import type { Command } from 'commander';
import type { LoadOptions, MobileNetV2, PreprocessRecipeName } from '../index.js';
import { positiveInteger } from './output.js';
import { downloadProgress } from './progress.js';

export interface ModelOptions {
  readonly model: string;
  readonly labels?: string;
  readonly preprocess?: PreprocessRecipeName;
  readonly threads?: number;
}

export function addModelOptions(command: Command): Command {
  return command
    .option('-m, --model <model>', 'a name, a .tflite file, a model.json, or a directory with one', 'imagenet')
    .option('-l, --labels <file>', "text file with one label per line (default: the model's own)")
    .option(
      '-p, --preprocess <recipe>',
      'tf, torchvision, keras, teachable-machine, nsfwjs or stretch (default: what the model implies)',
    )
    .option(
      '-t, --threads <count>',
      'at most this many threads (default: as many as the machine gives)',
      positiveInteger,
    );
}

/** Shows a download on the way. The caller closes the model. @throws MobileNetError as MobileNetV2.load does. */
export async function loadModel({ model, labels, preprocess, threads }: ModelOptions): Promise<MobileNetV2> {
  const { MobileNetV2 } = await import('../index.js');
  const progress = await downloadProgress(model);
  const options: LoadOptions = {
    onProgress: progress.onProgress,
    ...(labels !== undefined && { labels }),
    ...(preprocess !== undefined && { preprocess }),
    ...(threads !== undefined && { threads }),
  };
  return MobileNetV2.load(model, options).finally(() => progress.stop());
}
