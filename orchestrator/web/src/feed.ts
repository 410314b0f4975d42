/**
 * Applies what comes, once and in order, and says what is missing. The same in every tab.
 *
 * Owns the cursor: it is advanced only after a frame has been applied and told. Read `cursor.ts` for the decision.
 */
import { type Cursor, judge, NOWHERE, resumeReading, standAt, type Verdict, wanted } from "./cursor.js";
import type { Position } from "./generated.js";
import { nextExpiry } from "./links.js";
import type { Store } from "./store.js";
import type { Frame, State } from "./types.js";
import type { Snapshot } from "./wire.js";

export class Feed {
  #cursor: Cursor = NOWHERE;
  #expiry: ReturnType<typeof setTimeout> | null = null;
  readonly #store: Store;
  readonly #report: (error: unknown) => void;
  readonly #listeners = new Set<(frame: Frame) => void>();
  /** Server's clock minus this machine's, ms. */
  offset = 0;

  constructor(store: Store, report: (error: unknown) => void) {
    this.#store = store;
    this.#report = report;
  }

  /** Up to where everything has been applied. */
  get position(): Position | null {
    return this.#cursor.position;
  }

  /** What to ask for to close a gap. */
  get wanted(): Position {
    return wanted(this.#cursor);
  }

  /** Calls back with every frame once it has been applied. */
  onFrame(listener: (frame: Frame) => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  /** Takes a frame of an event; the verdict says what became of it. */
  take(frame: Frame): Verdict {
    const [verdict, after] = judge(this.#cursor, frame);
    if (verdict === "apply") {
      const codes = this.#store.state.links;
      this.#store.change({ kind: "frame", frame, serverNow: Date.now() + this.offset });
      if (this.#store.state.links !== codes) this.#watchCodes();
      this.#tell(frame);
    }
    this.#cursor = after;
    return verdict;
  }

  /** Takes the state of all bots. */
  snapshot(snapshot: Snapshot): void {
    this.#store.change({ kind: "snapshot", snapshot }, true);
    this.#cursor = standAt(snapshot.position);
    this.#watchCodes();
  }

  /** Whether this tab could have what came before a snapshot that another one was given. */
  lacks({ position, instead }: Snapshot): boolean {
    const mine = this.#cursor.position;
    return !instead && mine !== null && mine.epoch === position.epoch && mine.seq < position.seq;
  }

  /** Takes the state of another tab, unless this one has more. */
  adopt(state: State): void {
    const mine = this.#cursor.position;
    const theirs = state.position;
    if (theirs === null) return;
    if (mine !== null && mine.epoch === theirs.epoch && mine.seq > theirs.seq) {
      this.replaying();
      return;
    }
    this.#store.change({ kind: "adopt", state }, true);
    this.#cursor = standAt(theirs);
    this.#watchCodes();
  }

  /** The replay that was asked for begins. */
  replaying(): void {
    this.#cursor = resumeReading(this.#cursor);
  }

  /** Not live: no code may be shown any more, and nobody knows who is there. */
  hideCodes(): void {
    this.#store.change({ kind: "lost" }, true);
    this.#watchCodes();
  }

  /** Stops timers; what has been applied stays. */
  stop(): void {
    if (this.#expiry !== null) clearTimeout(this.#expiry);
    this.#expiry = null;
  }

  /** Codes leave at their end, not with the next frame. */
  #watchCodes(): void {
    this.stop();
    const next = nextExpiry(this.#store.state.links);
    if (next === null) return;
    const wait = Math.max(0, next - this.offset - Date.now());
    this.#expiry = setTimeout(() => {
      this.#store.change({ kind: "expire", at: Date.now() + this.offset }, true);
      this.#watchCodes();
    }, wait);
  }

  #tell(frame: Frame): void {
    for (const listener of [...this.#listeners]) {
      try {
        listener(frame);
      } catch (error) {
        this.#report(error);
      }
    }
  }
}
