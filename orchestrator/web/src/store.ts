/**
 * Keeps the state and tells who listens: several changes within a frame are told once, a removed code at once.
 *
 * Owns the only mutable reference to the state. It must never know where changes come from; what they do is `state.ts`'s.
 */
import { type Change, INITIAL, type Limits, reduce } from "./state.js";
import type { State } from "./types.js";

/** At most one call of the listeners in this time, ms: a frame of a screen. */
const FRAME_MS = 16;

export class Store {
  #state: State = INITIAL;
  #told: State = INITIAL;
  readonly #limits: Limits;
  readonly #report: (error: unknown) => void;
  readonly #listeners = new Set<() => void>();
  #timer: ReturnType<typeof setTimeout> | null = null;
  #toldAt = 0;

  /** @param report Takes bugs of listeners. */
  constructor(limits: Limits, report: (error: unknown) => void) {
    this.#limits = limits;
    this.#report = report;
  }

  /** The state now. */
  get state(): State {
    return this.#state;
  }

  /** Calls back after changes until the returned function is called. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  /** Applies a change; `urgent` is told at once. */
  change(change: Change, urgent = false): void {
    this.#state = this.#reduced(change);
    if (this.#state === this.#told) return;
    const wait = this.#toldAt + FRAME_MS - Date.now();
    if (urgent || wait <= 0) this.#tell();
    else this.#timer ??= setTimeout(() => this.#tell(), Math.min(wait, FRAME_MS));
  }

  #reduced(change: Change): State {
    try {
      return reduce(this.#state, change, this.#limits);
    } catch (error) {
      // A frame whose data has another shape than this version knows must not stop those after it.
      this.#report(error);
      const frame = change.kind === "frame" ? change.frame : null;
      if (frame?.epoch === undefined || frame.seq === undefined) return this.#state;
      return { ...this.#state, position: { epoch: frame.epoch, seq: frame.seq } };
    }
  }

  #tell(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#toldAt = Date.now();
    this.#told = this.#state;
    for (const listener of [...this.#listeners]) {
      try {
        listener();
      } catch (error) {
        this.#report(error);
      }
    }
  }
}
