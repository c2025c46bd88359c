// npm run table: the published comparison of small networks, from scratch on this machine.
//
//   npm run table                      a table for people
//   npm run --silent table -- --json   rows { system, parameters, madds, latencyMs, publishedTop1, noted }
//   npm run --silent table -- --markdown
//   ... --seconds 5                    measuring time per network (default: 2)
//   ... --no-latency                   counts only, nothing is run
//   ... --no-build                     on what is built already
//   ... --no-install                   ONNX Runtime is not installed if it is missing: its networks have no latency
import { parseArgs } from 'node:util';
import { setUp } from '../build.mjs';
import { runScript, SetupError } from '../setup.mjs';

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        json: { type: 'boolean' },
        markdown: { type: 'boolean' },
        seconds: { type: 'string', default: '2' },
        'no-latency': { type: 'boolean' },
        'no-build': { type: 'boolean' },
        'no-install': { type: 'boolean' },
      },
    });
    const seconds = Number(values.seconds);
    if (!(seconds > 0 && seconds <= 600))
      throw new Error(`--seconds: expected a number above 0, got ${values.seconds}`);
    if (values.json && values.markdown) throw new Error('give either --json or --markdown');
    return { ...values, seconds };
  } catch (error) {
    throw new SetupError(error.message);
  }
}

const million = (count, digits) => `${(count / 1e6).toFixed(digits)}M`;

/** One figure, or two where the published one is another number once rounded alike. */
function counted(count, noted, digits) {
  const ours = million(count, digits);
  const theirs = million(noted, digits);
  return ours === theirs ? ours : `${ours} (${theirs})`;
}

const HEADS = ['network', 'top-1 (published)', 'parameters', 'multiply-adds', 'CPU ms'];
const FOOTNOTES = [
  'In brackets: as published, where our count rounds to another number. Counted',
  'are weights and biases, batch normalisation folded in.',
  'MobileNetV2 has 3.47M weights, 3.49M with biases: 3.4M is rounded down. At 1.4',
  'the architecture, its last convolution at 1792, has 6.1M; 6.9M does not follow.',
  'Top-1 is quoted, never measured here: the weights are seeded.',
  'CPU: one thread, float32, batch 1, median, in turns; MobileNets on this package,',
  'the others on ONNX Runtime.',
];

function cellsOf({ system, publishedTop1, parameters, madds, latencyMs, noted }) {
  return [
    system,
    publishedTop1.toFixed(1),
    counted(parameters, noted.parameters, 1),
    counted(madds, noted.madds, 0),
    latencyMs === null ? '-' : latencyMs.toFixed(1),
  ];
}

function plainTable(rows) {
  const cells = [HEADS, ...rows.map(cellsOf)];
  const widths = HEADS.map((_, i) => Math.max(...cells.map((row) => row[i].length)));
  const pad = (cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]));
  return [...cells.map((row) => row.map(pad).join('  ')), '', ...FOOTNOTES].join('\n');
}

function markdownTable(rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  const rule = HEADS.map((_, i) => (i === 0 ? '---' : '---:'));
  return [line(HEADS), line(rule), ...rows.map((row) => line(cellsOf(row))), '', FOOTNOTES.join('\n')].join('\n');
}

await runScript(async () => {
  const options = readOptions();
  if (!options['no-build']) {
    const { log } = console;
    console.log = console.error; // stdout is the table's
    await setUp();
    console.log = log;
  }
  const { systems } = await import('./systems.mjs');
  const { findOnnxRuntime, measureLatencies } = await import('./latency.mjs');
  const built = [];
  for (const { build } of systems) built.push(await build());
  let latencies = built.map(() => null);
  if (!options['no-latency']) {
    const onnxRuntime = findOnnxRuntime({ install: !options['no-install'] });
    if (onnxRuntime === null) console.error('onnxruntime-node is not here: ShuffleNet and NASNet-A are not timed');
    latencies = await measureLatencies(built, onnxRuntime, options);
  }
  const rows = systems.map(({ system, publishedTop1, noted }, i) => ({
    system,
    parameters: built[i].parameters,
    madds: built[i].madds,
    latencyMs: latencies[i],
    publishedTop1,
    noted,
  }));
  if (options.json) console.log(JSON.stringify(rows, null, 2));
  else console.log(options.markdown ? markdownTable(rows) : plainTable(rows));
});
