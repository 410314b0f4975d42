// @vitest-environment jsdom
/** One timer for every countdown, and none in a hidden tab. */
import { act, createElement, type ReactNode } from "react";
import { createRoot, type Root } from "react-dom/client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { useNow } from "../../src/page/clock.js";

let root: Root;
let element: HTMLElement;
let drawn = 0;

function Countdown(): ReactNode {
  drawn += 1;
  return useNow();
}

function see(hidden: boolean): void {
  vi.spyOn(document, "hidden", "get").mockReturnValue(hidden);
  document.dispatchEvent(new Event("visibilitychange"));
}

const pass = (ms: number) => act(() => vi.advanceTimersByTimeAsync(ms));

beforeEach(async () => {
  vi.useFakeTimers({ now: 1_800_000_000_000, toFake: ["setInterval", "clearInterval", "Date"] });
  vi.stubGlobal("IS_REACT_ACT_ENVIRONMENT", true);
  element = document.createElement("div");
  root = createRoot(element);
  await act(async () => root.render(Array.from({ length: 20 }, (_, key) => createElement(Countdown, { key }))));
});
afterEach(async () => {
  await act(async () => root.unmount());
  expect(vi.getTimerCount()).toBe(0);
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

test("twenty countdowns share one timer and draw once a second", async () => {
  expect(vi.getTimerCount()).toBe(1);
  drawn = 0;
  await pass(10_000);
  expect(drawn).toBe(20 * 10);
});

test("a hidden tab does not tick, and shows the time as soon as it is seen again", async () => {
  await act(async () => see(true));
  expect(vi.getTimerCount()).toBe(0);
  drawn = 0;
  await pass(60_000);
  expect(drawn).toBe(0);
  await act(async () => see(false));
  expect(element.textContent?.startsWith("1800000060000")).toBe(true);
  expect(vi.getTimerCount()).toBe(1);
});
