/**
 * Keeps the state and tells who listens: changes are told once for each picture of the page, a removed code at once.
 *
 * Owns the only mutable reference to the state. It must never know where changes come from; what they do is `state.ts`'s.
 */
import { beforePaint } from "./painting.js";
import { type Change, INITIAL, type Limits, reduce } from "./state.js";
import type { State } from "./types.js";

export class Store {
  #state: State = INITIAL;
  #told: State = INITIAL;
  readonly #limits: Limits;
  readonly #report: (error: unknown) => void;
  readonly #listeners = new Set<() => void>();
  #callOff: (() => void) | null = null;

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
    if (urgent) this.#tell();
    else this.#callOff ??= beforePaint(() => this.#tell());
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
    this.#callOff?.();
    this.#callOff = null;
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
