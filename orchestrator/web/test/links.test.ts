/** When a code may be shown, and when it must go. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Feed } from "../src/feed.js";
import type { Bot } from "../src/generated.js";
import { DEFAULT_LIMITS } from "../src/state.js";
import { Store } from "../src/store.js";
import { makeBot } from "./support/records.js";

const SERVER_AHEAD_MS = 5_000;
let store: Store;
let feed: Feed;
let seq: number;

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
  store = new Store(DEFAULT_LIMITS, () => {});
  feed = new Feed(store, () => {});
  feed.offset = SERVER_AHEAD_MS;
  seq = 0;
  feed.snapshot({ position: { epoch: "e", seq }, bots: [], missed: null, rest: 0, instead: false });
  record(makeBot("a", { status: "awaiting_scan", statusVersion: 5, attempt: 2 }));
});
afterEach(() => {
  vi.useRealTimers();
});

function durable(event: string, type: string, data: unknown): void {
  seq += 1;
  feed.take({ event, type, id: `evt_${seq}`, botId: "a", at: 1, data, epoch: "e", seq, prev: seq - 1 });
}
const record = (bot: Bot) => durable("bot_status_update", "status", bot);
const notice = (type: string) => durable("whatsapp_connection_event", type, {});

function offer({ index = 1, attempt = 2, version = 5, livesMs = 20_000, kind = "qr" } = {}): void {
  const ends = { expiresAt: Date.now() + SERVER_AHEAD_MS + livesMs, attempt };
  const data =
    kind === "qr" ? { qr: `code ${index}`, svg: "<svg/>", index, of: 6, ...ends } : { code: "ABCD-EFGH", ...ends };
  feed.take({
    event: "whatsapp_connection_event",
    type: kind,
    id: "evt",
    botId: "a",
    at: 1,
    data,
    statusVersion: version,
  });
}
const shown = () => {
  const code = store.state.links.a?.code ?? null;
  return code === null ? null : code.kind === "qr" ? code.qr : code.code;
};

describe("a code is shown", () => {
  test("while it is on offer, and a newer one takes its place", () => {
    offer();
    expect(shown()).toBe("code 1");
    offer({ index: 2 });
    expect(shown()).toBe("code 2");
    offer({ kind: "pairing_code" });
    expect(shown()).toBe("ABCD-EFGH");
  });

  test("also when it overtakes the record it was announced under", () => {
    record(makeBot("a", { status: "starting", statusVersion: 6, attempt: 2 }));
    offer({ attempt: 3, version: 7 });
    expect(shown()).toBe("code 1");
    record(makeBot("a", { status: "awaiting_scan", statusVersion: 7, attempt: 3 }));
    expect(shown()).toBe("code 1");
  });
});

describe("a code is dropped", () => {
  test.each([
    ["of an older attempt", { attempt: 1 }],
    ["that has ended", { livesMs: -1 }],
  ])("%s", (_, parts) => {
    offer(parts);
    expect(shown()).toBeNull();
  });

  test("with a lower index than the one shown", () => {
    offer({ index: 3 });
    offer({ index: 2 });
    expect(shown()).toBe("code 3");
  });

  test("that arrives after its bot left awaiting_scan", () => {
    record(makeBot("a", { status: "pairing", statusVersion: 6, attempt: 2 }));
    offer();
    expect(shown()).toBeNull();
  });

  test.each(["pair_success", "pair_error", "login_expired", "passkey_required"])("that arrives after %s", (type) => {
    notice(type);
    offer();
    expect(shown()).toBeNull();
    expect(store.state.links.a?.notice?.type).toBe(type);
  });
});

describe("a code leaves the state", () => {
  beforeEach(() => offer());

  test("at its end by the server's clock, without another frame", () => {
    vi.advanceTimersByTime(19_999);
    expect(shown()).toBe("code 1");
    vi.advanceTimersByTime(1);
    expect(shown()).toBeNull();
  });

  test("with its bot's status, a scan, a new attempt, and at once for whoever listens", () => {
    let told = 0;
    store.subscribe(() => {
      told += 1;
    });
    record(makeBot("a", { status: "pairing", statusVersion: 6, attempt: 2 }));
    expect(shown()).toBeNull();
    offer({ attempt: 3, version: 7 });
    record(makeBot("a", { status: "awaiting_scan", statusVersion: 8, attempt: 4 }));
    expect(shown()).toBeNull();
    offer({ attempt: 4, version: 8 });
    notice("pair_success");
    expect(shown()).toBeNull();
    offer({ attempt: 5, version: 9 });
    told = 0;
    feed.hideCodes();
    expect([shown(), told]).toEqual([null, 1]);
    expect(JSON.stringify(store.state)).not.toContain("code 1");
  });

  test("with a snapshot: what is still on offer is announced again", () => {
    const bot = makeBot("a", { status: "awaiting_scan", statusVersion: 5, attempt: 2 });
    feed.snapshot({ position: { epoch: "e", seq: 9 }, bots: [bot], missed: null, rest: 0, instead: false });
    expect(shown()).toBeNull();
    offer({ index: 2 });
    expect(shown()).toBe("code 2");
  });

  test("with its bot", () => {
    durable("bot_status_update", "deleted", { id: "a" });
    expect(store.state.links).toEqual({});
  });
});

test("a scan by an old phone is told and the code stays", () => {
  offer();
  notice("scanned_without_multidevice");
  expect([shown(), store.state.links.a?.notice?.type]).toEqual(["code 1", "scanned_without_multidevice"]);
});
