/** Reports of `bench` for people and spreadsheets. */
import type { BenchReport } from '../tools/bench.js';
import type { Machine } from '../tools/machine.js';
import type { PeerReport } from '../tools/peers/index.js';
import type { Profile } from '../tools/profile.js';
import type { Comparison } from '../tools/saved-runs.js';
import { printable } from './output.js';
import { alignedTable, type Column, csv, markdownTable, type Row } from './tables.js';

const ms = (value: number) => (value < 100 ? value.toFixed(3) : value.toFixed(1));
const kb = (bytes: number) => (bytes / 1024).toFixed(0);
const mb = (bytes: number) => (bytes / 2 ** 20).toFixed(0);
const percent = (share: number | null) => (share === null ? '-' : `${(share * 100).toFixed(0)} %`);

export function machineText(machine: Machine): string {
  const governor = machine.governor === null ? '' : `, governor ${machine.governor}`;
  return [
    `${printable(machine.cpu)}, ${machine.usableCpus} of ${machine.cpus} CPUs usable${governor}`,
    `${machine.features.at(-1)}, load ${machine.load.toFixed(1)}, ${mb(machine.memoryBytes)} MB, ${machine.platform}, Node ${machine.node}`,
  ].join('\n  ');
}

/** Everything about one case. */
export function caseText(r: BenchReport, comparison: Comparison | null): string {
  const { latencyMs: l } = r;
  const concurrent = r.concurrency > 1 ? `, ${r.concurrency} calls at a time` : '';
  const stop = r.stoppedBy === 'stable' ? 'stable after' : '';
  const lines = [
    `${printable(r.source)}: ${r.precision}, batch ${r.batch}, ${r.threads} thread(s), ${r.isa}${concurrent}`,
    `  latency     min ${ms(l.min)}  p50 ${ms(l.p50)}  p90 ${ms(l.p90)}  p99 ${ms(l.p99)}  mean ${ms(l.mean)} ms`,
    `              ${[stop, `${r.runs} runs, ${r.warmup} before them not counted`].filter(Boolean).join(' ')}`,
    `  throughput  ${r.throughput.toFixed(1)} images/s`,
    `  memory      arena ${kb(r.arenaBytes)} KB, peak RSS ${mb(r.peakRssBytes)} MB`,
    `  start       load ${ms(r.loadMs)} ms, first inference ${ms(r.firstInferenceMs)} ms`,
  ];
  if (r.cold) {
    const { startToFirstOutputMs: s, netMs, bareNodeMs, processes } = r.cold;
    lines.push(
      `  cold start  p50 ${ms(s.p50)}  p90 ${ms(s.p90)} ms from process start to first output`,
      `              ${ms(netMs)} ms less Node's own ${ms(bareNodeMs)} ms; ${processes} processes`,
    );
  }
  lines.push(`  ${machineText(r.machine)}`);
  for (const warning of r.warnings) lines.push(`  noisy: ${warning}`);
  if (r.peers) lines.push('', peersText(r.peers, l));
  if (r.profile) lines.push('', profileText(r.profile));
  if (comparison) lines.push('', comparisonText(comparison));
  return `${lines.join('\n')}\n`;
}

const SWEEP_COLUMNS: readonly Column[] = [
  { head: 'isa', align: 'left' },
  { head: 'type', align: 'left' },
  { head: 'thr' },
  { head: 'batch' },
  { head: 'min' },
  { head: 'p50' },
  { head: 'p90' },
  { head: 'p99' },
  { head: 'img/s' },
  { head: 'KB' },
];

function sweepRows(reports: readonly BenchReport[]): Row[] {
  return reports.map((r) => [
    ...[r.isa, r.precision, String(r.threads), String(r.batch)],
    ...[r.latencyMs.min, r.latencyMs.p50, r.latencyMs.p90, r.latencyMs.p99].map(ms),
    ...[r.throughput.toFixed(1), kb(r.arenaBytes)],
  ]);
}

/** Several cases of one model: a table, then what only some of them have. */
export function sweepText(reports: readonly BenchReport[], comparisons: readonly (Comparison | null)[]): string {
  const [first] = reports;
  if (first === undefined) return '';
  const lines = [printable(first.source), '', alignedTable(SWEEP_COLUMNS, sweepRows(reports)), ''];
  lines.push('milliseconds of one call on the whole batch; KB: arena; a process for each case', '');
  lines.push(`  ${machineText(first.machine)}`);
  const warnings = new Set(reports.flatMap((r) => r.warnings));
  for (const warning of warnings) lines.push(`  noisy: ${warning}`);
  reports.forEach((r, i) => {
    const comparison = comparisons[i];
    const title = `${r.isa} ${r.precision}, ${r.threads} thread(s), batch ${r.batch}`;
    if (r.peers) lines.push('', title, peersText(r.peers, r.latencyMs));
    if (r.profile) lines.push('', title, profileText(r.profile));
    if (comparison) lines.push('', comparisonText(comparison));
  });
  return `${lines.join('\n')}\n`;
}

export function reportsMarkdown(reports: readonly BenchReport[], comparisons: readonly (Comparison | null)[]): string {
  const [first] = reports;
  if (first === undefined) return '';
  const parts = [`**${printable(first.source)}**`, markdownTable(SWEEP_COLUMNS, sweepRows(reports))];
  parts.push(machineText(first.machine).replace('\n  ', '; '));
  for (const warning of new Set(reports.flatMap((r) => r.warnings))) parts.push(`Noisy: ${warning}.`);
  reports.forEach((r, i) => {
    const comparison = comparisons[i];
    if (r.peers) parts.push(markdownTable(PEER_COLUMNS, peerRows(r.peers)));
    if (r.profile) parts.push(markdownTable(PROFILE_COLUMNS, profileRows(r.profile)));
    if (comparison) parts.push(comparisonText(comparison));
  });
  return `${parts.join('\n\n')}\n`;
}

