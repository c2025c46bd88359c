/** An inspection for people. */
import type { Inspection, MemoryInspection, Stage } from '../tools/inspect.js';
import type { ActivationMemory, PlannedMemory } from '../tools/memory.js';
import { COMPARISON_NOTES, type ComparedNetwork, type Resolution } from '../tools/networks-compared.js';
import { paint, printable } from './output.js';
import { drawPlan } from './plan-drawing.js';
import { alignedTable, type Column, type Row } from './tables.js';

const million = (count: number) => `${(count / 1e6).toFixed(count < 1e7 ? 2 : 1)} M`;

export function inspectionText(i: Inspection): string {
  const { network: n } = i;
  const title = (text: string) => paint(process.stdout, 'bold', text);
  const quantization = i.inputQuantization
    ? `, real = ${Number(i.inputQuantization.scale.toPrecision(6))} x (q - ${i.inputQuantization.zeroPoint})`
    : '';
  const labels = i.labels
    ? `${i.labels.count} (${i.labels.first.map((label) => JSON.stringify(printable(label))).join(', ')}, ...)`
    : 'none in the file';
  const dense = i.classifier.map(({ inputs, outputs }) => `${inputs} -> ${outputs}`).join(', ');
  const softmax = i.softmax.inFile ? 'softmax' : 'the file ends in logits, softmax added';
  const facts: Row[] = [
    ['format', `${n.format}, ${n.family}`],
    ['precision', n.precision],
    ['input', `${n.input.width}x${n.input.height}, RGB${quantization}`],
    ['preprocess', i.preprocess ?? 'tf (the file says nothing)'],
    ['parameters', million(n.parameters)],
    ['MACs', `${million(n.macs)} per image`],
    ['classifier', `${dense}; ${softmax}`],
    ['labels', labels],
  ];
  const lines = [
    title(printable(n.source)),
    '',
    alignedTable(
      [
        { head: '', align: 'left' },
        { head: '', align: 'left' },
      ],
      facts,
    ),
    '',
  ];
  lines.push(alignedTable(STAGE_COLUMNS, stageRows(i)));
  if (i.memory) lines.push('', ...memoryLines(i.memory, n.precision, title));
  return `${lines.join('\n')}\n`;
}

const STAGE_COLUMNS: readonly Column[] = [
  { head: 'input', align: 'left' },
  { head: 'operator', align: 'left' },
  { head: 't' },
  { head: 'c' },
  { head: 'n' },
  { head: 's' },
  { head: 'MACs' },
];

function stageRows({ stem, stages, head, network, classifier }: Inspection): Row[] {
  const { width, height } = network.input;
  const last = stages.at(-1) as Stage;
  const pooled = head?.channels ?? last.c;
  const side = (length: number, stride: number) => Math.ceil(length / stride);
  const end = `${side(last.height, last.s)}x${side(last.width, last.s)}`;
  return [
    [`${height}x${width}x3`, 'conv 3x3', '-', String(stem.channels), '1', String(stem.stride), ''],
    ...stages.map(
      (stage): Row => [
        `${stage.height}x${stage.width}x${stage.inChannels}`,
        network.family === 'mobilenet_v1' ? 'separable' : 'bottleneck',
        ...[Number(stage.t.toFixed(2)), stage.c, stage.n, stage.s].map(String),
        million(stage.macs),
      ],
    ),
    ...(head ? [[`${end}x${last.c}`, 'conv 1x1', '-', String(head.channels), '1', '1', '']] : []),
    [`${end}x${pooled}`, 'average pool', '-', '-', '1', '-', ''],
    ...classifier.map(({ inputs, outputs }): Row => [`1x1x${inputs}`, 'conv 1x1', '-', String(outputs), '-', '-', '']),
  ];
}

function memoryLines(memory: MemoryInspection, precision: string, title: (text: string) => string): string[] {
  const { int8, fp32, plan } = memory;
  return [
    title('Largest tensor between blocks, 16-bit values: channels/KB (1 KB = 1000 bytes)'),
    '',
    resolutionTable(memory.perResolution, memory.compared),
    '',
    'the others at 224x224: computed, and in brackets as published',
    ...COMPARISON_NOTES.map((note) => `- ${note}`),
    '',
    title('All that is written while an image runs on one thread, KB (1 KB = 1024 bytes)'),
    '',
    alignedTable(
      [{ head: '', align: 'left' }, { head: 'layer by layer' }, { head: 'fused blocks' }, { head: 'as planned' }],
      [memoryRow('int8', int8), memoryRow('fp32', fp32)],
    ),
    '',
    title(`The plan (${precision}): ${plan.steps.length} steps in ${plan.arenaBytes} bytes`),
    '',
    ...planLines(plan),
  ];
}

function memoryRow(name: string, memory: ActivationMemory): Row {
  return [name, ...[memory.unfused, memory.fused, memory.chained].map((bytes) => (bytes / 1024).toFixed(0))];
}

function resolutionTable(own: readonly Resolution[], compared: readonly ComparedNetwork[]): string {
  const rows = Math.max(own.length, ...compared.map(({ computed }) => computed.length));
  const kilobytes = (bytes: number) => Math.round(bytes / 1000);
  const cell = (r: Resolution | undefined) => (r ? `${r.channels}/${kilobytes(r.bytes)}` : '');
  const most = (list: readonly Resolution[]) => String(kilobytes(Math.max(...list.map(({ bytes }) => bytes))));
  const columns: Column[] = [
    { head: 'size', align: 'left' },
    { head: 'this model' },
    ...compared.map(({ name }) => ({ head: name.replace(', g=3', '') })),
  ];
  const body = Array.from({ length: rows }, (_, i): Row => {
    const size = own[i] ? `${own[i].height}x${own[i].width}` : '';
    return [
      ...[size, cell(own[i])],
      ...compared.map(({ computed, published }) => {
        const p = published[i];
        return `${cell(computed[i])}${p ? ` (${p.channels}/${p.kilobytes})` : ''}`;
      }),
    ];
  });
  const published = (n: ComparedNetwork) => Math.max(...n.published.map(({ kilobytes }) => kilobytes));
  body.push(['max', most(own), ...compared.map((n) => `${most(n.computed)} (${published(n)})`)]);
  return alignedTable(columns, body);
}

function planLines(plan: PlannedMemory): string[] {
  const { lines, letters } = drawPlan(plan);
  const rows = [...letters].map(([range, letter]): Row => {
    const ops = plan.steps[range.from] ?? [];
    const what = ops.length === 1 ? (ops[0]?.what ?? '') : `${ops.length} operators chained by rows`;
    const until = range.to === range.from ? String(range.from + 1) : `${range.from + 1}-${range.to + 1}`;
    return [letter, until, (range.bytes / 1024).toFixed(1), what, short(range.name)];
  });
  const columns: Column[] = [
    { head: 'tensor', align: 'left' },
    { head: 'steps' },
    { head: 'KB' },
    { head: 'made by', align: 'left' },
    { head: 'called in the file', align: 'left' },
  ];
  return [
    ...lines,
    '',
    "letters: whole tensors   =: rings of rows   :: a kernel's own rows   .: free",
    '',
    alignedTable(columns, rows),
  ];
}

/** Files name tensors by long paths, whose end tells most. */
function short(name: string): string {
  const text = printable(name);
  return text.length <= 24 ? text : `...${text.slice(-21)}`;
}
