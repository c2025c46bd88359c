/**
 * The images of one model, in the order they came: some are worked on, the others wait. All calls share it, so that
 * memory and waiting time have a bound whatever the number of callers.
 */
import type { Call } from './calls.js';
import { MobileNetError } from './errors.js';

export class ImageQueue<Workspace> {
  readonly #waiting = new Set<() => void>();
  readonly #idle: Workspace[] = [];
  #active = 0;

  /**
   * @param concurrency images worked on at a time, each with a workspace of its own; workspaces are kept.
   * @param limit images that may wait.
   */
  constructor(
    readonly concurrency: number,
    readonly limit: number,
    private readonly makeWorkspace: () => Workspace,
  ) {}

  /** Images that are worked on. */
  get active(): number {
    return this.#active;
  }

  /** @throws MobileNetError OVERLOADED when a new call would have to wait and as many images as may wait already do. */
  checkRoom(): void {
    if (this.#active < this.concurrency || this.#waiting.size < this.limit) return;
    throw new MobileNetError(
      'OVERLOADED',
      `${this.#waiting.size} images wait already; queueLimit is ${this.limit}. Try again later, raise the limit, or ` +
        'hand over many images with classifyBatch or classifyStream, which queue a few at a time',
    );
  }

  /** Waits for the image's turn and works on it. Rejects as the call does when that is cancelled first. */
  async run<T>(call: Call, work: (workspace: Workspace) => Promise<T>): Promise<T> {
    await this.#turn(call);
    const workspace = this.#idle.pop() ?? this.makeWorkspace();
    try {
      return await work(workspace);
    } finally {
      this.#idle.push(workspace);
      this.#active--;
      this.#serve();
    }
  }

  #turn(call: Call): Promise<void> {
    return new Promise((resolve, reject) => {
      call.throwIfCancelled();
      const forget = call.onCancel(() => {
        if (this.#waiting.delete(start)) reject(call.reason);
      });
      const start = () => {
        forget();
        resolve();
      };
      this.#waiting.add(start);
      this.#serve();
    });
  }

  #serve(): void {
    for (const start of this.#waiting) {
      if (this.#active >= this.concurrency) return;
      this.#waiting.delete(start);
      this.#active++;
      start();
    }
  }
}
