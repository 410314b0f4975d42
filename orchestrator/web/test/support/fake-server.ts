/**
 * The server's side of the socket in memory: admission, tokens, log, snapshot, replay, window, commands, closings.
 *
 * Speaks the contract of the socket; `protocol.suite.ts` runs the same cases against it and against the real server, so
 * that it cannot say anything else. Time is `Date.now` and `setTimeout`: fake in most tests.
 */
import type { Wire, WireEvents, WireOptions } from "../../src/environment.js";
import type { Bot } from "../../src/generated.js";
import type { Frame } from "../../src/types.js";
import { type Auth, LATENCY_MS, later, pause, type Socket, type Token, User } from "./fake-user.js";

const PROBE_MS = 2_000;
const WINDOW = 256;

export class FakeServer {
  readonly tokens = new Map<string, Token>();
  readonly users = new Map<string, User>();
  readonly refusals: string[] = [];
  readonly closings: string[] = [];
  readonly commands: unknown[] = [];
  /** Refuse everybody with this. */
  refuseWith: { code: string; retryable: boolean; retryAfterMs?: number } | null = null;
  /** Nothing arrives or leaves. */
  unreachable = false;
  /** Durable frames that get lost on their way. */
  loseNext = 0;
  /** The position whose frame always gets lost. */
  loseAlways = 0;
  /** Bots that fit the frame of a snapshot. */
  botsPerFrame = 100;
  /** The transport breaks after the first frame of so many snapshots that have more. */
  breakSnapshots = 0;
  /** The server's clock before the clients'. */
  ahead = 0;
  connects = 0;
  resyncs = 0;
  #ids = 0;

  user(name: string): User {
    const known = this.users.get(name) ?? new User();
    this.users.set(name, known);
    return known;
  }

  token(user: string, ttlMs = 3_600_000): string {
    this.#ids += 1;
    const token = `token-${this.#ids}`;
    this.tokens.set(token, { user, expiresAt: Date.now() + ttlMs });
    return token;
  }

  /** Makes a durable event. */
  publish(user: string, event: string, type: string, botId: string | null, data: unknown, extra: object = {}): Frame {
    const known = this.user(user);
    const seq = known.head + 1;
    this.#ids += 1;
    const frame = {
      event,
      id: `evt_${this.#ids}`,
      type,
      botId,
      at: Date.now() + this.ahead,
      data,
      ...extra,
      epoch: known.epoch,
      seq,
      prev: seq - 1,
    } as Frame;
    known.log.push(frame);
    if (event === "bot_status_update" && botId !== null) {
      if (type === "deleted") known.bots.delete(botId);
      else known.bots.set(botId, data as Bot);
    }
    this.#pump(known);
    return frame;
  }

  announce(user: string, type: string, botId: string, data: object, statusVersion: number): void {
    this.#ids += 1;
    const frame: Frame = {
      event: "whatsapp_connection_event",
      id: `evt_${this.#ids}`,
      type,
      botId,
      at: Date.now() + this.ahead,
      data,
      statusVersion,
    };
    const known = this.user(user);
    known.announced.set(`${botId}/${type}`, frame);
    if (known.present !== null && known.present.sent >= 0) this.#send(known.present, frame);
  }

  withdraw(user: string, botId: string): void {
    const known = this.user(user);
    for (const key of [...known.announced.keys()]) if (key.startsWith(`${botId}/`)) known.announced.delete(key);
  }

  /** Ends a user's socket with a code. */
  close(user: string, code: string, retryable: boolean, retryAfterMs?: number): void {
    const socket = this.user(user).present;
    if (socket !== null) this.#close(socket, code, retryable, retryAfterMs);
  }

  /** The transport breaks without a word. */
  cut(user: string): void {
    const known = this.user(user);
    const socket = known.present;
    if (socket === null) return;
    this.#gone(socket);
    later(() => socket.events.closed(false));
  }

  /** The transport of the user's socket dies, and nobody notices. */
  die(user: string): void {
    const socket = this.user(user).present;
    if (socket !== null) socket.dead = true;
  }

  /** Ends the user's session (`final`) or its transport without a word. */
  end(user: string, final: boolean): void {
    const socket = this.user(user).present;
    if (socket === null) return;
    this.#gone(socket);
    later(() => socket.events.closed(final));
  }

  // --- connections ------------------------------------------------------------------------------------------------

