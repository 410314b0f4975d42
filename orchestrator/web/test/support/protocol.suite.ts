/**
 * What the client promises over the socket, played on any ground: the fake server on virtual time and the real server
 * run exactly these cases.
 */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { logFrames } from "../../src/log.js";
import type { Abilities } from "./fake-browser.js";
import { type Ground, Play, type Seat } from "./ground.js";

const WAYS: ReadonlyArray<readonly [string, Abilities]> = [
  ["with locks", {}],
  ["without locks", { locks: false }],
];

export function protocolCases(name: string, ground: () => Ground): void {
  let play: Play;
  beforeEach(() => {
    play = new Play(ground());
  });
  afterEach(() => {
    play.end();
  });

  /** Every durable event exactly once and in order, as far as this tab was there. */
  const gotAll = (seat: Seat, events: ReadonlyArray<string>) => {
    const given = seat.durable;
    expect(new Set(given).size).toBe(given.length);
    expect(given).toEqual(given.length === 0 ? [] : events.slice(-given.length));
  };
  const has = (seat: Seat, events: ReadonlyArray<string>) => () =>
    logFrames(seat.state.log).at(-1)?.id === events.at(-1) && seat.connection === "live";

  describe(`${name}: one tab`, () => {
    test("connects, shows the bots, and gets what happens, in order and once", async () => {
      const { user, bot } = await ground().newUser();
      const seat = play.seat(play.browser(), user);
      await play.live(seat);
      expect(Object.keys(seat.state.bots)).toEqual([bot]);
      expect(seat.state.loaded).toBe(true);
      expect(seat.states).toEqual(expect.arrayContaining(["connecting", "live"]));
      const events = await ground().publish(user, 5);
      await play.until(has(seat, events), 5_000, "five events");
      gotAll(seat, events);
      expect(seat.durable).toHaveLength(5);
    });

    test("more events than the window holds arrive: what is applied is acknowledged", async () => {
      const { user } = await ground().newUser();
      const seat = play.seat(play.browser(), user);
      await play.live(seat);
      const events = await ground().publish(user, 600);
      await play.until(has(seat, events), 30_000, "600 events");
      gotAll(seat, events);
      expect(seat.durable.length).toBeGreaterThanOrEqual(600);
    });

    test("a broken transport is resumed: what happened meanwhile comes once, and is said to have", async () => {
      const { user } = await ground().newUser();
      const seat = play.seat(play.browser(), user);
      await play.live(seat);
      await ground().publish(user, 3);
      await play.until(() => seat.durable.length === 3, 5_000, "three events");
      await ground().cut(user, 300);
      await play.until(() => seat.connection === "reconnecting", 5_000, "the loss");
      const events = await ground().publish(user, 7);
      await play.until(has(seat, events), 20_000, "the replay");
      gotAll(seat, events);
      expect(seat.durable).toHaveLength(10);
      expect(seat.frames.filter((frame) => frame.replayed)).toHaveLength(7);
      expect(seat.state.connection.away).toMatchObject({ replayed: 7, snapshot: false, missed: null });
    });

    test("a code on offer is shown, leaves the state with the connection, and comes back with it", async () => {
      const { user, bot } = await ground().newUser();
      const seat = play.seat(play.browser(), user);
      await play.live(seat);
      await ground().offerCode(user, bot);
      const code = () => seat.state.links[bot]?.code ?? null;
      await play.until(() => code() !== null, 10_000, "the code");
      const first = code();
      await ground().cut(user, 300);
      await play.until(() => seat.connection === "reconnecting", 5_000, "the loss");
      expect(code()).toBeNull();
      expect(JSON.stringify(seat.state)).not.toContain(first?.kind === "qr" ? first.qr : "?");
      await play.until(() => seat.connection === "live" && code() !== null, 20_000, "the code again");
    });

    test("commands are answered once; a refusal says what is wrong", async () => {
      const { user, bot } = await ground().newUser();
      const seat = play.seat(play.browser(), user);
      await play.live(seat);
      const asked = { id: `cmd-${user}`, botId: bot, action: "stop" } as const;
      const answer = await settled(seat.client.command(asked));
      expect(answer).toMatchObject({ ok: true });
      expect(await settled(seat.client.command(asked))).toEqual(answer);
      expect(await settled(seat.client.command({ botId: "bot_none", action: "stop" }))).toMatchObject({
        ok: false,
        error: { code: "not_found", retryable: false },
      });
    });

    test("a command that is asked while the connection is lost is carried out over the next one", async () => {
      const { user, bot } = await ground().newUser();
      const seat = play.seat(play.browser(), user);
      await play.live(seat);
      await ground().cut(user, 200);
      await play.until(() => seat.connection === "reconnecting", 5_000, "the loss");
      expect(await settled(seat.client.command({ botId: bot, action: "stop" }))).toMatchObject({ ok: true });
    });

    test("a token that ends is refreshed in silence", async () => {
      const { user } = await ground().newUser();
      let asked = 0;
      const seat = play.seat(play.browser(), user, () => {
        asked += 1;
        return ground().token(user, asked === 1 ? 30_000 : 3_600_000);
      });
      await play.live(seat);
      await play.until(() => seat.reasons.includes("expiring"), 10_000, "the question for a new token");
      await ground().pass(500);
      expect(seat.connection).toBe("live");
      expect(seat.reasons).toEqual(["connect", "expiring"]);
    });

    test("a token refused as expired is asked for anew once, then a person is", async () => {
      const { user } = await ground().newUser();
      const good = await ground().token(user);
      const expired = await ground().token(user, 1_000);
      await ground().pass(1_500);
      const tokens = [expired, good];
      const seat = play.seat(play.browser(), user, async () => tokens.shift() ?? expired);
      await play.live(seat);
      expect(seat.reasons).toEqual(["connect", "expired"]);
      const other = play.seat(play.browser(), user, async () => expired);
      await play.until(() => other.connection === "token_expired", 8_000, "signed out");
      expect(other.reasons).toEqual(["connect", "expired"]);
    });

    test("a wrong token or another account is final", async () => {
      const [{ user }, { user: stranger }] = [await ground().newUser(), await ground().newUser()];
      const wrong = play.seat(play.browser(), user, async () => "no token of theirs");
      const mixed = play.seat(play.browser(), user, () => ground().token(stranger));
      await play.until(() => wrong.connection === "unauthorized", 8_000, "unauthorized");
      await play.until(() => mixed.connection === "user_mismatch", 8_000, "user_mismatch");
      await ground().pass(1_000);
      expect(wrong.reasons).toEqual(["connect"]);
      expect(mixed.reasons).toEqual(["connect"]);
    });
  });

  describe.each(WAYS)(`${name}: tabs of one browser, %s`, (_, abilities) => {
    test("share one socket: all show the same, commands go from each", async () => {
      const { user, bot } = await ground().newUser();
      const before = await ground().refusals();
      const browser = play.browser(abilities);
      const seats = [play.seat(browser, user), play.seat(browser, user), play.seat(browser, user)];
      await play.live(...seats);
      const events = await ground().publish(user, 20);
      for (const seat of seats) await play.until(has(seat, events), 5_000, "20 events");
      for (const seat of seats) gotAll(seat, events);
      expect(seats.map((seat) => seat.state.connection.holder).sort()).toEqual(["me", "other", "other"]);
      const answers = seats.map((seat) => settled(seat.client.command({ botId: bot, action: "stop" })));
      for (const answer of await Promise.all(answers)) expect(answer).toMatchObject({ ok: true });
      const late = play.seat(browser, user);
      await play.live(late);
      expect(Object.keys(late.state.bots)).toEqual([bot]);
      expect(late.state.bots).toEqual(seats[0]?.state.bots);
      expect(await ground().refusals()).toBe(before);
    });

    test("a tab that was put away gets more than a window of what it missed through one that came later", async () => {
      const { user } = await ground().newUser();
      const browser = play.browser(abilities);
      const first = play.seat(browser, user);
      await play.live(first);
      let events = await ground().publish(user, 2);
      await play.until(has(first, events), 5_000, "the first two");
      first.tab.tell("frozen");
      events = await ground().publish(user, 300);
      const second = play.seat(browser, user);
      await play.live(second);
      first.tab.tell("thawed");
      await play.until(has(first, events), 20_000, "all it missed");
      events = await ground().publish(user, 2);
      for (const seat of [first, second]) await play.until(has(seat, events), 5_000, "what follows");
      gotAll(first, events);
      expect(first.durable.length).toBeGreaterThanOrEqual(304);
      expect(second.durable).toHaveLength(2);
    });

    test.each(["closed", "crashed", "stuck"] as const)(
      "the holding tab is %s: another goes on within 5 s",
      async (end) => {
        const { user } = await ground().newUser();
        const before = await ground().refusals();
        const continued = await ground().successions();
        const browser = play.browser(abilities);
        const first = play.seat(browser, user);
        await play.live(first);
        const second = play.seat(browser, user);
        await play.live(second);
        expect(first.state.connection.holder).toBe("me");
        let events = await ground().publish(user, 4);
        await play.until(has(second, events), 5_000, "what both get");
        if (end === "closed") first.client.close();
        else if (end === "crashed") first.tab.crash();
        else first.tab.stick();
        events = await ground().publish(user, 6);
        await play.until(() => second.state.connection.holder === "me", 5_000, "the hand-over");
        await play.until(has(second, events), 5_000, "what happened meanwhile");
        gotAll(second, events);
        expect(second.durable).toHaveLength(10);
        if (end === "stuck") {
          expect(await ground().successions(), "it proved itself").toBe(continued + 1);
          first.tab.comeLoose();
          events = await ground().publish(user, 3);
          await play.until(() => first.state.connection.holder === "other", 8_000, "the thawed tab to follow");
          for (const seat of [first, second]) await play.until(has(seat, events), 5_000, "what follows");
          gotAll(first, events);
          expect(first.durable).toHaveLength(13);
        }
        expect(await ground().refusals()).toBe(before);
      },
    );
  });

  test(`${name}: tabs that cannot talk say that another one has the connection, and move it on request`, async () => {
    const { user } = await ground().newUser();
    const browser = play.browser({ locks: false, channel: false });
    const first = play.seat(browser, user);
    await play.live(first);
    const second = play.seat(browser, user);
    await play.until(() => second.connection === "other_tab", 8_000, "open in another tab");
    second.client.connectHere();
    await play.live(second);
    await play.until(() => first.connection === "taken_over", 5_000, "the first tab to step back");
  });

  test(`${name}: another browser is told, takes over only by hand, and nobody comes back by itself`, async () => {
    const { user } = await ground().newUser();
    const home = play.browser();
    const [first, beside] = [play.seat(home, user), play.seat(home, user)];
    await play.live(first, beside);
    const other = play.seat(play.browser(), user);
    await play.until(() => other.connection === "already_connected", 8_000, "connected elsewhere");
    expect(other.state.connection.elsewhereSince).not.toBeNull();
    const besides = play.seat(other.tab.browser, user);
    await play.until(() => besides.connection === "already_connected", 5_000, "the same in its other tab");
    other.client.close();
    await play.until(() => besides.state.connection.holder === "me", 5_000, "the other tab to hold");
    await ground().pass(2_000);
    expect([first.connection, besides.connection]).toEqual(["live", "already_connected"]);
    expect(besides.reasons, "it does not even try").toEqual([]);
    other.client.open();
    await play.until(() => other.state.connection.holder === "other", 5_000, "the first to follow");
    other.client.connectHere();
    await play.live(other);
    for (const seat of [first, beside]) await play.until(() => seat.connection === "taken_over", 5_000, "moved");
    await ground().pass(3_000);
    expect([first.connection, beside.connection, other.connection]).toEqual(["taken_over", "taken_over", "live"]);
    const events = await ground().publish(user, 3);
    await play.until(has(other, events), 5_000, "what follows");
    beside.client.connectHere();
    for (const seat of [first, beside]) await play.until(has(seat, events), 8_000, "everything here again");
    gotAll(first, events);
    await play.until(() => other.connection === "taken_over", 5_000, "the other to step back");
  });

  /** The answer, letting time pass until it is there. */
  async function settled<Value>(promise: Promise<Value>): Promise<Value> {
    let value: { readonly it: Value } | null = null;
    void promise.then((it) => {
      value = { it };
    });
    await play.until(() => value !== null, 35_000, "an answer");
    return (value as unknown as { readonly it: Value }).it;
  }
}
