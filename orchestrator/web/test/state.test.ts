/** Any split of the same frames into snapshot, replay and live gives the same state. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { Feed } from "../src/feed.js";
import { type Bot, STATUSES, type Status } from "../src/generated.js";
import { logFrames } from "../src/log.js";
import { DEFAULT_LIMITS, INITIAL, reduce } from "../src/state.js";
import { Store } from "../src/store.js";
import type { Frame, State } from "../src/types.js";
import { makeBot } from "./support/records.js";

const NOW = 1_000;
const EPOCH = "e1";

/** What can happen, by number: small choices that a story is made of. */
const often = (weight: number, ...what: string[]) => what.map((value) => ({ weight, arbitrary: fc.constant(value) }));
const STEP = fc.record({
  what: fc.oneof(
    ...often(4, "code", "attempt", "status"),
    ...often(2, "create", "notice", "message", "edited", "revoked"),
    ...often(1, "delete", "receipt", "reaction", "send", "unknown", "malformed"),
  ),
  bot: fc.nat(1),
  pick: fc.nat(1_000),
});
type Step = { what: string; bot: number; pick: number };

/** One moment of the server: a durable frame, or an announcement, and what a snapshot would hold after it. */
interface Moment {
  readonly frame: Frame;
  readonly bots: ReadonlyArray<Bot>;
  readonly announced: ReadonlyArray<Frame>;
}

/** The server's side of a story. */
class Story {
  readonly moments: Moment[] = [];
  #seq = 0;
  #bots = new Map<string, Bot>();
  #announced = new Map<string, Frame>();
  #messages: { bot: string; id: string; sender: string; fromMe: boolean }[] = [];

  constructor(steps: ReadonlyArray<Step>) {
    for (const step of steps) this.#take(step);
  }

