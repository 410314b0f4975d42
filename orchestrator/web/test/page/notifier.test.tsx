// @vitest-environment jsdom
/** What is told of bots elsewhere on the page: which notices stay, and how often a screen reader is spoken to. */
import { act } from "react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { refused } from "../../src/page/commands.js";
import { Notifier } from "../../src/page/notifier.js";
import { dismissAbout } from "../../src/page/parts/toasts.js";
import { onStage } from "./stage.js";
import { ACCOUNT, bot } from "./support.js";

const connected = (id: string) => bot({ id, name: `Bot ${id}`, status: "connected", account: ACCOUNT, link: null });
const out = (id: string) => ({ ...connected(id), status: "logged_out" as const, userAction: "link_again" });
const stage = onStage();
const notices = () => [...document.querySelectorAll(".toast b")].map((one) => one.textContent);
const spoken = () => document.querySelector("[data-announced=polite]")?.textContent;
const pass = (ms: number) => act(() => vi.advanceTimersByTimeAsync(ms));

beforeEach(async () => {
  vi.useFakeTimers({ now: 1_800_000_000_000 });
  history.replaceState(null, "", "/");
  await stage.now.change({ bots: { a: connected("a"), b: connected("b") } });
  await stage.now.show(<Notifier />);
});
afterEach(async () => {
  await act(async () => ["a", "b"].map(dismissAbout));
  vi.useRealTimers();
});

test("a notice that a bot needs somebody goes when it no longer does", async () => {
  await stage.now.status(out("a"));
  await stage.now.status(out("b"));
  expect(notices()).toEqual(["Bot b: Logged out", "Bot a: Logged out"]);
  await stage.now.status(connected("a"));
  expect(notices()).toEqual(["Bot b: Logged out"]);
});

test("a refusal stays, whatever the bot does meanwhile", async () => {
  await act(async () => refused("a", { code: "not_linked", message: "It is not linked." }));
  await stage.now.status({ ...connected("a"), status: "reconnecting" });
  await stage.now.status(connected("a"));
  await pass(60_000);
  expect(notices()).toEqual(["That did not work: It is not linked."]);
});

test("one sentence in five seconds, however many bots change", async () => {
  const told: Array<string | null | undefined> = [];
  await stage.now.status({ ...connected("a"), status: "reconnecting" });
  for (let second = 0; second < 12; second += 1) {
    await pass(1_000);
    if (told.at(-1) !== spoken()) told.push(spoken());
    await stage.now.status({ ...connected("b"), status: second % 2 === 0 ? "reconnecting" : "connected" });
    await stage.now.status({ ...connected("a"), status: second % 2 === 0 ? "connected" : "reconnecting" });
  }
  expect(told).toEqual([
    "Bot a: Reconnecting.",
    expect.stringMatching(/1 more bot/),
    expect.stringMatching(/1 more bot/),
  ]);
});
