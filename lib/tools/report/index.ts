/** The report of a benchmark as one HTML page. */
import type { BenchReport, BenchResult } from '../bench.js';
import { type PlannedMemory, plannedMemory } from '../memory.js';
import type { PeerReport } from '../peers/index.js';
import type { Profile } from '../profile.js';
import { type NetworkSource, type PrecisionName, readNetwork } from '../read-network.js';
import type { Comparison } from '../saved-runs.js';
import { writeWhole } from '../write-file.js';
import { type Charts, loadCharts } from './charts.js';
import { figure, type Html, html, page, section, table } from './page.js';

export interface ReportRequest {
  readonly results: readonly BenchResult[];
  /** One per result; null where there is nothing to compare with. */
  readonly comparisons: readonly (Comparison | null)[];
  readonly source: NetworkSource;
  /** The one that was measured; undefined: the file's own, or several. */
  readonly precision: PrecisionName | undefined;
}

/** Distributions shown; more would say what the table says. */
const MAX_DISTRIBUTIONS = 6;

/** @throws MobileNetError PACKAGE_MISSING without echarts; INVALID_ARGUMENT when the file cannot be written. */
export async function writeReport(file: string, request: ReportRequest): Promise<void> {
  await writeWhole('--report', file, await renderReport(request));
}

export async function renderReport({ results, comparisons, source, precision }: ReportRequest): Promise<string> {
  const charts = await loadCharts();
  const reports = results.map(({ report }) => report);
  const first = reports[0] as BenchReport;
  const spec = await readNetwork(source, precision);
  const plan = plannedMemory(spec);
  return page(`${first.source}: benchmark`, [
    header(reports),
    section('comparison', 'Results', [casesTable(reports), ...comparisonLines(comparisons)]),
    ...results.slice(0, MAX_DISTRIBUTIONS).map((result, i) => distribution(charts, result, i)),
    ...scaling(charts, reports),
    ...reports.flatMap((report) => (report.peers ? [peersTable(report, report.peers)] : [])),
    ...reports.flatMap((report, i) => (report.profile ? profileSections(charts, report, report.profile, i) : [])),
    figure(
      'arena',
      `Memory of the activations: ${Math.ceil(plan.arenaBytes / 1024)} KB`,
      charts.arena(plan),
      `One image on one thread, ${spec.precision}. ${plan.steps.map(stepText).join('; ')}.`,
    ),
  ]);
}

function stepText(ops: PlannedMemory['steps'][number], i: number): string {
  const [first] = ops;
  return ops.length > 1 ? `${i + 1}: ${ops.length} operators chained by rows` : `${i + 1}: ${first?.what}`;
}

function header(reports: readonly BenchReport[]): Html {
  const { source, machine: m } = reports[0] as BenchReport;
  const warnings = [...new Set(reports.flatMap((r) => r.warnings))];
  return html`<h1>${source}</h1>
<p class="facts">${m.cpu}, ${m.usableCpus} of ${m.cpus} CPUs usable, ${m.features.at(-1) ?? ''}${m.governor ? `, governor ${m.governor}` : ''},
load ${m.load.toFixed(1)} before, ${(m.memoryBytes / 2 ** 30).toFixed(1)} GB, ${m.platform}, Node ${m.node}.</p>
${warnings.length > 0 ? html`<p class="warning">The machine was not quiet: ${warnings.join('; ')}.</p>` : null}\n`;
}

function caseTitle(r: BenchReport): string {
  const concurrent = r.concurrency > 1 ? `, ${r.concurrency} calls at a time` : '';
  return `${r.precision}, ${r.isa}, ${r.threads} thread${r.threads > 1 ? 's' : ''}, batch ${r.batch}${concurrent}`;
}

function casesTable(reports: readonly BenchReport[]): Html {
  const heads = [
    'min ms',
    'p50',
    'p90',
    'p99',
    'runs',
    'images/s',
    'arena KB',
    'RSS MB',
    'load ms',
    'first ms',
    'cold ms',
  ];
  return table(
    [{ head: 'case', text: true }, ...heads.map((head) => ({ head }))],
    reports.map((r) => [
      caseTitle(r),
      ...[r.latencyMs.min, r.latencyMs.p50, r.latencyMs.p90, r.latencyMs.p99].map((ms) => ms.toFixed(3)),
      ...[r.runs, r.throughput.toFixed(1), (r.arenaBytes / 1024).toFixed(0), (r.peakRssBytes / 2 ** 20).toFixed(0)],
      ...[r.loadMs.toFixed(1), r.firstInferenceMs.toFixed(2), r.cold ? r.cold.netMs.toFixed(1) : '-'],
    ]),
  );
}