  /** A wire for a client; `stuck` tells whether its tab is frozen. */
  connect({ auth }: WireOptions, events: WireEvents, stuck: () => boolean = () => false): Wire {
    this.connects += 1;
    let socket: Socket | null = null;
    let closed = false;
    const quiet: WireEvents = {
      refused: (data) => closed || events.refused(data),
      event: (name, argument) => closed || events.event(name, argument),
      heard: () => closed || events.heard(),
      closed: (final) => closed || events.closed(final),
    } as WireEvents;
    later(() => {
      if (this.unreachable) later(() => quiet.refused(undefined), 50);
      else void this.#admit(auth as Auth, quiet, stuck, () => closed).then((admitted) => (socket = admitted));
    });
    return {
      emit: (event, argument, answered) => {
        const at = socket;
        later(() => at !== null && !at.ended && !stuck() && !at.dead && this.#onEvent(at, event, argument, answered));
      },
      close: () => {
        closed = true;
        const at = socket;
        if (at !== null) later(() => this.#gone(at));
      },
    };
  }

  async #admit(auth: Auth, events: WireEvents, stuck: () => boolean, left: () => boolean): Promise<Socket | null> {
    const refuse = (code: string, retryable: boolean, more: object = {}): null => {
      this.refusals.push(code);
      events.refused({ code, retryable, message: code, ...more });
      return null;
    };
    if (this.refuseWith !== null) return refuse(this.refuseWith.code, this.refuseWith.retryable, this.refuseWith);
    const token = this.tokens.get(auth.token ?? "");
    if (token === undefined) return refuse("unauthorized", false);
    if (token.expiresAt <= Date.now()) return refuse("token_expired", false);
    if (auth.userId !== undefined && auth.userId !== token.user) return refuse("user_mismatch", false);
    const user = this.user(token.user);
    const minute = Date.now() - 60_000;
    user.connects = user.connects.filter((at) => at > minute);
    user.takeovers = user.takeovers.filter((at) => at > minute);
    const first = user.connects[0];
    if (first !== undefined && user.connects.length >= 20) {
      return refuse("too_many_attempts", true, { retryAfterMs: first + 60_000 - Date.now() });
    }
    user.connects.push(Date.now());
    const present = user.present;
    if (present !== null) {
      if (auth.resume?.connectionId === present.connectionId) this.#close(present, "superseded", false);
      else if (auth.takeover) {
        if (user.takeovers.length >= 3) return refuse("too_many_attempts", true, { retryAfterMs: 60_000 });
        user.takeovers.push(Date.now());
        this.#close(present, "taken_over", false);
      } else {
        if (user.probing) return refuse("already_connected", false, { since: present.since });
        user.probing = true;
        const alive = await this.#probe(present);
        user.probing = false;
        if (alive) return refuse("already_connected", false, { since: present.since });
        if (user.present !== null && user.present !== present) return refuse("already_connected", false);
        this.#gone(present);
      }
    }
    if (left()) return null;
    return this.#greet(user, token, auth, events, stuck);
  }

  async #probe(socket: Socket): Promise<boolean> {
    const began = Date.now();
    while (!socket.ended && Date.now() - began < PROBE_MS) {
      await pause(20);
      if (!socket.ended && !socket.dead && !socket.stuck()) return true;
    }
    return false;
  }