const CSV_CASE = ['source', 'precision', 'isa', 'threads', 'batch', 'concurrency'];

function csvCase(r: BenchReport): (string | number)[] {
  return [printable(r.source), r.precision, r.isa, r.threads, r.batch, r.concurrency];
}

/** A line per case or, with profiles, per operator. */
export function reportsCsv(reports: readonly BenchReport[]): string {
  if (reports.some((r) => r.profile)) {
    const header = [...CSV_CASE, 'op', 'what', 'kernel', 'ms', 'macs', 'gmacPerSecond', 'shareOfPeak'];
    const rows = reports.flatMap((r) =>
      (r.profile?.ops ?? []).map((op) => [
        ...csvCase(r),
        ...[op.name, op.what, op.kernel, op.ms, op.macs, op.gmacPerSecond, op.shareOfPeak],
        ...[op.weightBytes, op.activationBytes],
      ]),
    );
    return `${csv([...header, 'weightBytes', 'activationBytes'], rows)}\n`;
  }
  const header = [
    ...[...CSV_CASE, 'minMs', 'p50Ms', 'p90Ms', 'p99Ms', 'meanMs', 'runs', 'throughput', 'arenaBytes'],
    ...['peakRssBytes', 'loadMs', 'firstInferenceMs', 'cpu', 'noisy'],
  ];
  const rows = reports.map((r) => [
    ...csvCase(r),
    ...[r.latencyMs.min, r.latencyMs.p50, r.latencyMs.p90, r.latencyMs.p99, r.latencyMs.mean, r.runs, r.throughput],
    ...[r.arenaBytes, r.peakRssBytes, r.loadMs, r.firstInferenceMs, printable(r.machine.cpu), r.warnings.join('; ')],
  ]);
  return `${csv(header, rows)}\n`;
}

const PROFILE_COLUMNS: readonly Column[] = [
  { head: 'operator', align: 'left' },
  { head: 'ms' },
  { head: 'time' },
  { head: 'MMAC' },
  { head: 'GMAC/s' },
  { head: 'of peak' },
  { head: 'KB' },
];

function profileRows(profile: Profile): Row[] {
  const row = (name: string, time: number, macs: number, share: number | null, bytes: number): Row => [
    ...[name, ms(time), percent(time / profile.ms), (macs / 1e6).toFixed(1)],
    ...[(macs / time / 1e6).toFixed(1), percent(share), kb(bytes)],
  ];
  return [
    ...profile.ops.map((op) => row(op.what, op.ms, op.macs, op.shareOfPeak, op.weightBytes + op.activationBytes)),
    row(
      'all',
      profile.ms,
      profile.macs,
      profile.shareOfPeak,
      profile.ops.reduce((sum, op) => sum + op.weightBytes + op.activationBytes, 0),
    ),
  ];
}

function profileText(profile: Profile): string {
  const peak = profile.peakGmacPerSecond;
  const limit = peak === null ? 'no peak is known for these kernels' : `measured peak ${peak.toFixed(1)} GMAC/s`;
  return [
    alignedTable(PROFILE_COLUMNS, profileRows(profile)),
    '',
    `one image on one thread, medians of ${profile.runs} runs; ${limit}`,
    'KB: weights, input and output; +: with the residual; /2: stride 2; t: expansion',
  ].join('\n');
}

const PEER_COLUMNS: readonly Column[] = [
  { head: 'engine', align: 'left' },
  { head: 'min ms' },
  { head: 'p50 ms' },
  { head: 'p50 / ours' },
  { head: '95 % sure' },
  { head: 'differs by' },
];

function peerRows(peers: readonly PeerReport[]): Row[] {
  return peers.map((peer): Row => {
    if ('missing' in peer) return [peer.name, '-', '-', '-', '-', '-'];
    const { ratio, low, high } = peer.ratio;
    return [
      `${peer.name} ${peer.version ?? ''}`.trim(),
      ...[ms(peer.latencyMs.min), ms(peer.latencyMs.p50), ratio.toFixed(2)],
      ...[`${low.toFixed(2)} ... ${high.toFixed(2)}`, peer.largestDifference.toExponential(1)],
    ];
  });
}

function peersText(peers: readonly PeerReport[], alone: BenchReport['latencyMs']): string {
  const found = peers.find((peer) => 'ours' in peer);
  const ours = found ? found.ours : alone;
  const own: Row = ['this package', ms(ours.min), ms(ours.p50), '1.00', '', ''];
  const missing = peers.flatMap((peer) => ('missing' in peer ? [`${peer.name}: ${peer.missing}`] : []));
  const table = alignedTable(PEER_COLUMNS, [own, ...peerRows(peers.filter((peer) => !('missing' in peer)))]);
  const note = found ? ['', 'timed in turns, on the same weights, threads and input'] : [];
  return [table, ...note, ...missing].join('\n');
}

function comparisonText(c: Comparison): string {
  const change = (ratio: number) => `${ratio >= 1 ? '+' : ''}${((ratio - 1) * 100).toFixed(1)} %`;
  const lines = [
    `against the saved run: ${c.verdict}`,
    `  median ${change(c.ratio)}; 95 % confidence ${change(c.low)} ... ${change(c.high)} (${c.case})`,
  ];
  for (const caveat of c.caveats) lines.push(`  but ${caveat}`);
  return lines.join('\n');
}
