/**
 * Where tabs cannot talk, one that has the connection leaves a mark that the others can read: a time, nothing else.
 *
 * Only words depend on it ("open in another tab" rather than "in another browser").
 */
import type { Mark } from "./environment.js";

/** How fresh another tab's mark must be to be believed: hidden tabs renew theirs once a minute. */
const FRESH_MS = 90_000;

export class Presence {
  readonly #mark: Mark;
  #renewing: ReturnType<typeof setInterval> | null = null;

  constructor(mark: Mark) {
    this.#mark = mark;
  }

  /** This tab has the connection, or has it no more. */
  set(here: boolean): void {
    if (here === (this.#renewing !== null)) return;
    if (this.#renewing !== null) clearInterval(this.#renewing);
    this.#renewing = here ? setInterval(() => this.#mark.set(Date.now()), FRESH_MS / 3) : null;
    this.#mark.set(here ? Date.now() : null);
  }

  /** Whether a tab of this browser has the connection. */
  get seen(): boolean {
    const at = this.#mark.get();
    return at !== null && Date.now() - at < FRESH_MS;
  }
}
