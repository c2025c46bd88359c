import type { Command } from 'commander';
import type { LoadOptions, MobileNetV2 } from '../index.js';
import { MobileNetError } from '../index.js';
import type { BenchReport } from '../tools/bench.js';
import { positiveInteger } from './output.js';

interface Options {
  readonly model?: string;
  readonly arch?: string;
  readonly precision?: string;
  readonly batch: number;
  readonly threads?: number;
  readonly duration: number;
  readonly json?: true;
}

export function addBench(program: Command): void {
  program
    .command('bench')
    .summary('time a model on this machine')
    .description('Times inference: from a preprocessed input tensor to probabilities, through the public API.')
    .option('-m, --model <model>', 'a name, a .tflite file, a model.json, or a directory with one')
    .option('-a, --arch <architecture>', 'instead of a model: seeded weights, e.g. mobilenet_v2:1.4:224')
    .option('--precision <precision>', "fp32 or int8 (default: the file's own); fp32 dequantises a quantised file")
    .option('-b, --batch <images>', 'images per call', positiveInteger, 1)
    .option('-t, --threads <count>', 'at most this many threads (default: what the machine gives)', positiveInteger)
    .option('-d, --duration <seconds>', 'how long to measure', Number, 2)
    .option('--json', 'one JSON object')
    .addHelpText(
      'after',
      `
With --json the object is { latencyMs: { min, p50, p90, p99, mean }, runs, throughput, isa, threads, arenaBytes,
peakRssBytes, loadMs, firstInferenceMs, batch, precision, source }. latencyMs is of one call on the whole batch, after a
warm-up; throughput counts images per second; arenaBytes is the length of the activation buffers in use.

Examples:
  $ mobilenetv2 bench --model mobilenet_v2_1.0_224_quant.tflite --threads 1
  $ mobilenetv2 bench --arch mobilenet_v2:1.4:224 --precision fp32 --batch 8 --json`,
    )
    .action(async (options: Options) => {
      const started = performance.now();
      const model = await load(options);
      const loadMs = performance.now() - started;
      try {
        const { bench } = await import('../tools/bench.js');
        const report = await bench(model, { batch: options.batch, seconds: checkDuration(options.duration) });
        const { precision, source } = model.info;
        const result = { ...report, loadMs, batch: options.batch, precision, source };
        process.stdout.write(options.json ? `${JSON.stringify(result)}\n` : text(result));
      } finally {
        await model.close();
      }
    });
}

function checkDuration(seconds: number): number {
  if (seconds > 0 && seconds <= 3600) return seconds;
  throw new MobileNetError('INVALID_ARGUMENT', `--duration: expected seconds above 0, at most 3600, got ${seconds}`);
}

async function load(options: Options): Promise<MobileNetV2> {
  const { model, arch, precision, threads } = options;
  if ((model === undefined) === (arch === undefined)) {
    throw new MobileNetError('INVALID_ARGUMENT', 'bench: give either --model or --arch');
  }
  if (precision !== undefined && precision !== 'fp32' && precision !== 'int8') {
    throw new MobileNetError('INVALID_ARGUMENT', `--precision: expected fp32 or int8, got ${precision}`);
  }
  const loadOptions: LoadOptions = { ...(threads !== undefined && { threads }) };
  if (arch !== undefined) {
    const { loadSeeded } = await import('../tools/load-seeded.js');
    return loadSeeded(arch, precision ?? 'fp32', loadOptions);
  }
  const { MobileNetV2 } = await import('../index.js');
  const loaded = await MobileNetV2.load(model as string, {
    ...loadOptions,
    ...(precision === 'fp32' && { precision: 'float32' }),
  });
  if (precision === 'int8' && loaded.info.precision === 'float32') {
    await loaded.close();
    throw new MobileNetError(
      'INVALID_ARGUMENT',
      `--precision int8: ${model} is a float model; give a quantised file (an int8 or uint8 .tflite)`,
    );
  }
  return loaded;
}

function text(r: BenchReport & { loadMs: number; batch: number; precision: string; source: string }): string {
  const ms = (value: number) => `${value.toFixed(3)} ms`;
  const kb = (bytes: number) => `${(bytes / 1024).toFixed(0)} KB`;
  const { latencyMs: l } = r;
  return `${r.source}: ${r.precision}, batch ${r.batch}, ${r.threads} thread(s), ${r.isa}
  latency     min ${ms(l.min)}, p50 ${ms(l.p50)}, p90 ${ms(l.p90)}, p99 ${ms(l.p99)} (${r.runs} runs)
  throughput  ${r.throughput.toFixed(1)} images/s
  memory      arena ${kb(r.arenaBytes)}, peak RSS ${(r.peakRssBytes / 2 ** 20).toFixed(0)} MB
  start       load ${ms(r.loadMs)}, first inference ${ms(r.firstInferenceMs)}
`;
}
