// @vitest-environment jsdom
/** Signing in and out: a one-time code survives what goes wrong on the way, and nothing is said that is not so. */
import { act } from "react";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Shell } from "../../src/page/navigation.js";
import { type SignIn, signingIn } from "../../src/page/session.js";
import { Away } from "../../src/page/signed_out.js";
import { json, onStage } from "./stage.js";

const stage = onStage();
const CODE = "one-time";
const gone = () => Promise.reject(new TypeError("the network is gone"));

let told: SignIn[];
let stop: () => void;

function begin(code: string | null): void {
  told = [];
  stop = signingIn(code, (signed) => told.push(signed));
}

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);
const swaps = () => stage.now.asked.filter(({ path }) => path === "/api/v1/session");

describe("signing in", () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    stop = () => undefined;
  });
  afterEach(() => {
    stop();
    expect(vi.getTimerCount()).toBe(0);
    vi.useRealTimers();
  });

  test("a code that never arrived, or whose answer was lost, is tried again under the same name", async () => {
    stage.now.answers = gone;
    begin(CODE);
    await pass(2_000);
    stage.now.answers = () => json({});
    await pass(15_000);
    expect(told.at(-1)?.kind).toBe("in");
    expect(new Set(swaps().map(({ body, key }) => JSON.stringify([body, key]))).size).toBe(1);
    expect(swaps()[0]).toMatchObject({ body: { code: CODE }, key: expect.any(String) });
  });

  test("a code that was taken is not shown to the server again when the rest fails", async () => {
    stage.now.answers = ({ path }) => (path.endsWith("/session") ? json({}) : gone());
    begin(CODE);
    await pass(20_000);
    expect(
      swaps()
        .map(({ body }) => body)
        .slice(0, 2),
    ).toEqual([{ code: CODE }, {}]);
    stage.now.answers = () => json({ code: "unauthorized" }, 401);
    await pass(20_000);
    expect(told.at(-1)).toEqual({ kind: "out", why: "none" });
  });

  test("the waits grow, to a quarter of a minute and no further", async () => {
    vi.spyOn(Math, "random").mockReturnValue(1);
    stage.now.answers = gone;
    begin(null);
    await pass(0);
    for (const wait of [500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000]) {
      const before = swaps().length;
      await pass(wait - 1);
      expect(swaps().length).toBe(before);
      await pass(1);
      expect(swaps().length).toBe(before + 1);
    }
  });

  test("a server that is busy is asked when it said, with the code it has not taken", async () => {
    stage.now.answers = () =>
      json({ code: "server_draining", detail: "The server is going down.", retryAfterMs: 9_000 }, 503);
    begin(CODE);
    await pass(8_999);
    expect(swaps().length).toBe(1);
    await pass(1_000);
    expect(swaps().map(({ body }) => body)).toEqual([{ code: CODE }, { code: CODE }]);
    const signed = told.at(-1);
    if (signed?.kind !== "away") throw new Error("it should be away");
    await stage.now.show(<Away {...signed} />);
    expect(stage.now.text()).toContain("The server is going down.");
    expect(stage.now.text()).not.toContain("does not answer");
  });

  test("a refusal that stays is told once and not asked about again", async () => {
    stage.now.answers = () => json({ code: "forbidden", detail: "Not from this address." }, 403);
    begin(CODE);
    await pass(60_000);
    expect(swaps().length).toBe(1);
    expect(told).toMatchObject([{ kind: "away", again: false, problem: { message: "Not from this address." } }]);
  });

  test("a code that is no good is told as used, an old cookie as nothing", async () => {
    stage.now.answers = () => json({ code: "unauthorized" }, 401);
    begin(CODE);
    await pass(0);
    expect(told).toEqual([{ kind: "out", why: "used" }]);
    begin(null);
    await pass(0);
    expect(told).toEqual([{ kind: "out", why: "none" }]);
  });
});

test("a sign-out that failed leaves the page where it is and says so", async () => {
  stage.now.answers = gone;
  await stage.now.show(
    <Shell tab="bots" onSearch={() => undefined}>
      here
    </Shell>,
  );
  await stage.now.press("Account and appearance");
  await act(async () => document.querySelectorAll<HTMLElement>("[role=menuitem]")[2]?.click());
  expect(stage.now.text()).toContain("You are still signed in on this browser: The server does not answer.");
});
