// npm run bench:throughput: JPEG files -> labels, images per second, beside onnxruntime-node + sharp and TensorFlow.js
// (wasm) + sharp: same weights, photos and cores, in turns, so that all see the same machine. And the delay of the event
// loop meanwhile, beside that of decoding alone. Figures are only worth something on a machine that does nothing else.
//
//   --photos DIR     JPEG files (default: ../shared/calibration, else 500x375 cut-outs of a photo from an npm package)
//   --fp32 MODEL     float model, --int8 MODEL quantised one (default: ../shared/models/imagenet, else seeded weights)
//   --rounds N       turns of each (default 5); --images N per turn (default 100)
//   --peers DIR      where the peers are installed on demand (default: the user's cache folder); --no-peers: without
//   --json           one JSON object
import { fork } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { setUp } from './build.mjs';
import { installPeers, median, peersFolder } from './peers.mjs';
import { root, runScript, SetupError } from './setup.mjs';

const { values: options } = parseArgs({
  options: {
    photos: { type: 'string' },
    fp32: { type: 'string' },
    int8: { type: 'string' },
    rounds: { type: 'string', default: '5' },
    images: { type: 'string', default: '100' },
    peers: { type: 'string', default: peersFolder },
    'no-peers': { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});
const say = options.json ? () => {} : console.log;

async function findPhotos(scratch) {
  const shared = join(root, '..', 'shared', 'calibration');
  const folder = options.photos ?? (existsSync(shared) ? shared : null);
  if (folder !== null) {
    const names = readdirSync(folder).filter((name) => /\.jpe?g$/i.test(name));
    if (names.length === 0) throw new SetupError(`${folder} has no JPEG files`);
    return names.sort().map((name) => join(folder, name));
  }
  const { default: sharp } = await import('sharp');
  const photo = await sharp(join(root, 'node_modules', 'baboon-image', 'baboon.png'))
    .resize(1024, 1024)
    .toBuffer();
  return Promise.all(
    Array.from({ length: 50 }, async (_, i) => {
      const path = join(scratch, `${i}.jpg`);
      const cut = { left: (i * 97) % 524, top: (i * 61) % 649, width: 500, height: 375 };
      await sharp(photo).extract(cut).jpeg({ quality: 93 }).toFile(path);
      return path;
    }),
  );
}

function network(precision) {
  const file = { fp32: '_float.tflite', int8: '_int8.tflite' }[precision];
  const shared = join(root, '..', 'shared', 'models', 'imagenet', `mobilenet_v2_1.0_224${file}`);
  const model = options[precision] ?? (existsSync(shared) ? shared : undefined);
  return model === undefined ? { arch: 'mobilenet_v2:1.0:224' } : { model };
}

/** A process of its own that works through the photos once per turn. */
class Contestant {
  constructor(name, precision, photos) {
    this.name = name;
    this.precision = precision;
    this.turns = [];
    this.setup = { name, precision, photos, network: network(precision ?? 'fp32'), threads: availableParallelism() };
  }

  async start() {
    const script = fileURLToPath(new URL('throughput-contestant.mjs', import.meta.url));
    // The peers are found from the folder they are installed in.
    this.process = fork(script, { cwd: options['no-peers'] ? root : options.peers });
    this.process.send(this.setup);
    return this.answer();
  }

  answer() {
    return new Promise((resolve, reject) => {
      this.process.once('message', ({ error, ...rest }) => (error ? reject(new SetupError(error)) : resolve(rest)));
      this.process.once('exit', (code) => reject(new SetupError(`${this.name} ended with ${code}`)));
    });
  }

  async turn() {
    this.process.send('go');
    this.turns.push(await this.answer());
  }

  stop() {
    this.process?.kill();
  }
}

/** Medians over the turns; ratios are of the same turn. */
function summarise(contestant, ours, decoding) {
  const { name, precision, turns, version } = contestant;
  const ratio = (other, key) => median(turns.map((turn, i) => other.turns[i][key] / turn[key]));
  return {
    name,
    precision,
    version,
    imagesPerSecond: median(turns.map((turn) => turn.imagesPerSecond)),
    eventLoopDelayP99Ms: median(turns.map((turn) => turn.delayP99Ms)),
    delayOverDecoding: 1 / ratio(decoding, 'delayP99Ms'),
    shareOfDecodingAlone: 1 / ratio(decoding, 'imagesPerSecond'),
    ...(ours && ours !== contestant && { oursOverThis: ratio(ours, 'imagesPerSecond') }),
  };
}

function print(rows) {
  say('\n                              images/s   ours / this   event loop p99   / decoding   of decoding alone');
  for (const row of rows) {
    const title = `${row.name} ${row.precision ?? ''}`.padEnd(28);
    const ratio = row.oursOverThis === undefined ? '' : `${row.oursOverThis.toFixed(2)}x`;
    say(
      `${title}${row.imagesPerSecond.toFixed(1).padStart(10)}${ratio.padStart(14)}${row.eventLoopDelayP99Ms.toFixed(2).padStart(14)} ms` +
        `${row.delayOverDecoding.toFixed(2).padStart(13)}${`${(row.shareOfDecodingAlone * 100).toFixed(0)} %`.padStart(20)}`,
    );
  }
}

await runScript(async () => {
  if (!options.json) await setUp();
  if (!options['no-peers']) installPeers(options.peers, say);
  const scratch = mkdtempSync(join(tmpdir(), 'mobilenetv2-throughput-'));
  const contestants = [];
  try {
    const found = await findPhotos(scratch);
    const photos = Array.from({ length: Number(options.images) }, (_, i) => found[i % found.length]);
    const names = ['mobilenetv2', ...(options['no-peers'] ? [] : ['onnxruntime-node', 'tfjs-wasm'])];
    contestants.push(new Contestant('sharp, decoding alone', null, photos));
    for (const precision of ['int8', 'fp32']) {
      for (const name of names) {
        if (name === 'tfjs-wasm' && precision === 'int8') continue; // it has no 8-bit kernels
        contestants.push(new Contestant(name, precision, photos));
      }
    }
    for (const contestant of contestants) contestant.version = (await contestant.start()).version;
    for (let round = 1; round <= Number(options.rounds); round++) {
      for (const contestant of contestants) await contestant.turn();
      say(`round ${round} of ${options.rounds}`);
    }
    const [decoding] = contestants;
    const rows = contestants.map((contestant) => {
      const ours = contestants.find(
        ({ name, precision }) => name === 'mobilenetv2' && precision === contestant.precision,
      );
      return summarise(contestant, ours, decoding);
    });
    const threads = availableParallelism();
    if (options.json) console.log(JSON.stringify({ threads, photosPerTurn: photos.length, contestants: rows }));
    else print(rows);
  } finally {
    for (const contestant of contestants) contestant.stop();
    rmSync(scratch, { recursive: true });
  }
});
