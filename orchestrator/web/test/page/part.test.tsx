// @vitest-environment jsdom
/** Parts whose files do not come, and a page that breaks while it is drawn. */
import { act, type ReactNode } from "react";
import { createRoot, type Root } from "react-dom/client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Contained } from "../../src/page/contained.js";
import { Part, Shown } from "../../src/page/part.js";

const NONE = {};
const Words = (): ReactNode => "the part";

let root: Root;
let element: HTMLElement;
let files: Array<() => Promise<() => ReactNode>>;
let part: Part<object>;

const draw = (node: ReactNode) => act(async () => root.render(node));
const gone = () => Promise.reject(new TypeError("Failed to fetch dynamically imported module"));
const came = () => Promise.resolve(Words);

beforeEach(() => {
  vi.stubGlobal("IS_REACT_ACT_ENVIRONMENT", true);
  element = document.createElement("div");
  root = createRoot(element);
  files = [];
  part = new Part(() => files.shift()?.() ?? gone());
});
afterEach(async () => {
  await act(async () => root.unmount());
  sessionStorage.clear();
  vi.unstubAllGlobals();
});

test("a part that was only expected and did not come is asked for again when it is shown", async () => {
  files = [gone, came];
  part.expect();
  await vi.waitFor(() => expect(files).toHaveLength(1));
  await draw(<Shown part={part} of={NONE} />);
  expect(element.textContent).toBe("the part");
});

test("where a part is not the whole page, something else is drawn in its place, and the next time it may come", async () => {
  files = [gone, came];
  await draw(<Shown part={part} of={NONE} gone="instead" />);
  expect(element.textContent).toBe("instead");
  await draw(null);
  await draw(<Shown part={part} of={NONE} gone="instead" />);
  expect(element.textContent).toBe("the part");
});

test("a part that stays gone is left to whoever reads it after a few starts, and counts anew once one has come", async () => {
  const shown = () => element.querySelector("[data-part]")?.getAttribute("data-part");
  await draw(<Shown part={part} of={NONE} />);
  expect(shown()).toBe("waiting");
  await draw(null);
  sessionStorage.setItem("starts", "3");
  await draw(<Shown part={part} of={NONE} />);
  expect(shown()).toBe("gone");
  expect(element.querySelector("button")?.textContent).toBe("Load the page again");
  await draw(null);
  files = [came];
  await draw(<Shown part={part} of={NONE} />);
  expect(sessionStorage.getItem("starts")).toBeNull();
});

test("what breaks is told, and another place is drawn", async () => {
  vi.spyOn(console, "error").mockImplementation(() => undefined);
  const Bad = (): ReactNode => {
    throw new Error("a bug");
  };
  const at = (place: string, child: ReactNode) => draw(<Contained place={place}>{child}</Contained>);
  await at("/bots/a", <Bad />);
  expect(element.querySelector("h1")?.textContent).toBe("This page broke");
  await at("/", "the bots");
  expect(element.textContent).toBe("the bots");
});