  #take({ what, bot: number, pick }: Step): void {
    const id = `bot_${number}`;
    const bot = this.#bots.get(id);
    if (what === "create" && bot === undefined) this.#record("created", makeBot(id));
    else if (bot === undefined) return;
    else if (what === "status") {
      const status: Status = STATUSES[pick % STATUSES.length] ?? "stopped";
      if (status !== "awaiting_scan") this.#announced.delete(id);
      this.#record("status", { ...bot, status, statusVersion: bot.statusVersion + 1 });
    } else if (what === "attempt") {
      this.#announced.delete(id);
      const attempt = (bot.link?.attempt ?? 0) + 1;
      const link = {
        method: "qr",
        attempt,
        index: null,
        of: null,
        expiresAt: null,
        triesLeft: 1,
        triesRenewAt: null,
      } as const;
      this.#record("status", { ...bot, status: "awaiting_scan", link, statusVersion: bot.statusVersion + 1 });
    } else if (what === "code") this.#announce(bot, pick);
    else if (what === "notice") this.#notice(bot, pick);
    else if (what === "delete") this.#delete(id);
    else this.#content(id, what, pick);
  }

  #record(type: string, bot: Bot): void {
    this.#bots.set(bot.id, bot);
    this.#durable("bot_status_update", type, bot.id, bot, { statusVersion: bot.statusVersion });
  }

  #announce(bot: Bot, pick: number): void {
    if (bot.status !== "awaiting_scan" || bot.link === null) return;
    const before = this.#announced.get(bot.id)?.data as { index: number } | undefined;
    const index = (before?.index ?? 0) + 1;
    const data = {
      qr: `code ${pick}`,
      svg: "<svg/>",
      index,
      of: 6,
      expiresAt: NOW + 60_000,
      attempt: bot.link.attempt,
    };
    const frame = this.#frame("whatsapp_connection_event", "qr", bot.id, data, { statusVersion: bot.statusVersion });
    this.#announced.set(bot.id, frame);
    this.#add(frame);
  }

  #notice(bot: Bot, pick: number): void {
    const types = ["scanned_without_multidevice", "pair_success", "pair_error", "login_expired", "passkey_required"];
    const type = types[pick % types.length] ?? "pair_success";
    if (bot.link === null) return;
    // What ends an attempt moves the bot out of `awaiting_scan` and withdraws its code, as the server does.
    if (type !== "scanned_without_multidevice") {
      this.#announced.delete(bot.id);
      this.#record("status", { ...bot, status: "pairing", statusVersion: bot.statusVersion + 1 });
    }
    this.#durable("whatsapp_connection_event", type, bot.id, { code: "keys" });
  }

  #delete(id: string): void {
    this.#bots.delete(id);
    this.#announced.delete(id);
    this.#messages = this.#messages.filter((message) => message.bot !== id);
    this.#durable("bot_status_update", "deleted", id, { id });
  }

  #content(bot: string, what: string, pick: number): void {
    const sender = `${pick % 3}@lid`;
    const chat = `${pick % 2}@lid`;
    const base = { chat, chatPn: null, sender, senderPn: null, fromMe: pick % 5 === 0, at: NOW };
    const mine = this.#messages.filter((message) => message.bot === bot);
    const target = mine[pick % Math.max(1, mine.length)];
    if (what === "message") {
      const id = `msg_${this.#seq}`;
      this.#messages.push({ bot, id, sender, fromMe: base.fromMe });
      const data = {
        ...base,
        messageId: id,
        kind: "text",
        text: `text ${pick}`,
        pushName: null,
        sentAt: NOW + this.#seq,
      };
      this.#durable("message_sync", "message", bot, data);
    } else if (what === "receipt") {
      const kind = ["delivered", "read", "sender"][pick % 3];
      this.#durable("message_sync", "receipt", bot, {
        ...base,
        messageIds: [target?.id ?? "none"],
        kind,
        fromMe: false,
      });
    } else if (what === "send") {
      const job = {
        id: `job_${pick % 3}`,
        botId: bot,
        to: chat,
        state: "sent",
        messageId: null,
        error: null,
        at: this.#seq,
        expiresAt: 0,
      };
      this.#durable("message_sync", "send_result", bot, job);
    } else if (what === "unknown") this.#durable("message_sync", "something_new", bot, { anything: pick });
    else if (what === "malformed")
      this.#durable("message_sync", "receipt", bot, [null, "odd", { messageIds: 3 }][pick % 3]);
    else {
      const change = { ...base, ...(target ?? {}), messageId: `chg_${this.#seq}`, targetId: target?.id ?? "none" };
      this.#durable("message_sync", what, bot, { ...change, emoji: ["👍", "", "❤"][pick % 3], text: `new ${pick}` });
    }
  }

  #durable(event: string, type: string, bot: string, data: unknown, extra: object = {}): void {
    this.#seq += 1;
    const place = { epoch: EPOCH, seq: this.#seq, prev: this.#seq - 1 };
    this.#add(this.#frame(event, type, bot, data, { ...extra, ...place }));
  }

  #frame(event: string, type: string, botId: string, data: unknown, extra: object): Frame {
    return { event, type, botId, data, id: `evt_${this.moments.length}`, at: NOW, ...extra } as Frame;
  }

  #add(frame: Frame): void {
    this.moments.push({ frame, bots: [...this.#bots.values()], announced: [...this.#announced.values()] });
  }
}

/** A client that is fed by hand. */
class Reader {
  readonly store = new Store(DEFAULT_LIMITS, () => {});
  readonly feed = new Feed(this.store, () => {});
  readonly given: string[] = [];

  constructor() {
    this.feed.offset = NOW - Date.now();
    this.feed.onFrame((frame) => {
      if (frame.seq !== undefined) this.given.push(frame.id);
    });
  }

  snapshot(seq: number, bots: ReadonlyArray<Bot>, announced: ReadonlyArray<Frame>): void {
    this.feed.snapshot({ position: { epoch: EPOCH, seq }, bots, missed: null, rest: 0, instead: false });
    this.take(announced, false);
  }

  take(frames: ReadonlyArray<Frame>, replayed: boolean): void {
    for (const frame of frames) this.feed.take(replayed ? { ...frame, replayed } : frame);
  }
}

const seqOf = (moments: ReadonlyArray<Moment>) => moments.reduce((seq, { frame }) => frame.seq ?? seq, 0);
const durable = (moments: ReadonlyArray<Moment>) =>
  moments.map(({ frame }) => frame).filter((frame) => frame.seq !== undefined);

/** What must be the same: the log but for its beginning, messages that came after `from`, all bots, all codes. */
function seen(state: State, from: ReadonlySet<string>): object {
  const bots = Object.entries(state.messages).map(([bot, { chats, sends }]) => {
    const messages = Object.values(chats).flatMap((chat) => chat.messages.filter((message) => from.has(message.id)));
    return [bot, messages, sends] as const;
  });
  return {
    bots: state.bots,
    position: state.position,
    codes: Object.entries(state.links)
      .flatMap(([bot, { code }]) => (code === null ? [] : [[bot, code]]))
      .sort(),
    messages: bots
      .filter(([, messages]) => messages.length > 0)
      .map(([bot, messages]) => [bot, messages])
      .sort(),
    log: logFrames(state.log).filter((frame) => from.has(frame.id)),
  };
}

test("snapshot, replay and live: where a client came in makes no difference", () => {
  fc.assert(
    fc.property(fc.array(STEP, { maxLength: 60 }), fc.nat(100), fc.nat(100), (steps, one, other) => {
      const { moments } = new Story(steps);
      const [k, m] = [one % (moments.length + 1), other % (moments.length + 1)].sort((a, b) => a - b) as [
        number,
        number,
      ];
      const whole = new Reader();
      whole.snapshot(0, [], []);
      whole.take(
        moments.map(({ frame }) => frame),
        false,
      );
      const split = new Reader();
      const at = moments[k - 1];
      split.snapshot(seqOf(moments.slice(0, k)), at?.bots ?? [], at?.announced ?? []);
      split.take(durable(moments.slice(k, m)), true);
      split.take(moments[m - 1]?.announced ?? [], false);
      split.take(
        moments.slice(m).map(({ frame }) => frame),
        false,
      );
      const after = new Set(durable(moments.slice(k)).map((frame) => frame.id));
      expect(seen(split.store.state, after)).toEqual(seen(whole.store.state, after));
    }),
    { numRuns: 400 },
  );
});

test("connections that end anywhere and replay too much: the same state, every frame told once and in order", () => {
  fc.assert(
    fc.property(
      fc.array(STEP, { maxLength: 60 }),
      fc.array(fc.tuple(fc.nat(80), fc.nat(20)), { maxLength: 5 }),
      (steps, cuts) => {
        const { moments } = new Story(steps);
        const whole = new Reader();
        whole.snapshot(0, [], []);
        whole.take(
          moments.map(({ frame }) => frame),
          false,
        );
        const broken = new Reader();
        broken.snapshot(0, [], []);
        let at = 0;
        for (const [far, back] of cuts) {
          const to = Math.min(moments.length, at + far);
          broken.take(
            moments.slice(at, to).map(({ frame }) => frame),
            false,
          );
          broken.feed.hideCodes();
          broken.take(durable(moments.slice(Math.max(0, to - back), to)), true);
          broken.take(moments[to - 1]?.announced ?? [], false);
          at = to;
        }
        broken.take(
          moments.slice(at).map(({ frame }) => frame),
          false,
        );
        const all = new Set(durable(moments).map((frame) => frame.id));
        expect(seen(broken.store.state, all)).toEqual(seen(whole.store.state, all));
        expect(broken.given).toEqual(whole.given);
      },
    ),
    { numRuns: 400 },
  );
});

test("a state taken whole from elsewhere is a jump: what came in between was never told", () => {
  const before: State = { ...INITIAL, position: { epoch: EPOCH, seq: 4 }, jumps: 2 };
  const adopted = (seq: number) =>
    reduce(before, { kind: "adopt", state: { ...INITIAL, position: { epoch: EPOCH, seq }, jumps: 2 } }, DEFAULT_LIMITS);
  expect([adopted(4).jumps, adopted(9).jumps]).toEqual([2, 3]);
  const snapshot = { position: { epoch: EPOCH, seq: 4 }, bots: [], missed: null, instead: false, rest: 0 };
  expect(reduce(before, { kind: "snapshot", snapshot }, DEFAULT_LIMITS).jumps).toBe(2);
});

test("what did not change keeps its identity", () => {
  const bots = { a: makeBot("a"), b: makeBot("b") };
  const before: State = { ...INITIAL, bots, position: { epoch: EPOCH, seq: 0 } };
  const frame = {
    event: "bot_status_update",
    type: "updated",
    id: "e",
    botId: "a",
    at: 1,
    data: makeBot("a", { name: "Bob" }),
    epoch: EPOCH,
    seq: 1,
    prev: 0,
  };
  const after = reduce(before, { kind: "frame", frame, serverNow: NOW }, DEFAULT_LIMITS);
  expect(after.bots.b).toBe(before.bots.b);
  expect(after.messages).toBe(before.messages);
  expect(after.links).toBe(before.links);
});

test("a frame whose data has another shape than expected is told, and those after it come", () => {
  const errors: unknown[] = [];
  const store = new Store(DEFAULT_LIMITS, (error) => errors.push(error));
  const feed = new Feed(store, () => {});
  feed.snapshot({
    position: { epoch: EPOCH, seq: 0 },
    bots: [makeBot("a")],
    missed: null,
    rest: 0,
    instead: false,
  });
  const odd = {
    get chat() {
      throw new Error("odd");
    },
  };
  const base = { id: "e", botId: "a", at: 1, epoch: EPOCH };
  feed.take({ ...base, event: "message_sync", type: "message", data: odd, seq: 1, prev: 0 });
  feed.take({
    ...base,
    event: "bot_status_update",
    type: "updated",
    data: makeBot("a", { name: "Bob" }),
    seq: 2,
    prev: 1,
  });
  expect(errors).toHaveLength(1);
  expect(store.state.bots.a?.name).toBe("Bob");
  expect(store.state.position?.seq).toBe(2);
});
