/**
 * The arenas of one model, whatever program or input size they were made for: all a run needs is enough bytes. At most
 * `limit` are held, in use or idle, so that memory is bounded by threads x the largest arena.
 */
import { allocateArena } from './native.js';

/** What an arena has beyond its usable bytes. */
const SLACK = allocateArena(0).byteLength;

export class ArenaPool {
  readonly #idle: Uint8Array[] = []; // smallest first
  #inUse = 0;
  #bytes = 0;
  #highWaterBytes = 0;

  /** @param limit the most arenas that are in use at a time. */
  constructor(private readonly limit: number) {}

  /** Most bytes held at a time. */
  get highWaterBytes(): number {
    return this.#highWaterBytes;
  }

  /** `count` arenas of at least `bytes` usable bytes. Give them back with {@link give}. */
  take(count: number, bytes: number): Uint8Array[] {
    let first = 0;
    while (first < this.#idle.length && (this.#idle[first] as Uint8Array).byteLength < bytes + SLACK) first++;
    const arenas = this.#idle.splice(first, count);
    this.#inUse += count;
    // New ones are needed only if those left are too small; they make room.
    while (this.#idle.length > 0 && this.#idle.length + this.#inUse > this.limit) this.#drop();
    while (arenas.length < count) {
      const arena = allocateArena(bytes);
      this.#bytes += arena.byteLength;
      arenas.push(arena);
    }
    this.#highWaterBytes = Math.max(this.#highWaterBytes, this.#bytes);
    return arenas;
  }

  give(arenas: readonly Uint8Array[]): void {
    this.#inUse -= arenas.length;
    this.#idle.push(...arenas);
    if (this.#idle.length > 1) this.#idle.sort((a, b) => a.byteLength - b.byteLength);
  }

  /** Lets go of all idle arenas. */
  clear(): void {
    while (this.#idle.length > 0) this.#drop();
  }

  #drop(): void {
    this.#bytes -= this.#idle.shift()?.byteLength ?? 0;
  }
}
