/** Other engines on the same weights, timed in turns with ours in one run, so that all see the same machine. */
import type { MobileNetV2 } from '../../classifier.js';
import type { ModelSpec } from '../../model-spec.js';
import { randomInput } from '../input.js';
import { type LatencySummary, median, type Ratio, ratioOfMedians, summarise } from '../statistics.js';
import { onnxruntime } from './onnxruntime.js';
import type { Peer } from './peer.js';
import { tfjs } from './tfjs.js';

export type PeerReport =
  | {
      readonly name: string;
      readonly version: string | null;
      readonly backend: string;
      /** Of one call on the whole batch. */
      readonly latencyMs: LatencySummary;
      readonly runs: number;
      /** Ours in the same turns. */
      readonly ours: LatencySummary;
      /** Peer / ours, medians, with a 95 % confidence interval: above 1 this package is faster. */
      readonly ratio: Ratio;
      /** Largest difference between a probability of the peer and ours. */
      readonly largestDifference: number;
    }
  | { readonly name: string; readonly missing: string };

export interface PeersRequest {
  readonly batch: number;
  /** How long each engine runs in all; null: 2. */
  readonly seconds: number | null;
}

const FACTORIES = [onnxruntime, tfjs];
const ROUNDS = 8;
const WARM_UP_RUNS = 3;
const DEFAULT_SECONDS = 2;

interface Contestant {
  readonly name: string;
  readonly peer: Peer;
  readonly times: number[];
  /** One per round. */
  readonly medians: number[];
}

export async function measurePeers(
  model: MobileNetV2,
  spec: ModelSpec,
  { batch, seconds }: PeersRequest,
  onProgress: (share: number) => void,
): Promise<PeerReport[]> {
  const input = randomInput(spec, batch);
  const threads = model.info.threads;
  const output = new Float32Array(batch * model.info.classes);
  const self: Peer = {
    ...{ version: null, backend: model.info.isa, close: async () => undefined },
    run: () => model.infer(input, { output }),
  };
  const ours: Contestant = { name: 'ours', peer: self, times: [], medians: [] };
  const missing: PeerReport[] = [];
  const peers: Contestant[] = [];
  try {
    for (const { name, packages, open } of FACTORIES) {
      const peer = await open({ spec, batch, threads, input });
      if (peer === null) missing.push({ name, missing: `not installed here: npm install ${packages}` });
      else if (typeof peer === 'string') missing.push({ name, missing: peer });
      else peers.push({ name, peer, times: [], medians: [] });
    }
    if (peers.length === 0) return missing;
    const contestants = [ours, ...peers];
    const sliceMs = ((seconds ?? DEFAULT_SECONDS) * 1000) / ROUNDS;
    for (const { peer } of contestants) for (let i = 0; i < WARM_UP_RUNS; i++) await peer.run();
    for (let round = 0; round < ROUNDS; round++) {
      for (const [i, contestant] of contestants.entries()) {
        await runSlice(contestant, sliceMs);
        onProgress((round + (i + 1) / contestants.length) / ROUNDS);
      }
    }
    const expected = (await self.run()).slice();
    const reports = peers.map(async ({ name, peer, times, medians }): Promise<PeerReport> => {
      const actual = await peer.run();
      return {
        ...{ name, version: peer.version, backend: peer.backend, latencyMs: summarise(times), runs: times.length },
        ours: summarise(ours.times),
        ratio: ratioOfMedians(medians, ours.medians),
        largestDifference: expected.reduce((most, p, i) => Math.max(most, Math.abs(p - (actual[i] as number))), 0),
      };
    });
    return [...(await Promise.all(reports)), ...missing];
  } finally {
    for (const { peer } of peers) await peer.close();
  }
}

/** At least one call. */
async function runSlice({ peer, times, medians }: Contestant, sliceMs: number): Promise<void> {
  const slice: number[] = [];
  const end = performance.now() + sliceMs;
  do {
    const started = performance.now();
    await peer.run();
    slice.push(performance.now() - started);
  } while (performance.now() < end);
  times.push(...slice);
  medians.push(median(slice));
}
