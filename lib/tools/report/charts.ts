/** Charts as SVG text, drawn without a browser. */
import type * as Echarts from 'echarts';
import type { BenchReport, BenchResult } from '../bench.js';
import type { PlannedMemory, PlannedRange } from '../memory.js';
import { loadOptional } from '../optional-package.js';
import type { OpProfile, Profile } from '../profile.js';
import { ascending, percentile } from '../statistics.js';

export const COLOURS = {
  ...{ text: '#1f2328', quiet: '#656d76', grid: '#e3e6ea', accent: '#2367c9', warm: '#c2571a' },
  series: ['#2367c9', '#c2571a', '#2a8a5f', '#8a4fc4', '#b08a00', '#c23b6b'],
  kinds: { tensor: '#2367c9', ring: '#e0a93f', scratch: '#b7bec7' },
};

const WIDTH = 1040;
const HEIGHT = 360;
const FONT = 'system-ui, "Segoe UI", "DejaVu Sans", sans-serif';
const BINS = 48;
const LOG_LABELS = { logBase: 2, axisLabel: { formatter: short, showMinLabel: false, showMaxLabel: false } };
/** Without a browser the width of text is guessed: the gap keeps entries apart in wider fonts too. */
const LEGEND = { top: 0, itemGap: 60, textStyle: { color: COLOURS.text } };

/** @throws MobileNetError PACKAGE_MISSING with the command that installs echarts. */
export async function loadCharts(): Promise<Charts> {
  return new Charts((await loadOptional<typeof Echarts>('echarts', '--report')).exports);
}

export class Charts {
  constructor(private readonly echarts: typeof Echarts) {}

  private svg(option: Echarts.EChartsOption, height = HEIGHT): string {
    const chart = this.echarts.init(null, null, { renderer: 'svg', ssr: true, width: WIDTH, height });
    chart.setOption({
      animation: false,
      textStyle: { fontFamily: FONT, color: COLOURS.text },
      grid: { left: 70, right: 30, top: 40, bottom: 55 },
      ...option,
    });
    const svg = chart.renderToSVGString();
    chart.dispose();
    return svg;
  }

  /** How many calls took how long; the slowest half percent is drawn at the right edge. */
  latency({ report, timesMs }: BenchResult): string {
    const sorted = ascending(timesMs);
    const low = percentile(sorted, 0);
    const high = Math.max(percentile(sorted, 0.995), low * 1.02);
    const counts = new Array<number>(BINS).fill(0);
    for (const time of sorted) {
      const bin = Math.min(BINS - 1, Math.floor(((time - low) / (high - low)) * BINS));
      counts[bin] = (counts[bin] as number) + 1;
    }
    const width = (high - low) / BINS;
    const { p50, p90, p99 } = report.latencyMs;
    const marks = Object.entries({ p50, p90, p99 }).filter(([, ms]) => ms <= high);
    return this.svg({
      xAxis: { ...axis('ms per call', 'value'), min: low, max: high, axisLabel: { formatter: milliseconds } },
      yAxis: axis('calls', 'value'),
      series: [
        {
          type: 'custom',
          data: counts.map((count, i) => [low + i * width, count]),
          renderItem: (_, api) => {
            const [x0 = 0, y0 = 0] = api.coord([api.value(0), 0]);
            const [x1 = 0, y1 = 0] = api.coord([Number(api.value(0)) + width, api.value(1)]);
            const shape = { x: x0, y: y1, width: Math.max(1, x1 - x0 - 1), height: y0 - y1 };
            return { type: 'rect', shape, style: { fill: COLOURS.accent } };
          },
          markLine: {
            symbol: 'none',
            label: { formatter: '{b}', color: COLOURS.quiet },
            lineStyle: { color: COLOURS.warm, type: 'dashed' },
            data: marks.map(([name, xAxis]) => ({ name, xAxis })),
          },
        },
      ],
    });
  }

  /** Every operator that multiplies: work per byte against speed, below what the machine can do. */
  roofline(profile: Profile): string {
    const ops = alike(profile);
    const points = ops.map(({ name, intensity, gmacPerSecond }) => ({ name, value: [intensity, gmacPerSecond] }));
    const intensities = ops.map(({ intensity }) => intensity);
    const left = Math.min(...intensities) / 2;
    const right = Math.max(...intensities) * 2;
    const speeds = ops.map((op) => op.gmacPerSecond);
    const yRange = { min: Math.min(...speeds) / 1.5, max: Math.max(...speeds, profile.peakGmacPerSecond ?? 0) * 1.4 };
    const peak = profile.peakGmacPerSecond ?? Number.POSITIVE_INFINITY;
    const roof = (bandwidth: number) => {
      const ridge = peak / bandwidth;
      const corners = ridge > left && ridge < right ? [left, ridge, right] : [left, right];
      return corners.map((x) => [x, Math.min(peak, x * bandwidth)]);
    };
    const roofs = profile.bandwidth.map(({ bytes, gbytesPerSecond }, i) => ({
      type: 'line' as const,
      name: `${bytes < 2 ** 20 ? 'cache' : 'memory'}: ${gbytesPerSecond.toFixed(0)} GB/s, copying ${kilobytes(bytes)}`,
      data: roof(gbytesPerSecond),
      symbol: 'none',
      lineStyle: { color: i === 0 ? COLOURS.quiet : COLOURS.warm, width: 2 },
      itemStyle: { color: i === 0 ? COLOURS.quiet : COLOURS.warm },
    }));
    const title = Number.isFinite(peak) ? `peak ${peak.toFixed(0)} GMAC/s` : '';
    return this.svg(
      {
        title: {
          text: title,
          right: 30,
          top: 32,
          textStyle: { fontSize: 12, color: COLOURS.quiet, fontWeight: 'normal' },
        },
        legend: { ...LEGEND, data: roofs.map(({ name }) => name) },
        grid: { left: 70, right: 30, top: 50, bottom: 55 },
        xAxis: {
          ...axis('MACs per byte of weights, input and output', 'log'),
          min: left,
          max: right,
          ...LOG_LABELS,
        },
        yAxis: { ...axis('GMAC/s', 'log'), ...yRange, ...LOG_LABELS },
        series: [
          ...roofs,
          {
            type: 'scatter',
            data: points,
            symbolSize: 9,
            itemStyle: { color: COLOURS.accent, opacity: 0.85 },
            label: { show: true, position: 'top', formatter: '{b}', color: COLOURS.text, fontSize: 10, distance: 3 },
            labelLayout: { moveOverlap: 'shiftY' },
          },
        ],
      },
      440,
    );
  }

