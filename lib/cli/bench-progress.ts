export interface BenchProgress {
  /** `share`: of this phase, 0 ... 1. */
  update(phase: string, share: number): void;
  /** Takes the bar away; results may be printed then. */
  stop(): void;
}

/** A bar on stderr on a terminal; nothing elsewhere. */
export async function benchProgress(): Promise<BenchProgress> {
  if (!process.stderr.isTTY) return { update: () => undefined, stop: () => undefined };
  const { SingleBar, Presets } = (await import('cli-progress')).default;
  const bar = new SingleBar(
    { stream: process.stderr, format: '{phase} {bar} {percentage}%', clearOnComplete: true, hideCursor: true },
    Presets.shades_classic,
  );
  let running = false;
  return {
    update: (phase, share) => {
      if (!running) bar.start(100, 0, { phase });
      running = true;
      bar.update(Math.round(share * 100), { phase });
    },
    stop: () => {
      if (running) bar.stop();
      running = false;
    },
  };
}
