/**
 * The tab that holds the socket: carries out what `link.ts` decides, and what `feed.ts` says is missing.
 *
 * Owns the wire, its timers and the acknowledgements. It must never know other tabs: `client.ts` is told what arrived.
 */
import type { Environment, Wire } from "./environment.js";
import type { Feed } from "./feed.js";
import type { Position, Ready } from "./generated.js";
import { type Effect, type LinkEvent, type LinkState, OFF, type Shown, step, type TimerName } from "./link.js";
import type { Frame, TokenReason, TokenSource } from "./types.js";
import {
  continued,
  isDurable,
  readEnding,
  readFrame,
  readReady,
  readReplaying,
  readSnapshot,
  type Snapshot,
} from "./wire.js";

/** Acknowledge after so many frames: eight of the largest are a full window. */
const ACK_FRAMES = 8;
const ACK_MS = 100;

export interface HolderOptions {
  readonly url: string;
  readonly userId: string;
  readonly clientId: string;
  readonly environment: Environment;
  readonly feed: Feed;
  token(): TokenSource;
  /** What the connection is has changed. */
  changed(link: LinkState, ready: Ready | null): void;
  /** A frame of an event came: applied, or had before (`again`: another tab may still lack it). */
  came(frame: Frame, again: boolean): void;
  snapshot(snapshot: Snapshot): void;
  /** The replay begins that was asked for. */
  replaying(): void;
  /** Another tab of this browser goes on with the connection. */
  yielded(): void;
}

export class Holder {
  readonly #options: HolderOptions;
  #link: LinkState = OFF;
  #wire: Wire | null = null;
  #timers = new Map<TimerName, ReturnType<typeof setTimeout>>();
  #connectionId: string | null;
  #ready: Ready | null = null;
  /** A snapshot of which not all has come. */
  #begun: Snapshot | null = null;
  #unacknowledged = 0;
  #toAcknowledge: Position | null = null;
  #acknowledge: ReturnType<typeof setTimeout> | null = null;

  /** @param connectionId Of the socket a former holder had: proves that this one continues it. */
  constructor(options: HolderOptions, connectionId: string | null) {
    this.#options = options;
    this.#connectionId = connectionId;
  }

  get link(): LinkState {
    return this.#link;
  }

  /** What a successor proves itself with. A secret: in memory, and between tabs of this browser. */
  get connectionId(): string | null {
    return this.#connectionId;
  }

  /** Whether commands can be sent now. */
  get open(): boolean {
    return this.#link.phase === "open" && this.#wire !== null;
  }

  start(heir: boolean, inherited: Shown | null, online: boolean): void {
    this.#link = { ...OFF, online };
    this.step({ kind: "start", heir, inherited });
  }

  stop(): void {
    this.step({ kind: "stop" });
  }

  /** Lets the server say everything after a position once more, for a tab that lacks it. */
  replayAfter(position: Position): void {
    this.#resync(position);
  }

  emit(event: string, argument: unknown, answered?: (answer: unknown) => void): void {
    this.#wire?.emit(event, argument, answered);
  }

  /** Takes an event of the machine: carries its effects out, then tells what changed. */
  step(event: LinkEvent): void {
    const before = this.#link;
    const [after, effects] = step(before, event, Date.now(), this.#options.environment.random());
    this.#link = after;
    for (const effect of effects) this.#carryOut(effect);
    if (after !== before && this.#link === after && event.kind !== "heard") {
      this.#options.changed(after, this.#ready);
    }
  }

  #carryOut(effect: Effect): void {
    switch (effect.kind) {
      case "token":
        this.#askToken(effect.reason, effect.asked);
        return;
      case "open":
        this.#open(effect.token, effect.takeover, effect.fresh);
        return;
      case "close":
        this.#close();
        return;
      case "probe":
        this.#resync(this.#options.feed.wanted);
        return;
      case "timer":
        this.#setTimer(effect.timer, effect.ms);
        return;
      case "yield":
        this.#options.yielded();
    }
  }