  /** Which bytes of the arena are in use in which step. */
  arena(plan: PlannedMemory): string {
    const kinds = ['tensor', 'ring', 'scratch'] as const;
    const draw = (kind: PlannedRange['kind']): Echarts.CustomSeriesOption => ({
      type: 'custom',
      name: { tensor: 'whole tensor', ring: 'ring of rows', scratch: "a kernel's own rows" }[kind],
      itemStyle: { color: COLOURS.kinds[kind] },
      encode: { x: [0, 1], y: [2, 3] },
      data: plan.ranges
        .filter((range) => range.kind === kind)
        .map(({ from, to, offset, bytes }) => [from + 0.5, to + 1.5, offset / 1024, (offset + bytes) / 1024]),
      renderItem: (_, api) => {
        const [x0 = 0, y0 = 0] = api.coord([api.value(0), api.value(2)]);
        const [x1 = 0, y1 = 0] = api.coord([api.value(1), api.value(3)]);
        const shape = { x: x0 + 1, y: y1, width: Math.max(1, x1 - x0 - 2), height: Math.max(0.5, y0 - y1 - 0.5) };
        return { type: 'rect', shape, style: { fill: COLOURS.kinds[kind] } };
      },
    });
    return this.svg({
      legend: LEGEND,
      xAxis: {
        ...axis('step', 'value'),
        ...{ min: 0, max: plan.steps.length + 1, interval: 1, splitLine: { show: false } },
        axisLabel: { formatter: (step: number) => (step < 1 || step > plan.steps.length ? '' : String(step)) },
      },
      yAxis: { ...axis('KB from the start of the arena', 'value'), min: 0, max: Math.ceil(plan.arenaBytes / 1024) },
      series: kinds.map(draw),
    });
  }

  /** Throughput over threads or batch, a line per remaining combination; null where one value was measured. */
  scaling(reports: readonly BenchReport[], over: 'threads' | 'batch'): string | null {
    const values = [...new Set(reports.map((r) => r[over]))].sort((a, b) => a - b);
    if (values.length < 2) return null;
    const other = over === 'threads' ? 'batch' : 'threads';
    const lines = new Map<string, [number, number][]>();
    for (const r of reports) {
      const name = `${r.isa} ${r.precision}, ${other} ${r[other]}`;
      lines.set(name, [...(lines.get(name) ?? []), [values.indexOf(r[over]), r.throughput]]);
    }
    return this.svg({
      color: COLOURS.series,
      legend: { ...LEGEND, type: 'scroll' },
      xAxis: { ...axis(over === 'threads' ? 'threads' : 'images per call', 'category'), data: values.map(String) },
      yAxis: { ...axis('images per second', 'value'), min: 0 },
      series: [...lines].map(([name, data]) => ({ type: 'line', name, data, symbolSize: 7, lineStyle: { width: 2 } })),
    });
  }
}

interface Point {
  readonly name: string;
  /** MACs per byte of weights, input and output. */
  readonly intensity: number;
  readonly gmacPerSecond: number;
}

/** Operators that multiply; equal ones in a row share a point, at their mean speed. */
function alike({ ops }: Profile): Point[] {
  const groups: { numbers: number[]; ops: OpProfile[] }[] = [];
  for (const [i, op] of ops.entries()) {
    const last = groups.at(-1);
    if (op.macs === 0) continue;
    if (last?.ops[0]?.what === op.what) {
      last.numbers.push(i + 1);
      last.ops.push(op);
    } else groups.push({ numbers: [i + 1], ops: [op] });
  }
  return groups.map(({ numbers, ops: equal }) => {
    const [first] = equal as [OpProfile];
    const gmacPerSecond = equal.reduce((sum, op) => sum + op.gmacPerSecond, 0) / equal.length;
    const intensity = first.macs / (first.weightBytes + first.activationBytes);
    const name = numbers.length > 1 ? `${numbers[0]}-${numbers.at(-1)}` : String(numbers[0]);
    return { name, intensity, gmacPerSecond };
  });
}

function axis<T extends 'value' | 'log' | 'category'>(name: string, type: T) {
  return {
    ...{ name, type, nameLocation: 'middle' as const, nameGap: 36 },
    nameTextStyle: { color: COLOURS.quiet },
    splitLine: { lineStyle: { color: COLOURS.grid } },
    axisLine: { lineStyle: { color: COLOURS.quiet } },
  };
}

function milliseconds(value: number): string {
  return value.toFixed(value < 10 ? 2 : 1);
}

function short(value: number): string {
  return value >= 1 ? value.toFixed(0) : String(Number(value.toPrecision(1)));
}

function kilobytes(bytes: number): string {
  return bytes < 2 ** 20 ? `${bytes / 1024} KB` : `${bytes / 2 ** 20} MB`;
}
