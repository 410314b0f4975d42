/**
 * The tabs of one browser that show the same user: who holds the socket, and a way to talk. Carries out `election.ts`.
 *
 * Owns the channel, the lock and the look-around timer. What tabs say beyond the election is `client.ts`'s business;
 * only what the present holder says to all is passed on from it. No token ever goes this way.
 */
import { type ElectionEffect, type ElectionEvent, elect, LOOK_MS, type Mode, outside, type Said } from "./election.js";
import type { Channel, Environment } from "./environment.js";

/** Raised when what tabs say to each other changes: tabs with another version of this code are not heard. */
const DIALECT = 1;

interface Envelope {
  readonly dialect: number;
  readonly from: string;
  readonly term: number;
  readonly to?: string;
  readonly said?: Said;
  readonly body?: unknown;
}

export interface TabsEvents {
  /** This tab holds; `heir` when another one did before. */
  hold(heir: boolean): void;
  /** This tab holds no more. */
  follow(): void;
  /** Another tab that held at the same time steps back. */
  prevail(): void;
  /** Another tab was found to hold, or a new one does. */
  found(holder: string): void;
  /** Said by another tab; `authority` when it is the holder. */
  heard(from: string, body: unknown, authority: boolean): void;
}

export class Tabs {
  readonly #name: string;
  readonly #environment: Environment;
  readonly #events: TabsEvents;
  readonly #me: string;
  #channel: Channel | null = null;
  #state = outside("alone", "");
  #timer: ReturnType<typeof setInterval> | null = null;
  #withdraw: (() => void) | null = null;
  #release: (() => void) | null = null;
  /** Tells a lock request of now from an earlier one. */
  #request = 0;

  constructor(name: string, environment: Environment, events: TabsEvents) {
    this.#name = name;
    this.#environment = environment;
    this.#events = events;
    this.#me = environment.newId();
  }

  get holds(): boolean {
    return this.#state.role === "holder";
  }

  /** Nobody can be told anything: every tab is for itself. */
  get alone(): boolean {
    return this.#state.mode === "alone";
  }

  get holder(): string | null {
    return this.#state.holder;
  }

  enter(): void {
    if (this.#state.role !== "out") return;
    const environment = this.#environment;
    this.#channel ??= environment.channel(this.#name, (message) => this.#onMessage(message));
    const mode: Mode = this.#channel === null ? "alone" : environment.locks === null ? "beats" : "locks";
    this.#state = { ...outside(mode, this.#me), term: this.#state.term };
    this.#timer ??= setInterval(() => this.look(), LOOK_MS);
    this.#step({ kind: "enter" });
  }

  leave(): void {
    this.#step({ kind: "leave" });
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    this.#channel?.close();
    this.#channel = null;
  }

  /** Looks around now rather than at the next turn. */
  look(): void {
    this.#step({ kind: "look", watching: this.#environment.page.visible });
  }

  /** Another tab goes on with this tab's socket. */
  yield(): void {
    this.#step({ kind: "yield" });
  }

  /** Says something to all other tabs, or to one. */
  say(body: unknown, to?: string): void {
    this.#post(to === undefined ? { body } : { body, to });
  }

  #post(words: Pick<Envelope, "said" | "body" | "to">): void {
    const envelope: Envelope = { dialect: DIALECT, from: this.#me, term: this.#state.term, ...words };
    this.#channel?.post(envelope);
  }

  #onMessage(message: unknown): void {
    const envelope = message as Envelope;
    if (typeof envelope !== "object" || envelope === null || envelope.dialect !== DIALECT) return;
    if (this.#state.role === "out" || (envelope.to !== undefined && envelope.to !== this.#me)) return;
    const { from, term, said } = envelope;
    if (said !== undefined) this.#step({ kind: "heard", from, term, said });
    else this.#events.heard(from, envelope.body, from === this.#state.holder && term >= this.#state.term);
  }

  #step(event: ElectionEvent): void {
    const before = this.#state;
    const [after, effects] = elect(before, event, Date.now());
    this.#state = after;
    for (const effect of effects) this.#carryOut(effect);
    if (after.holder !== null && (after.holder !== before.holder || after.term !== before.term)) {
      this.#events.found(after.holder);
    }
  }

  #carryOut(effect: ElectionEffect): void {
    switch (effect.kind) {
      case "say":
        this.#post({ said: effect.said });
        return;
      case "lock":
        if (effect.how === "release") this.#letGo();
        else this.#ask(effect.how);
        return;
      case "hold":
        this.#events.hold(effect.heir);
        return;
      case "follow":
        this.#events.follow();
        return;
      case "prevail":
        this.#events.prevail();
    }
  }

  #ask(how: "queue" | "steal"): void {
    this.#withdraw?.();
    this.#request += 1;
    const request = this.#request;
    const mine = () => request === this.#request;
    const granted = (release: () => void) => {
      if (!mine()) {
        release();
        return;
      }
      this.#release = release;
      this.#step({ kind: "granted" });
    };
    this.#withdraw =
      this.#environment.locks?.request(this.#name, how, granted, () => mine() && this.#step({ kind: "stolen" })) ??
      null;
  }

  #letGo(): void {
    this.#request += 1;
    this.#withdraw?.();
    this.#withdraw = null;
    this.#release?.();
    this.#release = null;
  }
}
