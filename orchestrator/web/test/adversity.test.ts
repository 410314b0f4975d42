/** What a server, a network and a machine can do to a connection, one by one, on the fake server. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { ConnectionState } from "../src/types.js";
import { connectionWords } from "../src/words.js";
import { FakeServer } from "./support/fake-server.js";
import { type Ground, Play, Seat } from "./support/ground.js";
import { makeBot } from "./support/records.js";

let server: FakeServer;
let play: Play;

beforeEach(() => {
  vi.useFakeTimers({ now: 1_800_000_000_000 });
  server = new FakeServer();
  server.user("ada").bots.set("bot_a", makeBot("bot_a"));
  play = new Play({
    url: "http://bots.test",
    connect: (options, events, stuck) => server.connect(options, events, stuck),
    token: async (user) => server.token(user),
    pass: async (ms) => {
      await vi.advanceTimersByTimeAsync(ms);
    },
  } as Ground);
});
afterEach(() => {
  play.end();
  vi.useRealTimers();
});

const publish = (count = 1) => {
  for (let made = 0; made < count; made += 1) {
    server.publish("ada", "message_sync", "message", "bot_a", { chat: "c", messageId: `m${made}` });
  }
};
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);
const all = () => server.user("ada").log.map((frame) => frame.id);

async function live(token?: () => Promise<string | null>): Promise<Seat> {
  const seat = play.seat(play.browser(), "ada", token);
  await play.live(seat);
  return seat;
}

describe("gaps", () => {
  test("a frame that is lost is asked for again: one resync, everything once and in order", async () => {
    const seat = await live();
    publish(3);
    await pass(10);
    server.loseNext = 2;
    publish(6);
    await play.until(() => seat.durable.length === 9, 2_000, "all nine");
    expect(seat.durable).toEqual(all());
    expect(server.resyncs).toBe(1);
    expect(seat.connection).toBe("live");
  });

  test("a gap that a replay does not close ends in the current state, not in a loop", async () => {
    const seat = await live();
    server.loseAlways = 4;
    publish(8);
    await play.until(() => seat.state.position?.seq === 8, 5_000, "the current state");
    expect(server.resyncs).toBeLessThanOrEqual(4);
  });

  test("a tab that misses a word of the holder asks it, not the server", async () => {
    const browser = play.browser();
    const seats = [play.seat(browser, "ada"), play.seat(browser, "ada")] as const;
    await play.live(...seats);
    publish(2);
    await pass(20);
    browser.loseWords = 1;
    publish(4);
    await pass(200);
    for (const seat of seats) expect(seat.durable).toEqual(all());
    expect([server.resyncs, server.connects]).toEqual([0, 1]);
  });
});

describe("more bots than fit one frame", () => {
  const names = Array.from({ length: 7 }, (_, number) => `bot_${number}`);
  beforeEach(() => {
    server.user("ada").bots.clear();
    for (const name of names) server.user("ada").bots.set(name, makeBot(name));
    server.botsPerFrame = 3;
  });

  test("are all there when the page is live, and none is seen before", async () => {
    const seat = play.seat(play.browser(), "ada");
    const counts = new Set<number>();
    seat.client.subscribe(() => counts.add(Object.keys(seat.state.bots).length));
    await play.live(seat);
    publish(2);
    await pass(50);
    expect(Object.keys(seat.state.bots)).toEqual(names);
    expect([...counts]).toEqual([0, 7]);
    expect(seat.durable).toEqual(all());
  });

  test("are asked for anew when the connection breaks before the last of them", async () => {
    server.breakSnapshots = 1;
    const seat = play.seat(play.browser(), "ada");
    await pass(10);
    expect([seat.state.loaded, seat.connection]).not.toEqual([true, "live"]);
    await play.live(seat);
    expect(Object.keys(seat.state.bots)).toEqual(names);
    expect(server.connects).toBe(2);
  });
});

describe("what the server ends", () => {
  const FINAL: ReadonlyArray<readonly [string, ConnectionState]> = [
    ["taken_over", "taken_over"],
    ["revoked", "revoked"],
    ["protocol_error", "stopped"],
    ["flood", "stopped"],
  ];
  test.each(FINAL)("%s is final: shown as %s, never tried again by itself, but by hand", async (code, shown) => {
    const seat = await live();
    server.close("ada", code, false);
    await pass(300_000);
    expect([seat.connection, seat.state.connection.code]).toEqual([shown, code]);
    expect(seat.state.connection.retryAt).toBeNull();
    expect(server.connects).toBe(1);
    expect(await seat.client.command({ botId: "bot_a", action: "stop" })).toMatchObject({ ok: false });
    seat.client.reconnectNow();
    await play.live(seat);
  });

  const PASSING: ReadonlyArray<readonly [string, ConnectionState]> = [
    ["server_draining", "server_draining"],
    ["max_age", "reconnecting"],
    ["internal", "reconnecting"],
    ["slow_consumer", "reconnecting"],
    ["something_new", "reconnecting"],
  ];
  test.each(PASSING)("%s is not: shown as %s, resumed with nothing lost", async (code, shown) => {
    const seat = await live();
    publish(2);
    await pass(20);
    server.close("ada", code, true);
    publish(2);
    await play.until(() => seat.connection === "live" && seat.durable.length === 4, 5_000, "the replay");
    expect(seat.states).toContain(shown);
    expect(seat.durable).toEqual(all());
  });

  test("a second slow_consumer within a minute begins from the current state and says so", async () => {
    const seat = await live();
    server.close("ada", "slow_consumer", true);
    await play.until(() => seat.states.includes("reconnecting"), 100, "the loss");
    await play.live(seat);
    server.close("ada", "slow_consumer", true);
    publish(5);
    await play.until(() => seat.states.includes("slow_consumer"), 1_000, "the words");
    await play.live(seat);
    expect(seat.state.connection.away?.snapshot).toBe(true);
    expect(seat.durable).toEqual([]);
    expect(seat.state.position?.seq).toBe(5);
  });

  test("the session's end without a word is final, the transport's is not", async () => {
    const seat = await live();
    server.end("ada", true);
    await pass(60_000);
    expect(seat.connection).toBe("stopped");
    seat.client.reconnectNow();
    await play.live(seat);
    server.end("ada", false);
    await play.until(() => server.connects === 3, 1_000, "the next try");
    await play.live(seat);
  });

  test("retryAfterMs is kept, in closings and in refusals", async () => {
    const seat = await live();
    server.refuseWith = { code: "auth_unavailable", retryable: true, retryAfterMs: 7_000 };
    server.close("ada", "server_draining", true, 4_000);
    await pass(3_990);
    expect(server.connects).toBe(1);
    await pass(500);
    expect([server.connects, seat.connection]).toEqual([2, "auth_unavailable"]);
    expect(connectionWords(seat.state.connection, Date.now()).pill).toMatch(/^Reconnecting in [78] s$/);
    server.refuseWith = null;
    await pass(6_000);
    expect(server.connects).toBe(2);
    await pass(2_000);
    expect(seat.connection).toBe("live");
  });

  test("too many attempts wait as long as the server says; a click does not shorten it", async () => {
    server.refuseWith = { code: "too_many_attempts", retryable: true, retryAfterMs: 40_000 };
    const seat = play.seat(play.browser(), "ada");
    await play.until(() => seat.connection === "too_many_attempts", 1_000, "the pause");
    server.refuseWith = null;
    seat.client.reconnectNow();
    await pass(39_000);
    expect(server.connects).toBe(1);
    await pass(6_000);
    expect(seat.connection).toBe("live");
  });

  test("a server that is away is tried within the limit of 20 connects a minute, for hours", async () => {
    const seat = await live();
    server.unreachable = true;
    server.cut("ada");
    await pass(10 * 60_000);
    const perMinute = server.connects / 10;
    expect(perMinute).toBeGreaterThan(2);
    expect(perMinute).toBeLessThan(20);
    server.unreachable = false;
    publish(3);
    await play.until(() => seat.connection === "live" && seat.durable.length === 3, 20_000, "everything");
  });

  test("a server restored from an older copy: its state is taken, nothing is invented", async () => {
    const seat = await live();
    publish(5);
    await pass(20);
    const known = server.user("ada");
    known.epoch = "restored";
    known.log = known.log.slice(0, 2).map((frame) => ({ ...frame, epoch: "restored" }));
    server.cut("ada");
    await play.until(() => seat.state.position?.epoch === "restored", 5_000, "the new log");
    publish(1);
    await pass(50);
    expect(seat.state.position).toEqual({ epoch: "restored", seq: 3 });
    expect(seat.durable).toHaveLength(6);
  });

  test("what is no longer kept is said to be missing", async () => {
    const seat = await live();
    publish(2);
    await pass(20);
    server.unreachable = true;
    server.cut("ada");
    publish(30);
    server.user("ada").floor = 20;
    server.unreachable = false;
    await play.until(() => seat.state.position?.seq === 32, 5_000, "the snapshot");
    await play.live(seat);
    expect(seat.state.connection.away).toMatchObject({ snapshot: true, missed: 30 });
    expect(seat.state.jumps).toBe(2);
  });
});

describe("tokens", () => {
  test("nobody is signed in: shown so, and a click asks again", async () => {
    let token: string | null = null;
    const seat = play.seat(play.browser(), "ada", async () => token);
    await play.until(() => seat.connection === "token_expired", 1_000, "signed out");
    await pass(120_000);
    expect([server.connects, seat.reasons]).toEqual([0, ["connect"]]);
    token = server.token("ada");
    seat.client.reconnectNow();
    await play.live(seat);
  });

  test("a source that fails is asked again: the sign-in service may be away", async () => {
    let fails = 2;
    const seat = play.seat(play.browser(), "ada", async () => {
      fails -= 1;
      if (fails >= 0) throw new Error("no network");
      return server.token("ada");
    });
    await play.until(() => seat.connection === "auth_unavailable", 1_000, "the pause");
    await play.live(seat);
  });

  test("an answer that comes after another was asked for is not used", async () => {
    const waiting: ((token: string) => void)[] = [];
    const seat = play.seat(play.browser(), "ada", () => new Promise((given) => waiting.push(given)));
    await pass(10);
    seat.tab.tell("offline");
    seat.tab.tell("online");
    await pass(10);
    waiting[0]?.("stale");
    await pass(10);
    expect(server.connects).toBe(0);
    waiting[1]?.(server.token("ada"));
    await play.live(seat);
  });

  test("a server's token_expired in the middle is healed by one fresh token", async () => {
    const seat = await live();
    publish(1);
    server.close("ada", "token_expired", false);
    await play.until(() => server.connects === 2 && seat.connection === "live", 5_000, "live again");
    expect(seat.reasons).toEqual(["connect", "expired"]);
    expect(seat.durable).toEqual(all());
  });
});

describe("the network and the machine", () => {
  test("offline: said at once, nothing is tried; online: resumed at once, everything in order and once", async () => {
    const seat = await live();
    publish(3);
    await pass(20);
    seat.tab.tell("offline");
    expect(seat.connection).toBe("offline");
    publish(500);
    await pass(60_000);
    expect([server.connects, seat.durable.length]).toEqual([1, 3]);
    seat.tab.tell("online");
    await play.until(() => seat.durable.length === 503, 5_000, "all 500");
    expect(seat.durable).toEqual(all());
    await play.live(seat);
    expect(seat.state.connection.away).toMatchObject({ replayed: 500, snapshot: false });
    const { from, to } = seat.state.connection.away ?? { from: 0, to: 0 };
    expect(to - from).toBeGreaterThan(59_000);
  });

  test("a server on this machine needs no network", async () => {
    const seat = new Seat(play.browser(), "ws://127.0.0.1:8000", "ada", async () => server.token("ada"));
    play.seats.push(seat);
    await play.live(seat);
    seat.tab.tell("offline");
    await pass(5_000);
    expect([seat.connection, server.connects]).toEqual(["live", 1]);
  });

  test("a machine that slept: a connection that still is is found so, a dead one is replaced within 5 s", async () => {
    const seat = await live();
    vi.setSystemTime(Date.now() + 3_600_000);
    publish(2);
    seat.tab.tell("visible");
    expect(seat.connection).toBe("catching_up");
    await play.live(seat);
    expect([server.connects, server.resyncs]).toEqual([1, 1]);
    server.die("ada");
    vi.setSystemTime(Date.now() + 3_600_000);
    seat.tab.tell("visible");
    publish(2);
    await play.until(() => seat.durable.length === 4 && seat.connection === "live", 5_000, "the new one");
    expect(server.connects).toBe(2);
  });

  test("a connection that went silent is found dead without anybody looking", async () => {
    const seat = await live();
    await pass(120_000);
    expect([seat.connection, server.connects]).toEqual(["live", 1]);
    server.die("ada");
    publish(1);
    await play.until(() => server.connects === 2 && seat.durable.length === 1, 45_000, "a new one");
    expect(seat.connection).toBe("live");
  });

  test("a page that is put away lets go, and comes back as if nothing had been", async () => {
    const browser = play.browser();
    const [first, second] = [play.seat(browser, "ada"), play.seat(browser, "ada")];
    await play.live(first, second);
    second.states.length = 0;
    first.tab.tell("frozen");
    expect([first.connection, first.state.connection.asOf]).toEqual(["catching_up", Date.now()]);
    await play.until(() => second.state.connection.holder === "me", 1_000, "the hand-over");
    await pass(2_000);
    expect(new Set(second.states)).toEqual(new Set(["live"]));
    publish(4);
    first.tab.tell("thawed");
    await play.until(() => first.durable.length === 4 && first.connection === "live", 2_000, "what it missed");
    expect([first.durable, second.durable]).toEqual([all(), all()]);
    expect(server.refusals).toEqual([]);
  });

  test("countdowns follow the server's clock", async () => {
    server.ahead = 90_000;
    const seat = await live();
    expect(seat.state.connection.offset).toBeGreaterThan(89_000);
    expect(seat.state.connection.offset).toBeLessThanOrEqual(90_000);
  });
});

test("a listener that fails hinders nobody", async () => {
  const seat = await live();
  seat.client.onFrame(() => {
    throw new Error("a bug of the page");
  });
  seat.client.subscribe(() => {
    throw new Error("another");
  });
  publish(3);
  await pass(100);
  expect(seat.durable).toEqual(all());
  expect(seat.tab.errors.length).toBeGreaterThanOrEqual(4);
});

test("no token, code or connectionId is in the state, in an error, or stays in storage", async () => {
  const token = server.token("ada");
  const seat = await live(async () => token);
  expect(JSON.stringify(seat.state)).not.toMatch(new RegExp(`${token}|conn-`));
  expect([...seat.tab.browser.marks.values()]).toEqual([]);
  expect(seat.tab.browser.words.join()).not.toContain(token);
});
