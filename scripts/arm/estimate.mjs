// npm run estimate:arm: how fast the kernels ought to be on ARM, without an ARM processor. Markdown tables of
//
//   hot loops   cycles per turn by llvm-mca's models of processors, beside what the multiplications alone would take
//   operators   instructions of one inference, counted in qemu by a plugin
//
// npm run estimate:arm               everything
// npm run estimate:arm -- f32        one precision; qu8 is the other
//
// Needs Debian 12's qemu-user (7.2, whose plugin interface it uses), libc6-arm64-cross, libstdc++6-arm64-cross and
// llvm-19 (older ones have no model of Neoverse N1), and a C compiler.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { armRunner } from '../packaging/nodes.mjs';
import { buildTarget } from '../prebuilds/build.mjs';
import { targetNamed } from '../prebuilds/targets.mjs';
import { installZig } from '../prebuilds/zig.mjs';
import { checkNativeTools, installDependencies, root, runScript, SetupError } from '../setup.mjs';

const TARGET = 'linux-arm64-glibc';
const folder = join(root, 'build', 'arm');

/** Where hot loops are: of the functions whose mangled names match, the loop with the most multiplications. */
const LOOPS = [
  { precision: 'f32', name: '1x1, neon', source: 'inverted_residual/f32_neon.cc', functions: /F32Gemm.*whole_tiles/ },
  {
    precision: 'f32',
    name: '3x3 depthwise, stride 1, neon',
    source: 'inverted_residual/f32_neon.cc',
    functions: /F32InvertedResidual.*5panelILi1E/,
  },
  {
    precision: 'f32',
    name: '3x3 depthwise, stride 2, neon',
    source: 'inverted_residual/f32_neon.cc',
    functions: /F32InvertedResidual.*5panelILi2E/,
  },
];

for (const { isa, columns, processors } of [
  { isa: 'neon', columns: 4, processors: /./ },
  { isa: 'neondot', columns: 6, processors: /a76|neoverse/ },
  { isa: 'i8mm', columns: 6, processors: /v1/ },
]) {
  const loop = { precision: 'qu8', processors };
  LOOPS.push({
    ...loop,
    name: `1x1, ${isa}`,
    source: `pointwise/qu8_${isa}.cc`,
    functions: new RegExp(`run_tile.*Li2ELi${columns}E`),
  });
  for (const stride of [1, 2]) {
    LOOPS.push({
      ...loop,
      name: `3x3 depthwise, stride ${stride}, ${isa}`,
      source: `inverted_residual/qu8_${isa}.cc`,
      functions: new RegExp(`FixedDepthwise.*Li${stride}ELi2E`),
      // Two columns in one block; small ones around it choose where they go.
      block: true,
    });
  }
}

/** Cortex-A76 has the pipelines of Neoverse N1; LLVM's model of that name is an older processor's. */
const MODELS = {
  f32: ['cortex-a53', 'cortex-a76', 'neoverse-n1'],
  qu8: ['cortex-a53', 'cortex-a76', 'neoverse-n1', 'neoverse-v1'],
};

/** Instruction sets, and a processor for qemu that has them. */
const NETWORKS = [
  { precision: 'f32', isa: 'neon', cpu: 'cortex-a53' },
  { precision: 'qu8', isa: 'neon', cpu: 'cortex-a53' },
  { precision: 'qu8', isa: 'neondot', cpu: 'cortex-a76' },
  { precision: 'qu8', isa: 'i8mm', cpu: 'max' },
];

function capture(command, args, input) {
  const result = spawnSync(command, args, { encoding: 'utf8', input, maxBuffer: 1 << 28 });
  if (result.error) throw new SetupError(`could not run ${command}: ${result.error.message}`);
  if (result.status !== 0) throw new SetupError(`${command} failed: ${result.stderr}`);
  return result;
}

/** MACs of a line of assembly, 0 if it is no vector multiplication. */
function macs(line) {
  const [, operation, lanes] = line.match(/^\s*(\w+)\s+v\d+\.(\d+)[bhsd]\b/) ?? [];
  if (/^(fmla|fmul|mla|mul|[su]ml?al2?|[su]mull2?)$/.test(operation)) return Number(lanes);
  if (/^(us|su|s|u)dot$/.test(operation)) return 4 * Number(lanes);
  return /^(us|s|u)mmla$/.test(operation) ? 32 : 0;
}

const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);

/** A kernel's file as assembly, compiled as it is for the addon. */
function assembly(source) {
  const commands = JSON.parse(readFileSync(join(root, 'build', 'prebuilds', TARGET, 'compile_commands.json'), 'utf8'));
  const file = join(root, 'native', 'kernels', source);
  const [command, ...args] = commands.find((entry) => entry.file === file).command.split(/\s+/);
  const output = args.indexOf('-o');
  const out = join(folder, 'estimate.s');
  args.splice(output, 2);
  capture(command, [...args.filter((arg) => arg !== '-c'), '-g0', '-S', '-o', out]);
  return readFileSync(out, 'utf8');
}