function comparisonLines(comparisons: readonly (Comparison | null)[]): Html[] {
  const change = (ratio: number) => `${ratio >= 1 ? '+' : ''}${((ratio - 1) * 100).toFixed(1)} %`;
  return comparisons.flatMap((c) =>
    c === null
      ? []
      : [
          html`<p>Against the saved run of ${c.case}: <strong>${c.verdict}</strong>; median ${change(c.ratio)}, 95 % confidence
${change(c.low)} ... ${change(c.high)}${c.caveats.length > 0 ? `; but ${c.caveats.join('; ')}` : ''}.</p>\n`,
        ],
  );
}

function distribution(charts: Charts, result: BenchResult, i: number): Html {
  const { report } = result;
  return figure(
    `latency-${i}`,
    `Latency: ${caseTitle(report)}`,
    charts.latency(result),
    `${report.runs} calls on the whole batch, from input tensor to probabilities; the slowest 0.5 % are at the right edge.`,
  );
}

function scaling(charts: Charts, reports: readonly BenchReport[]): Html[] {
  const threads = charts.scaling(reports, 'threads');
  const batch = charts.scaling(reports, 'batch');
  const figures = [
    ...(threads ? [figure('threads', 'Throughput over threads', threads, 'Images per second of all threads.')] : []),
    ...(batch
      ? [figure('batch', 'Throughput over the batch', batch, 'Images per second at so many images per call.')]
      : []),
  ];
  if (figures.length > 0) return figures;
  const hint = html`<p class="facts">One case was measured. --threads 1,2,4 and --batch 1,8,32 draw how it scales.</p>`;
  return [section('scaling', 'Scaling', [hint])];
}

function peersTable(report: BenchReport, peers: readonly PeerReport[]): Html {
  const rows = peers.map((peer) => {
    if ('missing' in peer) return [peer.name, '-', '-', '-', peer.missing];
    const { ratio, low, high } = peer.ratio;
    return [
      `${peer.name} ${peer.version ?? ''} (${peer.backend})`,
      ...[peer.latencyMs.min.toFixed(3), peer.latencyMs.p50.toFixed(3), peer.ours.p50.toFixed(3)],
      `${ratio.toFixed(2)} (${low.toFixed(2)} ... ${high.toFixed(2)})`,
    ];
  });
  const columns = [
    { head: 'engine', text: true as const },
    ...['min ms', 'p50 ms', 'ours p50 ms'].map((head) => ({ head })),
  ];
  return section('peers', `Other engines: ${caseTitle(report)}`, [
    table([...columns, { head: 'p50 / ours (95 % confidence)' }], rows),
    html`<p class="facts">Timed in turns on the same weights, input and number of threads; above 1 this package is faster.</p>`,
  ]);
}

function profileSections(charts: Charts, report: BenchReport, profile: Profile, i: number): Html[] {
  const share = (value: number | null) => (value === null ? '-' : `${(value * 100).toFixed(0)} %`);
  const rows = profile.ops.map((op, number) => [
    ...[number + 1, op.what, op.kernel, op.ms.toFixed(3), share(op.ms / profile.ms), (op.macs / 1e6).toFixed(1)],
    ...[op.gmacPerSecond.toFixed(1), share(op.shareOfPeak)],
    ((op.weightBytes + op.activationBytes) / 1024).toFixed(0),
  ]);
  const columns = [
    { head: '#' },
    ...['operator', 'kernel'].map((head) => ({ head, text: true as const })),
    ...['ms', 'time', 'MMAC', 'GMAC/s', 'of peak', 'KB'].map((head) => ({ head })),
  ];
  const total = `${profile.ms.toFixed(3)} ms for ${(profile.macs / 1e6).toFixed(1)} M MACs, ${share(profile.shareOfPeak)} of the peak`;
  return [
    figure(
      `roofline-${i}`,
      `Roofline: ${report.precision}, ${report.isa}, one thread`,
      charts.roofline(profile),
      'Each number is an operator of the table below. Under the flat line arithmetic is the limit, under a slope moving bytes is. A ' +
        'fused block moves only its weights and its narrow tensors.',
    ),
    section(`profile-${i}`, `Operators: ${total}`, [table(columns, rows)]),
  ];
}
