/**
 * Divides a model's threads between the runs that want them. A run alone gets all threads (its image is split); runs
 * that meet get one each, so that several images run side by side with one arena apiece and never more of them than
 * threads.
 */
export class ThreadShares {
  #free: number;
  readonly #waiting: { wanted: number; grant: (share: number) => void }[] = [];

  constructor(readonly total: number) {
    this.#free = total;
  }

  /**
   * A share, at least 1, if nobody waits for one and a thread is free; else 0. Give it back with release().
   *
   * @param wanted what the run could use at most.
   */
  take(wanted: number): number {
    if (this.#waiting.length > 0 || this.#free === 0) return 0;
    return this.#divide(wanted);
  }

  /** The same, waiting for it: first come, first served. */
  acquire(wanted: number): Promise<number> {
    return new Promise((grant) => {
      this.#waiting.push({ wanted, grant });
      this.#serve();
    });
  }

  release(share: number): void {
    this.#free += share;
    this.#serve();
  }

  #serve(): void {
    while (this.#free > 0) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      next.grant(this.#divide(next.wanted));
    }
  }

  /** The share of one who need not wait. */
  #divide(wanted: number): number {
    const share = this.#waiting.length > 0 ? 1 : Math.max(1, Math.min(wanted, this.#free));
    this.#free -= share;
    return share;
  }
}