  #setTimer(name: TimerName, ms: number | null): void {
    const running = this.#timers.get(name);
    if (running !== undefined) clearTimeout(running);
    this.#timers.delete(name);
    if (ms === null) return;
    const due = () => {
      this.#timers.delete(name);
      this.step({ kind: "due", timer: name });
    };
    this.#timers.set(name, setTimeout(due, ms));
  }

  // --- tokens ---------------------------------------------------------------------------------------------------

  #askToken(reason: TokenReason, asked: number): void {
    this.#tokenFor(reason).then(
      (token) => this.step({ kind: "token", asked, token }),
      () => this.step({ kind: "no_token", asked }),
    );
  }

  async #tokenFor(reason: TokenReason): Promise<string | null> {
    return (await this.#options.token()(reason)) || null;
  }

  /** Goes on with a fresh token; where there is none now, the server closes in time and a new try asks again. */
  #refresh(): void {
    const wire = this.#wire;
    this.#tokenFor("expiring").then(
      (token) => {
        if (token !== null && wire === this.#wire) wire?.emit("refresh_token", { token });
      },
      () => {},
    );
  }

  // --- the wire -------------------------------------------------------------------------------------------------

  #open(token: string, takeover: boolean, fresh: boolean): void {
    const { environment, feed, url, userId, clientId } = this.#options;
    const position = fresh ? null : feed.position;
    const proof = this.#connectionId === null ? {} : { connectionId: this.#connectionId };
    const resume = position === null && this.#connectionId === null ? {} : { resume: { ...position, ...proof } };
    const auth = { token, userId, clientId, acks: true, ...resume, ...(takeover ? { takeover: true } : {}) };
    this.#wire = environment.connect(
      { url, auth },
      {
        refused: (data) => {
          const ending = readEnding(data);
          this.step(ending === null ? { kind: "lost", final: false } : { kind: "refused", ending });
        },
        event: (name, argument) => this.#onEvent(name, argument),
        heard: () => this.step({ kind: "heard" }),
        closed: (final) => this.step({ kind: "lost", final }),
      },
    );
  }

  #close(): void {
    if (this.#acknowledge !== null) clearTimeout(this.#acknowledge);
    this.#acknowledge = null;
    this.#unacknowledged = 0;
    this.#toAcknowledge = null;
    this.#ready = null;
    this.#begun = null;
    const wire = this.#wire;
    this.#wire = null;
    wire?.close();
  }

  #onEvent(name: string, argument: unknown): void {
    const frame = readFrame(name, argument);
    if (frame === null) return;
    if (name === "connection_update") this.#onUpdate(frame);
    else this.#onFrame(frame);
  }

  #onFrame(frame: Frame): void {
    this.step({ kind: "heard" });
    this.#measure(frame);
    const verdict = this.#options.feed.take(frame);
    if (verdict === "gap") this.#resync(this.#options.feed.wanted);
    if (isDurable(frame) && verdict !== "gap") this.#received(frame);
    if (verdict === "gap") return;
    this.#options.came(frame, verdict === "drop");
    this.#lookCaughtUp();
  }

  /** The connection's own frames. */
  #onUpdate(frame: Frame): void {
    switch (frame.type) {
      case "ready":
        this.#onReady(readReady(frame.data));
        return;
      case "snapshot":
        this.#onSnapshot(readSnapshot(frame.data));
        return;
      case "snapshot_rest":
        this.#onSnapshot(continued(this.#begun, readSnapshot(frame.data)));
        return;
      case "replaying":
        if (readReplaying(frame.data) === null) return;
        this.#options.feed.replaying();
        this.#options.replaying();
        this.step({ kind: "caught_up" });
        return;
      case "token_expiring":
        this.#refresh();
        return;
      case "closing": {
        const ending = readEnding(frame.data);
        if (ending !== null) this.step({ kind: "closing", ending });
        return;
      }
      default:
        this.step({ kind: "heard" });
    }
  }

  #onReady(ready: Ready | null): void {
    if (ready === null) return;
    this.#ready = ready;
    this.#connectionId = ready.connectionId;
    this.#options.feed.offset = ready.serverTime - Date.now();
    if (ready.mode !== "snapshot") this.#options.feed.replaying();
    this.step({ kind: "ready" });
    this.#lookCaughtUp();
  }

  #onSnapshot(snapshot: Snapshot | null): void {
    this.#begun = snapshot !== null && snapshot.rest > 0 ? snapshot : null;
    if (this.#begun !== null) this.step({ kind: "heard" });
    if (snapshot === null || snapshot.rest > 0) return;
    this.#options.feed.snapshot(snapshot);
    this.#options.snapshot(snapshot);
    this.step({ kind: "caught_up" });
  }

  /** Everything that was missed has been applied. */
  #lookCaughtUp(): void {
    const ready = this.#ready;
    const { position } = this.#options.feed;
    if (this.#link.liveSince !== null || this.#timers.has("probe") || ready === null || position === null) return;
    if (ready.mode !== "snapshot" && position.epoch === ready.epoch && position.seq >= ready.head) {
      this.step({ kind: "caught_up" });
    }
  }

  /** The server's clock from frames made just now: the least delayed one tells it best. */
  #measure(frame: Frame): void {
    if (frame.replayed) return;
    this.#options.feed.offset = Math.max(this.#options.feed.offset, frame.at - Date.now());
  }

  // --- towards the server ---------------------------------------------------------------------------------------

  #resync(position: Position): void {
    this.emit("resync", position);
  }

  /** Acknowledges what has been applied, as far as it came over this connection: of a replay for another tab, its frames. */
  #received({ epoch, seq }: { readonly epoch: string; readonly seq: number }): void {
    const { position } = this.#options.feed;
    if (position === null || position.epoch !== epoch) return;
    this.#toAcknowledge = { epoch, seq: Math.min(seq, position.seq) };
    this.#unacknowledged += 1;
    if (this.#unacknowledged >= ACK_FRAMES) this.#sendAck();
    else this.#acknowledge ??= setTimeout(() => this.#sendAck(), ACK_MS);
  }

  #sendAck(): void {
    if (this.#acknowledge !== null) clearTimeout(this.#acknowledge);
    this.#acknowledge = null;
    this.#unacknowledged = 0;
    if (this.#toAcknowledge !== null) this.emit("ack", this.#toAcknowledge);
  }
}