/** Loops of one block: from a label to a branch back to it. */
function* loops(text, functions) {
  let inside = false;
  let label;
  let lines = [];
  for (const line of text.split('\n').map((each) => each.replace(/\/\/.*/, '').trimEnd())) {
    const name = line.match(/^(\S+):/)?.[1];
    if (name) {
      if (!name.startsWith('.L')) inside = functions.test(name);
      label = name;
      lines = [line];
    } else if (/^\s+[a-z]/.test(line)) {
      lines.push(line);
      if (inside && line.trim().split(/\s+/).at(-1) === label && /^\s+(b\.|cbn?z|tbn?z)/.test(line)) yield lines;
    }
  }
}

/** Blocks: from a label or a branch to the next one. */
function* blocks(text, functions) {
  let inside = false;
  let lines = ['block:'];
  for (const line of text.split('\n').map((each) => each.replace(/\/\/.*/, '').trimEnd())) {
    const name = line.match(/^(\S+):/)?.[1];
    const instruction = /^\s+[a-z]/.test(line);
    if (instruction) lines.push(line);
    if (name || (instruction && /^\s+(b|b\..*|cbn?z|tbn?z|ret)\b/.test(line))) {
      if (inside) yield lines;
      lines = ['block:'];
    }
    if (name && !name.startsWith('.L')) inside = functions.test(name);
  }
}

function analyse(lines, model) {
  const args = ['-mtriple=aarch64', `-mcpu=${model}`, '-mattr=+dotprod,+i8mm', '-iterations=1000'];
  const { stdout } = capture('llvm-mca-19', args, `${lines.join('\n')}\n`);
  const number = (name) => Number(stdout.match(new RegExp(`${name}:\\s+([\\d.]+)`))[1]);
  return { cycles: number('Total Cycles') / 1000, throughput: number('Block RThroughput') };
}

function table(head, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  console.log([line(head), line(head.map((_, i) => (i === 0 ? '---' : '---:'))), ...rows.map(line), ''].join('\n'));
}

function reportLoops(precision) {
  const rows = LOOPS.filter((loop) => loop.precision === precision).map(
    ({ name, source, functions, block, processors }) => {
      const all = [...(block ? blocks : loops)(assembly(source), functions)];
      const lines = all.sort((a, b) => sum(b.map(macs)) - sum(a.map(macs)))[0];
      if (lines === undefined) throw new SetupError(`${source} has no loop that is ${name}`);
      const multiplications = lines.filter((line) => macs(line) > 0);
      const cells = MODELS[precision].map((model) => {
        if (processors && !processors.test(model)) return '-';
        const { cycles } = analyse(lines, model);
        const bound = analyse(multiplications, model).throughput;
        return `${cycles.toFixed(1)} (${Math.round((100 * bound) / cycles)} %)`;
      });
      return [name, lines.length - 1, multiplications.length, sum(lines.map(macs)), ...cells];
    },
  );
  if (rows.length > 0)
    table([`${precision} loop`, 'instructions', 'multiplications', 'MACs', ...MODELS[precision]], rows);
}

function reportNetwork({ precision, isa, cpu }, plugin) {
  const program = buildTarget(targetNamed(TARGET), installZig(), 'arm_layers');
  const [command, ...args] = armRunner('arm64', cpu);
  const { stdout, stderr } = capture(command, [...args, '-plugin', plugin, program, precision, isa]);
  const counts = new Map(
    stderr
      .trim()
      .split('\n')
      .map((line) => line.split(' ').map(Number))
      .map(([n, ...c]) => [n, c]),
  );
  const million = (count) => (count / 1e6).toFixed(2);
  const total = [0, 0, 0, 0, 0];
  const row = (name, [macCount, instructions, multiplications, loads, stores]) => [
    name,
    ...[macCount, instructions, multiplications, loads, stores].map(million),
    (macCount / instructions).toFixed(2),
  ];
  const rows = stdout
    .trim()
    .split('\n')
    .map((line) => {
      const [number, macCount, kernel, ...name] = line.split(' ');
      const values = [Number(macCount), ...counts.get(Number(number))];
      values.forEach((value, i) => {
        total[i] += value;
      });
      return row(kernel.endsWith(`__${isa}`) ? name.join(' ') : `${name.join(' ')} (${kernel.split('__')[1]})`, values);
    });
  const head = [`${precision}, ${isa}; millions`, 'MACs', 'instructions', 'multiplications', 'loads', 'stores'];
  table([...head, 'MACs per instruction'], [...rows, row('all', total)]);
}

await runScript(() => {
  const wanted = process.argv.slice(2);
  const precisions = wanted.length > 0 ? wanted : ['f32', 'qu8'];
  if (precisions.some((each) => each !== 'f32' && each !== 'qu8')) throw new SetupError('a precision is f32 or qu8');
  installDependencies();
  checkNativeTools();
  mkdirSync(folder, { recursive: true });
  buildTarget(targetNamed(TARGET), installZig()); // and with it the commands that compile
  const plugin = join(folder, 'count.so');
  capture('cc', [
    '-O2',
    '-shared',
    '-fPIC',
    '-fvisibility=hidden',
    join(root, 'scripts/arm/estimate/count.c'),
    '-o',
    plugin,
  ]);
  for (const precision of precisions) {
    reportLoops(precision);
    for (const network of NETWORKS.filter((each) => each.precision === precision)) reportNetwork(network, plugin);
  }
});
