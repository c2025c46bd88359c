import { type Command, Option } from 'commander';
import { MobileNetError } from '../index.js';
import type { BenchReport, BenchResult } from '../tools/bench.js';
import type { Comparison } from '../tools/saved-runs.js';
import {
  type BenchOptions,
  benchCases,
  benchMode,
  naturalNumber,
  positiveIntegers,
  stablePercent,
  words,
} from './bench-options.js';
import { benchProgress } from './bench-progress.js';
import { CaseFailed, runHere, runInProcess } from './bench-run.js';
import { caseText, reportsCsv, reportsMarkdown, sweepText } from './bench-text.js';
import { positiveInteger } from './output.js';
import { exitCodeAfter, finishing } from './streams.js';

const HELP = `
The clock runs from a preprocessed input tensor to probabilities, through the
public API. The first call is reported apart, --warmup more are not counted.
Measuring stops when the first of --runs, --duration and --until-stable is met.

Lists (--batch 1,8,32) make a sweep: every combination, in a process each. With
--json one case is one object, a sweep one object per line:
  { source, precision, batch, threads, isa, concurrency,
    latencyMs: { min, p50, p90, p99, mean }, runs, warmup, stoppedBy,
    throughput, arenaBytes, peakRssBytes, loadMs, firstInferenceMs,
    blockMediansMs, machine, warnings }
latencyMs is of one call on the whole batch; throughput counts images per
second; arenaBytes is the length of the activation buffers in use; warnings tell
why the machine was not quiet. With the option of that name also
  cold        { processes, startToFirstOutputMs, bareNodeMs, netMs, ... }
  profile     { ops: [{ name, what, kernel, ms, macs, gmacPerSecond,
                shareOfPeak, weightBytes, activationBytes }], ms, macs, ... }
  peers       [{ name, version, backend, latencyMs, ours, ratio,
                largestDifference } or { name, missing }]
and with --against
  comparison  { case, verdict, ratio, low, high, caveats }

--against is 95 % sure when it says faster or slower (bootstrap over medians of
stretches of runs, and more than 1 % apart). That is about these two runs: a
machine that changed in between is not in the figure.
--peers times onnxruntime-node and TensorFlow.js, where the current folder has
them, in turns with this package. --report needs the package echarts, --peers
with ONNX Runtime the package pbf; they are looked for only then.

Examples:
  $ mobilenetv2 bench --model mobilenet_v2_1.0_224_quant.tflite --threads 1
  $ mobilenetv2 bench --arch mobilenet_v2:1.4:224 --precision fp32,int8 --csv
  $ mobilenetv2 bench --model imagenet --until-stable --report report.html
  $ mobilenetv2 bench --model imagenet --save before.json
  $ mobilenetv2 bench --model imagenet --against before.json --peers`;

export function addBench(program: Command): void {
  program
    .command('bench')
    .summary('time a model on this machine')
    .description('Times a model: how fast, how much memory, and where the time goes.')
    .option('-m, --model <model>', 'a name, a .tflite file, a model.json, or a directory with one')
    .option('-a, --arch <architecture>', 'instead of a model: seeded weights, e.g. mobilenet_v2:1.4:224')
    .option('--precision <list>', "fp32, int8 (default: the file's own); fp32 dequantises a quantised file", words)
    .option('-b, --batch <list>', 'images per call', positiveIntegers, [1])
    .option('-t, --threads <list>', 'at most this many threads (default: what the machine gives)', positiveIntegers)
    .option('--isa <list>', 'strongest instruction set to use: scalar, avx2, neon, ... (default: the best)', words)
    .option('-w, --warmup <calls>', 'calls that are not counted', naturalNumber, 3)
    .option('-n, --runs <calls>', 'stop after this many calls', positiveInteger)
    .option('-d, --duration <seconds>', 'stop after this time (default: 2, or 60 with --until-stable)', Number)
    .addOption(
      new Option('--until-stable [percent]', 'stop when the median is known this well, with 95 % confidence')
        .preset('1')
        .argParser(stablePercent),
    )
    .option('--mode <mode>', 'latency: one call at a time; throughput: several', benchMode, 'latency')
    .option(
      '-c, --concurrency <calls>',
      'calls at a time (default in throughput mode: twice the threads)',
      positiveInteger,
    )
    .option('--cold <processes>', 'also time the cold start, in this many fresh processes', naturalNumber, 0)
    .option('--profile', "also time every operator, beside the machine's peak")
    .option('--peers', 'also time other engines on the same weights')
    .option('--save <file>', 'keep the result for --against')
    .option('--against <file>', 'compare with a result kept before')
    .option('--report <file>', 'write a page with charts (HTML, self-contained)')
    .option('--json', 'one JSON object per case')
    .option('--csv', 'a header and a line per case (with --profile: per operator)')
    .option('--markdown', 'tables in Markdown')
    .addOption(new Option('--raw', 'with --json: all run times').hideHelp())
    .addHelpText('after', HELP)
    .action(async (options: BenchOptions) => {
      const files = options.save !== undefined || options.report !== undefined;
      process.exitCode = exitCodeAfter(files ? await finishing(() => run(options)) : await run(options));
    });
}