  #greet(user: User, token: Token, auth: Auth, events: WireEvents, stuck: () => boolean): Socket {
    this.#ids += 1;
    const socket: Socket = {
      user: token.user,
      auth,
      events,
      connectionId: `conn-${this.#ids}`,
      since: Date.now(),
      stuck,
      sent: -1,
      acknowledged: 0,
      ended: false,
      dead: false,
      replayed: 0,
      timers: [],
    };
    user.present = socket;
    this.#watchToken(socket, token);
    this.#begin(user, socket, auth.resume, true);
    const ping = setInterval(
      () => (socket.ended ? clearInterval(ping) : !stuck() && !socket.dead && events.heard()),
      25_000,
    );
    socket.timers.push(ping);
    return socket;
  }

  #begin(user: User, socket: Socket, resume: Auth["resume"], greet: boolean): void {
    const seq = resume?.seq;
    const honoured =
      resume?.epoch === user.epoch && seq !== undefined && seq >= user.floor && seq <= user.head ? seq : null;
    const reason =
      resume?.epoch === undefined
        ? "first"
        : resume.epoch !== user.epoch
          ? "epoch"
          : (seq ?? 0) > user.head
            ? "ahead"
            : "expired";
    const missed = reason === "expired" ? { missed: user.head - (seq ?? 0) } : {};
    const from = honoured ?? user.head;
    if (greet) {
      this.#update(socket, "ready", {
        epoch: user.epoch,
        head: user.head,
        floor: user.floor,
        from,
        mode: honoured === null ? "snapshot" : "resumed",
        ...(honoured === null ? { reason, ...missed } : {}),
        connectionId: socket.connectionId,
        window: WINDOW,
        serverTime: Date.now() + this.ahead,
        serverVersion: "fake",
        contract: 1,
      });
    } else if (honoured !== null) this.#update(socket, "replaying", { from, epoch: user.epoch });
    if (honoured === null) {
      this.#snapshot(user, socket, greet ? {} : { reason, ...missed });
      if (socket.ended) return;
    }
    socket.sent = from;
    socket.acknowledged = from;
    socket.replayed = user.head;
    this.#pump(user);
    for (const frame of user.announced.values()) this.#send(socket, frame);
  }

  #snapshot(user: User, socket: Socket, why: object): void {
    const position = { epoch: user.epoch, seq: user.head };
    const bots = [...user.bots.values()];
    for (let from = 0; from === 0 || from < bots.length; from += this.botsPerFrame) {
      const rest = Math.max(0, bots.length - from - this.botsPerFrame);
      this.#update(socket, from === 0 ? "snapshot" : "snapshot_rest", {
        position,
        bots: bots.slice(from, from + this.botsPerFrame),
        ...(from === 0 ? why : {}),
        ...(rest === 0 ? {} : { rest }),
      });
      if (rest > 0 && this.breakSnapshots > 0) {
        this.breakSnapshots -= 1;
        this.#gone(socket);
        later(() => socket.events.closed(false), LATENCY_MS + 1);
        return;
      }
    }
  }

  /** Sends what the window lets through. */
  #pump(user: User): void {
    const socket = user.present;
    if (socket === null || socket.sent < 0) return;
    while (socket.sent < user.head && (!socket.auth.acks || socket.sent - socket.acknowledged < WINDOW)) {
      const frame = user.log[socket.sent];
      if (frame === undefined) return;
      socket.sent += 1;
      this.#send(socket, socket.sent <= socket.replayed ? { ...frame, replayed: true } : frame);
    }
  }

  #watchToken(socket: Socket, token: Token): void {
    if (!socket.auth.acks) return;
    for (const running of socket.timers.splice(0)) clearTimeout(running);
    const left = token.expiresAt - Date.now();
    socket.timers.push(
      setTimeout(
        () => this.#update(socket, "token_expiring", { expiresAt: token.expiresAt }),
        Math.max(0, left - 60_000),
      ),
      setTimeout(() => this.#close(socket, "token_expired", false), left + 60_000),
    );
  }

  #onEvent(socket: Socket, event: string, argument: unknown, answered?: (answer: unknown) => void): void {
    const user = this.user(socket.user);
    const asked = argument as { epoch: string; seq: number; token: string; id: string; botId: string };
    if (event === "ack" && asked.epoch === user.epoch && asked.seq <= socket.sent) {
      socket.acknowledged = Math.max(socket.acknowledged, asked.seq);
      this.#pump(user);
    } else if (event === "resync") {
      this.resyncs += 1;
      this.#begin(user, socket, asked, false);
    } else if (event === "refresh_token") {
      const token = this.tokens.get(asked.token);
      if (token === undefined || token.expiresAt <= Date.now()) this.#close(socket, "token_expired", false);
      else this.#watchToken(socket, token);
    } else if (event === "command") {
      if (!user.answers.has(asked.id)) {
        this.commands.push(argument);
        const known = user.bots.has(asked.botId);
        const error = { code: "not_found", message: "There is no such thing here.", retryable: false };
        user.answers.set(asked.id, known ? { ok: true, result: { id: asked.botId } } : { ok: false, error });
      }
      const answer = user.answers.get(asked.id);
      later(() => !socket.ended && answered?.(answer));
    }
  }

  #close(socket: Socket, code: string, retryable: boolean, retryAfterMs?: number): void {
    if (socket.ended) return;
    this.closings.push(code);
    this.#update(socket, "closing", {
      code,
      retryable,
      message: code,
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    });
    this.#gone(socket);
    later(() => socket.events.closed(!retryable), LATENCY_MS + 1);
  }

  #gone(socket: Socket): void {
    socket.ended = true;
    for (const running of socket.timers) clearTimeout(running);
    const user = this.user(socket.user);
    if (user.present === socket) user.present = null;
  }

  #update(socket: Socket, type: string, data: object): void {
    this.#ids += 1;
    this.#send(socket, {
      event: "connection_update",
      id: `evt_${this.#ids}`,
      type,
      botId: null,
      at: Date.now() + this.ahead,
      data,
    });
  }

  #send(socket: Socket, frame: Frame): void {
    if (socket.ended || socket.dead || this.#loses(frame)) return;
    const { event, ...rest } = structuredClone(frame);
    later(() => socket.events.event(event, rest));
  }

  #loses(frame: Frame): boolean {
    if (frame.seq === undefined) return false;
    if (frame.seq === this.loseAlways) return true;
    this.loseNext -= 1;
    return this.loseNext >= 0;
  }
}
