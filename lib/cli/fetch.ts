import type { Command } from 'commander';
import { downloadProgress } from './progress.js';

interface Options {
  readonly from?: string;
  readonly labels?: string;
  readonly cache?: string;
}

export function addFetch(program: Command): void {
  program
    .command('fetch')
    .summary('put a named model into the cache')
    .description(
      'Puts a named model into the cache, from the network or from local copies, and prints where it is.\n' +
        'Files are checked against their published SHA-256. Nothing is downloaded twice.',
    )
    .argument('<name>', 'such as imagenet')
    .option('--from <file>', 'local copy of the model file')
    .option('--labels <file>', 'local copy of the label file')
    .option('--cache <directory>', "cache folder (default: MOBILENETV2_CACHE, or the user's cache folder)")
    .addHelpText(
      'after',
      `
Examples:
  $ mobilenetv2 fetch imagenet
  $ mobilenetv2 fetch imagenet --from model.tflite --labels labels.txt`,
    )
    .action(async (name: string, options: Options) => {
      const { fetchModel } = await import('../index.js');
      const progress = await downloadProgress(name);
      const fetched = await fetchModel(name, {
        from: options.from,
        labelsFrom: options.labels,
        cacheDir: options.cache,
        onProgress: progress.onProgress,
      }).finally(() => progress.stop());
      const lines =
        fetched.kind === 'files'
          ? [`model   ${fetched.model.path}`, ...(fetched.labels ? [`labels  ${fetched.labels.path}`] : [])]
          : [`${name} comes with the npm package ${fetched.package}: npm install ${fetched.package}`];
      process.stdout.write(`${lines.join('\n')}\n`);
    });
}
