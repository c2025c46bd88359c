import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command, CommanderError } from 'commander';
import { packageRoot } from '../place.js';
import { addBench } from './bench.js';
import { addClassify } from './classify.js';
import { addDoctor } from './doctor.js';
import { EXIT_CODES_HELP, EXIT_USAGE, reportError } from './errors.js';
import { addExplain } from './explain.js';
import { addFetch } from './fetch.js';
import { addInspect } from './inspect.js';
import { watchStreams } from './streams.js';

/** Runs the command line `argv` (as process.argv) and sets the process's exit code. Never rejects. */
export async function main(argv: readonly string[]): Promise<void> {
  watchStreams();
  const manifest = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8'));
  const program = new Command('mobilenetv2')
    .description('Classifies images with MobileNetV2: TFLite and TensorFlow.js model files, or a model by name.')
    .version(manifest.version)
    .exitOverride()
    .configureOutput({
      outputError: (text, write) =>
        write(
          `error [USAGE]: ${text
            .replace(/^error: /, '')
            .trim()
            .replace(/\s*\n/g, ' ')}\n`,
        ),
    })
    .addHelpText(
      'after',
      `
Examples:
  $ mobilenetv2 classify cat.jpg
  $ mobilenetv2 classify *.jpg --model model.tflite --labels labels.txt --top 3
  $ mobilenetv2 classify photo.png --model teachable-machine-export/ --json
  $ mobilenetv2 fetch imagenet --from model.tflite --labels labels.txt

Environment:
  MOBILENETV2_CACHE    folder of named models (default: the user's cache folder)
  MOBILENETV2_MIRROR   URL to take named models' files from instead
  MOBILENETV2_ISA      strongest instruction set to use: scalar, avx2, neon, ...
  NO_COLOR             no colours

${EXIT_CODES_HELP}
`,
    );
  addClassify(program);
  addFetch(program);
  addExplain(program);
  addBench(program);
  addInspect(program);
  addDoctor(program);
  try {
    await program.parseAsync([...argv]);
  } catch (error) {
    // Commander has printed its message; asking for help or the version is no failure.
    if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : EXIT_USAGE;
    else process.exitCode = reportError(error);
  }
}