async function run(options: BenchOptions): Promise<number> {
  const cases = benchCases(options);
  const { compareRuns, readRuns, saveRuns } = await import('../tools/saved-runs.js');
  const earlier = options.against === undefined ? null : await readRuns(options.against);
  if (options.report !== undefined) await (await import('../tools/report/charts.js')).loadCharts();
  const { checkCanWrite } = await import('../tools/write-file.js');
  if (options.save !== undefined) await checkCanWrite('--save', options.save);
  if (options.report !== undefined) await checkCanWrite('--report', options.report);
  const progress = await benchProgress();
  const results: BenchResult[] = [];
  const comparisons: (Comparison | null)[] = [];
  try {
    for (const [i, c] of cases.entries()) {
      if (cases.length > 1) progress.update(`case ${i + 1} of ${cases.length}`, i / cases.length);
      const result = cases.length === 1 ? await runHere(c, progress) : await runInProcess(c);
      results.push(result);
      const comparison = earlier ? compareRuns(result.report, earlier) : null;
      comparisons.push(comparison);
      if (!options.json) continue;
      progress.stop();
      process.stdout.write(`${JSON.stringify(jsonOf(result, comparison, options))}\n`);
    }
  } catch (error) {
    if (error instanceof CaseFailed) return error.exitCode;
    throw error;
  } finally {
    progress.stop();
  }
  const reports = results.map(({ report }) => report);
  if (!options.json) process.stdout.write(textOf(reports, comparisons, options));
  if (earlier && comparisons.every((comparison) => comparison === null)) {
    throw new MobileNetError('INVALID_ARGUMENT', `--against ${options.against}: no case of it was measured now`);
  }
  if (options.save !== undefined) await saveRuns(options.save, reports);
  if (options.report !== undefined) await writeReport(options.report, results, comparisons, options);
  return 0;
}

function jsonOf({ report, timesMs }: BenchResult, comparison: Comparison | null, { raw }: BenchOptions): object {
  return { ...report, ...(comparison && { comparison }), ...(raw && { timesMs }) };
}

function textOf(
  reports: readonly BenchReport[],
  comparisons: readonly (Comparison | null)[],
  options: BenchOptions,
): string {
  if (options.csv) return reportsCsv(reports);
  if (options.markdown) return reportsMarkdown(reports, comparisons);
  const [first] = reports;
  return reports.length === 1 && first ? caseText(first, comparisons[0] ?? null) : sweepText(reports, comparisons);
}

async function writeReport(
  file: string,
  results: readonly BenchResult[],
  comparisons: readonly (Comparison | null)[],
  { model, arch, precision }: BenchOptions,
): Promise<void> {
  const { writeReport } = await import('../tools/report/index.js');
  const one = precision?.length === 1 ? (precision[0] as 'fp32' | 'int8') : undefined;
  await writeReport(file, { results, comparisons, source: { model, arch }, precision: one });
}
