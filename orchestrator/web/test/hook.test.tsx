// @vitest-environment jsdom
/** The hook: one connection for any number of components, in StrictMode, over fast refresh, and on a server. */
import { act, createElement, type ReactNode, StrictMode } from "react";
import { createRoot, type Root } from "react-dom/client";
import { renderToString } from "react-dom/server";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import * as react from "../src/react.js";
import { acquireUnifiedClient } from "../src/registry.js";
import type { HookOptions, State } from "../src/types.js";
import { FakeBrowser, type FakeTab } from "./support/fake-browser.js";
import { FakeServer } from "./support/fake-server.js";
import { makeBot } from "./support/records.js";

const URL = "http://bots.test";
let server: FakeServer;
let tab: FakeTab;
let root: Root;
let element: HTMLElement;
let options: HookOptions;
let users = 0;

beforeEach(() => {
  vi.useFakeTimers({ now: 1_800_000_000_000 });
  vi.stubGlobal("IS_REACT_ACT_ENVIRONMENT", true);
  users += 1;
  const user = `user${users}`;
  server = new FakeServer();
  tab = new FakeBrowser((wire, events, stuck) => server.connect(wire, events, stuck)).open();
  for (const id of ["bot_a", "bot_b"]) server.user(user).bots.set(id, makeBot(id));
  options = { url: URL, userId: user, getToken: () => server.token(user) };
  // A lease of the test brings the environment: components find the client that is there.
  acquireUnifiedClient({ url: URL, userId: user, getToken: options.getToken }, tab).release();
  element = document.createElement("div");
  root = createRoot(element);
});
afterEach(async () => {
  await act(async () => root.unmount());
  await vi.advanceTimersByTimeAsync(2_000);
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

const user = () => String(options.userId);
const render = (what: ReactNode) => act(async () => root.render(createElement(StrictMode, null, what)));
const pass = (ms: number) => act(async () => void (await vi.advanceTimersByTimeAsync(ms)));
const rename = (bot: string, name: string) =>
  server.publish(user(), "bot_status_update", "updated", bot, makeBot(bot, { name }));

function Bots(): ReactNode {
  const { bots, isConnected } = react.useBotWebSocket(options);
  return `${isConnected ? "live" : "not live"}: ${bots.map((bot) => bot.name).join()}; `;
}
function Link(): ReactNode {
  const { status, code } = react.useWhatsAppConnection({ ...options, botId: "bot_a" });
  return `link ${status} ${code?.kind ?? "no code"}; `;
}
function Status(): ReactNode {
  return `status ${react.useWhatsAppStatus({ ...options, botId: "bot_a" }).status}`;
}
const three = () => [Bots, Link, Status].map((kind) => createElement(kind, { key: kind.name }));

test("three former hooks under StrictMode: one socket, no refusal; each says once how to migrate", async () => {
  const said = vi.spyOn(console, "info").mockImplementation(() => {});
  await render([...three(), createElement("p", { key: "more" }, three())]);
  await pass(200);
  expect(element.textContent).toBe("live: Ada,Ada; link stopped no code; status stopped".repeat(2));
  rename("bot_b", "Bob");
  await pass(50);
  expect(element.textContent).toContain("live: Ada,Bob; ");
  expect([server.connects, server.refusals]).toEqual([1, []]);
  expect(said.mock.calls.map(([text]) => String(text).split(" ")[0])).toEqual([
    "useBotWebSocket",
    "useWhatsAppConnection",
    "useWhatsAppStatus",
  ]);
  expect(said.mock.calls.every(([text]) => String(text).includes("useUnifiedWebSocket("))).toBe(true);
});

test("the connection ends after the last component, and not in between", async () => {
  await render(three());
  await pass(200);
  await render(createElement(Bots));
  await pass(5_000);
  await render([]);
  await pass(300);
  await render(createElement(Status));
  await pass(5_000);
  expect([server.connects, server.user(user()).present !== null]).toEqual([1, true]);
  await render([]);
  await pass(1_000);
  expect(server.user(user()).present).toBeNull();
});

test("a selector's component renders again only for what it picks", async () => {
  let renders = 0;
  function Name(): ReactNode {
    renders += 1;
    const { selected } = react.useUnifiedWebSocket(options, (state: State) => state.bots.bot_a?.name);
    return selected;
  }
  await render(createElement(Name));
  await pass(200);
  const before = renders;
  for (let number = 0; number < 20; number += 1) rename("bot_b", `name ${number}`);
  await pass(100);
  expect(renders).toBe(before);
  rename("bot_a", "Bob");
  await pass(100);
  expect([element.textContent, renders > before]).toEqual(["Bob", true]);
});

test("many frames within one frame of the screen are one render", async () => {
  let renders = 0;
  function Count(): ReactNode {
    renders += 1;
    return react.useUnifiedWebSocket(options).selected.log.length;
  }
  await render(createElement(Count));
  await pass(500);
  const before = renders;
  for (let number = 0; number < 100; number += 1) rename("bot_a", `name ${number}`);
  await pass(100);
  expect(element.textContent).toBe("100");
  expect(renders - before).toBeLessThanOrEqual(2 * 4); // StrictMode renders twice
});

test("commands from a component; functions keep their identity", async () => {
  const seen = new Set<unknown>();
  const commands: ReturnType<typeof react.useUnifiedWebSocket>["command"][] = [];
  function Stop(): ReactNode {
    const { command } = react.useUnifiedWebSocket(options);
    commands.push(command);
    seen.add(command);
    return null;
  }
  await render(createElement(Stop));
  await pass(200);
  const distinct = seen.size;
  rename("bot_a", "Bob");
  await pass(50);
  expect(seen.size).toBe(distinct);
  let answer: unknown = null;
  void commands
    .at(-1)?.({ botId: "bot_a", action: "stop" })
    .then((it) => {
      answer = it;
    });
  await pass(50);
  expect(answer).toMatchObject({ ok: true });
});

test("nobody signed in: idle, then another user: another connection", async () => {
  const idle: HookOptions = { ...options, userId: null };
  function State({ of }: { readonly of: HookOptions }): ReactNode {
    return react.useUnifiedWebSocket(of).connection.state;
  }
  await render(createElement(State, { of: idle }));
  await pass(1_000);
  expect([element.textContent, server.user(user()).present]).toEqual(["idle", null]);
  server.connects = 0;
  acquireUnifiedClient({ url: URL, userId: user(), getToken: options.getToken }, tab).release();
  await render(createElement(State, { of: options }));
  await pass(1_000);
  expect([element.textContent, server.connects]).toEqual(["live", 1]);
  await render(createElement(State, { of: idle }));
  await pass(1_000);
  expect([element.textContent, server.user(user()).present]).toEqual(["idle", null]);
});

test("fast refresh: the module is loaded again and finds the connection that is there", async () => {
  await render(three());
  await pass(200);
  vi.resetModules();
  const again = await import("../src/react.js");
  expect(again.useUnifiedWebSocket).not.toBe(react.useUnifiedWebSocket);
  function Fresh(): ReactNode {
    return again.useUnifiedWebSocket(options).connection.state;
  }
  await render([...three(), createElement(Fresh, { key: "fresh" })]);
  await pass(200);
  expect(element.textContent).toMatch(/stoppedlive$/);
  expect(server.connects).toBe(1);
});

test("the newest token source is asked, and an older one again when its component has gone", async () => {
  const asked: string[] = [];
  const source = (name: string) => (reason: string) => {
    asked.push(`${name} ${reason}`);
    return server.token(user());
  };
  function One({ name }: { readonly name: string }): ReactNode {
    return react.useUnifiedWebSocket({ ...options, getToken: source(name) }).connection.state;
  }
  await render(createElement(One, { name: "a" }));
  await pass(200);
  await render([createElement(One, { key: "", name: "a" }), createElement(One, { key: "b", name: "b" })]);
  server.cut(user());
  await pass(2_000);
  await render([createElement(One, { key: "", name: "a" })]);
  server.cut(user());
  await pass(2_000);
  expect(asked.at(0)).toBe("a connect");
  expect(asked).toContain("b connect");
  expect(asked.at(-1)).toBe("a connect");
});

test("on a server: renders as a page that has not connected yet, and opens nothing", () => {
  const text = renderToString(createElement(StrictMode, null, three()));
  expect(text.replaceAll("<!-- -->", "")).toBe("not live: ; link null no code; status null");
  expect(server.connects).toBe(0);
});
