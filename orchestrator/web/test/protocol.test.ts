/** The protocol's cases on the fake server and virtual time. */
import { afterEach, beforeEach, vi } from "vitest";
import type { Bot } from "../src/generated.js";
import { FakeServer } from "./support/fake-server.js";
import type { Ground } from "./support/ground.js";
import { protocolCases } from "./support/protocol.suite.js";
import { makeBot } from "./support/records.js";

let server: FakeServer;
let users = 0;

beforeEach(() => {
  vi.useFakeTimers({ now: 1_800_000_000_000 });
  server = new FakeServer();
});

afterEach(() => {
  vi.useRealTimers();
});

const ground: Ground = {
  url: "http://bots.test",
  connect: (options, events, stuck) => server.connect(options, events, stuck),
  async newUser() {
    users += 1;
    const user = `user${users}`;
    const bot = makeBot(`bot_${user}`);
    server.user(user).bots.set(bot.id, bot);
    return { user, bot: bot.id };
  },
  async token(user, ttlMs) {
    return server.token(user, ttlMs);
  },
  async publish(user, count) {
    const known = server.user(user);
    for (let made = 0; made < count; made += 1) {
      const bot = [...known.bots.values()][0] as Bot;
      server.publish(user, "bot_status_update", "updated", bot.id, { ...bot, name: `name ${known.head}` });
    }
    return known.log.map((frame) => frame.id);
  },
  async offerCode(user, bot) {
    const record = makeBot(bot, { status: "awaiting_scan", statusVersion: 2, attempt: 1 });
    server.publish(user, "bot_status_update", "status", bot, record);
    const data = { qr: "secret-code", svg: "<svg/>", index: 1, of: 6, expiresAt: Date.now() + 60_000, attempt: 1 };
    server.announce(user, "qr", bot, data, 2);
  },
  async cut(user, downMs = 0) {
    server.unreachable = true;
    server.cut(user);
    setTimeout(() => {
      server.unreachable = false;
    }, downMs);
  },
  async pass(ms) {
    await vi.advanceTimersByTimeAsync(ms);
  },
  async refusals() {
    return server.refusals.length;
  },
  async successions() {
    return server.closings.filter((code) => code === "superseded").length;
  },
};

protocolCases("fake server", () => ground);
