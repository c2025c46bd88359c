export interface DownloadProgress {
  readonly onProgress: (received: number, total: number) => void;
  stop(): void;
}

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;

/** Shows a download on stderr: a bar on a terminal, one line elsewhere, nothing if no download takes place. */
export async function downloadProgress(name: string): Promise<DownloadProgress> {
  if (!process.stderr.isTTY) {
    let told = false;
    return {
      onProgress: (_, total) => {
        if (!told) process.stderr.write(`downloading ${name} (${megabytes(total)})\n`);
        told = true;
      },
      stop: () => undefined,
    };
  }
  const { SingleBar, Presets } = (await import('cli-progress')).default;
  const bar = new SingleBar(
    {
      stream: process.stderr,
      format: `downloading ${name} {bar} {percentage}% of {size}`,
      clearOnComplete: true,
      hideCursor: true,
    },
    Presets.shades_classic,
  );
  let started = false;
  return {
    onProgress: (received, total) => {
      if (!started) bar.start(total, 0, { size: megabytes(total) });
      started = true;
      bar.update(received);
    },
    stop: () => bar.stop(),
  };
}
