// @vitest-environment jsdom
/** When a list stands still: while it is pointed at, a moment longer, and while keys are used in it. */
import { act, type ReactNode, useEffect, useRef } from "react";
import { createRoot, type Root } from "react-dom/client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { useHold } from "../../src/page/standing.js";

let root: Root;
let element: HTMLElement;

function List(): ReactNode {
  const box = useRef<HTMLUListElement>(null);
  const { held, focused, watch } = useHold();
  useEffect(() => (box.current === null ? undefined : watch(box.current)), [watch]);
  return (
    <>
      <ul ref={box} data-held={held} data-focused={focused}>
        <li data-row="one">
          <button type="button">Act</button>
        </li>
      </ul>
      <input />
    </>
  );
}

const seen = () => ({ ...element.querySelector("ul")?.dataset });
const send = (type: string) => act(async () => element.querySelector("ul")?.dispatchEvent(new Event(type)));
const focus = (what: string) => act(async () => element.querySelector<HTMLElement>(what)?.focus());

beforeEach(async () => {
  vi.useFakeTimers();
  vi.stubGlobal("IS_REACT_ACT_ENVIRONMENT", true);
  element = document.createElement("div");
  document.body.append(element);
  root = createRoot(element);
  await act(async () => root.render(<List />));
});
afterEach(async () => {
  await act(async () => root.unmount());
  element.remove();
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

test("what was tapped is still there when the tap is told, after the finger has left", async () => {
  await send("pointerenter");
  expect(seen()).toEqual({ held: "true" });
  await send("pointerleave");
  expect(seen()).toEqual({ held: "true" });
  await act(() => vi.advanceTimersByTimeAsync(1_000));
  expect(seen()).toEqual({ held: "false" });
});

test("the focus of whoever uses keys holds it, and the row that has it is known", async () => {
  await focus("button");
  expect(seen()).toEqual({ held: "true", focused: "one" });
  await focus("input");
  expect(seen()).toEqual({ held: "false" });
});

test("a pointer that rests lets it go, and one that moves again holds it again", async () => {
  await send("pointerenter");
  for (let second = 0; second < 30; second += 1) {
    await act(() => vi.advanceTimersByTimeAsync(1_000));
    await send("pointermove");
    expect(seen()).toEqual({ held: "true" });
  }
  await act(() => vi.advanceTimersByTimeAsync(10_000));
  expect(seen()).toEqual({ held: "false" });
  await send("pointermove");
  expect(seen()).toEqual({ held: "true" });
});

test("a list that goes is let go of", async () => {
  await send("pointerenter");
  await send("pointerleave");
  expect(vi.getTimerCount()).toBeGreaterThan(0);
  await act(async () => root.render(null));
  expect(vi.getTimerCount()).toBe(0);
});
