// @vitest-environment jsdom
/** Conversations as they are used: whom a message goes to, how often, and what is asked of the server for it. */
import { act, createElement } from "react";
import { createRoot, type Root } from "react-dom/client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { SendRequest } from "../../src/generated.js";
import { SharedContext } from "../../src/page/live.js";
import { TalksPane } from "../../src/page/talks_pane.js";
import type { StoredMessage } from "../../src/page/view/conversation.js";
import { INITIAL } from "../../src/state.js";
import type { Command, CommandAnswer, Frame, State, UnifiedClient } from "../../src/types.js";
import { ACCOUNT, bot, connection, NOW } from "./support.js";

type Sent = Extract<Command, { action: "send" }> & { readonly id?: string };

/** The socket's client as the page sees it; sends are answered by hand. */
class FakeClient {
  state: State = { ...INITIAL, connection: connection(), loaded: true };
  readonly sends: { readonly command: Sent; answer(answer: CommandAnswer): void }[] = [];
  readonly #frames = new Set<(frame: Frame) => void>();
  readonly #listeners = new Set<() => void>();
  #seq = 0;

  readonly getState = () => this.state;
  readonly subscribe = (listener: () => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };
  readonly onFrame = (listener: (frame: Frame) => void) => {
    this.#frames.add(listener);
    return () => this.#frames.delete(listener);
  };
  readonly command = (command: Command) =>
    new Promise<CommandAnswer>((answer) => this.sends.push({ command: command as Sent, answer }));

  tell(type: string, data: object, botId = "bot_1", more: object = {}): void {
    this.#seq += 1;
    const frame = { event: "message_sync", type, id: `f${this.#seq}`, botId, at: NOW + this.#seq, data, ...more };
    for (const listener of this.#frames) listener(frame);
  }

  jump(): void {
    this.state = { ...this.state, jumps: this.state.jumps + 1 };
    for (const listener of this.#listeners) listener();
  }
}

const ANN = "11@lid";
const BEN = "22@lid";
const data = (chat: string, messageId: string, at: number, more: object = {}) => ({
  chat,
  chatPn: null,
  sender: chat,
  senderPn: null,
  fromMe: false,
  messageId,
  kind: "text",
  text: messageId,
  pushName: chat === ANN ? "Ann" : "Ben",
  sentAt: NOW + at,
  ...more,
});
const stored = (chat: string, messageId: string, at: number, more: object = {}): StoredMessage => ({
  id: `e${messageId}`,
  at: NOW + at,
  data: data(chat, messageId, at, more),
});

let client: FakeClient;
let asked: string[];
let pages: (() => Promise<Response>)[];
let messages: StoredMessage[];
let element: HTMLElement;
let root: Root;
let shown = "bot_1";

const answered = (some: ReadonlyArray<StoredMessage>, next: string | null = null) =>
  new Response(JSON.stringify({ messages: some, next }));

beforeEach(() => {
  vi.useFakeTimers({ now: NOW, toFake: ["setTimeout", "clearTimeout", "Date"] });
  vi.stubGlobal("IS_REACT_ACT_ENVIRONMENT", true);
  wide(true);
  client = new FakeClient();
  asked = [];
  pages = [];
  messages = [stored(ANN, "from Ann", -10), stored(BEN, "from Ben", -20)];
  vi.stubGlobal("fetch", (url: string) => {
    asked.push(url);
    return pages.shift()?.() ?? Promise.resolve(answered(messages));
  });
  history.replaceState(null, "");
  element = document.body.appendChild(document.createElement("div"));
  root = createRoot(element);
  shown = "bot_1";
});
afterEach(async () => {
  await act(async () => root.unmount());
  element.remove();
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

function wide(matches: boolean): void {
  vi.stubGlobal("matchMedia", () => ({ matches, addEventListener: () => {}, removeEventListener: () => {} }));
}

const pass = (ms = 300) => act(async () => void (await vi.advanceTimersByTimeAsync(ms)));

async function open(): Promise<void> {
  const shared = { client: client as unknown as UnifiedClient, session: {} as never };
  const pane = createElement(TalksPane, { bot: bot({ id: shown, status: "connected", account: ACCOUNT }) });
  await act(async () => root.render(createElement(SharedContext.Provider, { value: shared }, pane)));
  await pass();
}

async function close(): Promise<void> {
  await act(async () => root.render(null));
}

const tell = async (...told: Parameters<FakeClient["tell"]>) => {
  await act(async () => client.tell(...told));
  await pass();
};
const field = () => element.querySelector("textarea") as HTMLTextAreaElement;
const heading = () => element.querySelector(".thread h3")?.textContent;
const bubbles = () => [...element.querySelectorAll(".bub .words")].map((one) => one.textContent);
const badges = () => [...element.querySelectorAll(".badge")].map((one) => one.textContent);
const button = (name: string) =>
  [...element.querySelectorAll("button")].find((one) => one.textContent?.includes(name)) as HTMLButtonElement;
const press = async (name: string) => {
  await act(async () => button(name).click());
  await pass();
};

async function type(text: string): Promise<void> {
  const set = Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, "value")?.set;
  await act(async () => {
    set?.call(field(), text);
    field().dispatchEvent(new Event("input", { bubbles: true }));
  });
}

async function enter(): Promise<void> {
  await act(async () => {
    field().dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true, cancelable: true }));
  });
}

async function answer(which: number, ok: boolean): Promise<void> {
  const request = client.sends[which]?.command as SendRequest & Sent;
  const job = {
    id: `job_${request.id}`,
    botId: "bot_1",
    to: request.to,
    state: "queued",
    messageId: null,
    error: null,
  };
  const result: CommandAnswer = ok
    ? { ok: true, result: { ...job, at: NOW, expiresAt: NOW + 1 } }
    : { ok: false, error: { code: "not_connected", message: "no answer", retryable: true } };
  await act(async () => client.sends[which]?.answer(result));
  await pass();
}

test("whoever writes meanwhile, a draft stays with whom it was begun for", async () => {
  await open();
  expect(heading()).toBe("Ann");
  field().focus();
  await type("for Ann");
  await tell("message", data(BEN, "news from Ben", 5));
  expect([heading(), field().value, document.activeElement]).toEqual(["Ann", "for Ann", field()]);
  await tell("message", data(ANN, "now with her number", 6, { chatPn: "4911111@s.whatsapp.net" }));
  expect([heading(), field().value, document.activeElement]).toEqual(["Ann", "for Ann", field()]);
  await enter();
  expect(client.sends[0]?.command).toMatchObject({ to: "4911111@s.whatsapp.net", text: "for Ann" });
});

test("a draft is there again after another chat, another tab, or the list", async () => {
  await open();
  await type("for Ann");
  await press("Ben");
  expect([heading(), field().value]).toEqual(["Ben", ""]);
  await type("for Ben");
  await press("Ann");
  expect(field().value).toBe("for Ann");
  await tell("identity", { lid: BEN, pn: "4922222@s.whatsapp.net" });
  await close();
  await open();
  expect([heading(), field().value]).toEqual(["Ann", "for Ann"]);
  await press("Ben");
  expect(field().value).toBe("for Ben");
});

test("another bot shows nothing of this one", async () => {
  await open();
  await type("for Ann");
  messages = [stored(BEN, "to the other bot", 0)];
  shown = "bot_2";
  await open();
  expect([heading(), field().value, bubbles()]).toEqual(["Ben", "", ["to the other bot"]]);
});

test("without an answer the same words go out under the same id, and only once", async () => {
  await open();
  await type("hello");
  await enter();
  await enter();
  expect(client.sends).toHaveLength(1);
  await answer(0, false);
  expect(field().value).toBe("hello");
  await enter();
  expect(client.sends.map(({ command }) => command.id)).toEqual(Array(2).fill(client.sends[0]?.command.id));
  await type("hello and more");
  await answer(1, true);
  expect([field().value, bubbles().at(-1)]).toEqual(["and more", "hello"]);
  await type("hello");
  await enter();
  expect(client.sends[2]?.command.id).not.toBe(client.sends[0]?.command.id);
});

test("words that were given up are another message when they are written again", async () => {
  await open();
  await type("hello");
  await enter();
  await answer(0, false);
  await type("");
  await type("hello");
  await enter();
  expect(client.sends[1]?.command.id).not.toBe(client.sends[0]?.command.id);
});

test("what was not sent is sent again once; a file is not sent as its words", async () => {
  const failed = { fromMe: true, jobId: "job_1", state: "failed", error: { code: "x", text: "Not on WhatsApp." } };
  messages = [
    stored(ANN, "lost", -5, failed),
    stored(ANN, "the picture", -6, { ...failed, jobId: "job_2", kind: "image", media: { mimetype: "image/png" } }),
  ];
  await open();
  expect([...element.querySelectorAll(".under")].map((one) => one.textContent?.trim())).toEqual([
    "Not on WhatsApp.",
    "Not on WhatsApp. Try again",
  ]);
  await press("Try again");
  await press("Try again");
  expect(client.sends).toHaveLength(1);
  await answer(0, false);
  await press("Try again");
  expect(client.sends.map(({ command }) => command.id)).toEqual(Array(2).fill(client.sends[0]?.command.id));
  await answer(1, true);
  expect(button("Try again")).toBeUndefined();
  expect(bubbles().filter((text) => text === "lost")).toHaveLength(2);
});

test("after a jump what was missed is asked for, and an answer under way undoes nothing", async () => {
  await open();
  messages = [stored(ANN, "from Ann", -10, { text: "edited meanwhile", editedAt: NOW })];
  await act(async () => client.jump());
  await pass();
  expect(bubbles()).toEqual(["edited meanwhile"]);
  let late: (page: Response) => void = () => {};
  pages.push(() => new Promise((resolve) => (late = resolve)));
  await act(async () => client.jump());
  await tell("reaction", { ...data(ANN, "C", 1), targetId: "from Ann", emoji: "👍", at: NOW });
  await tell("message", data(ANN, "just now", 2));
  await tell("edited", { ...data(ANN, "C", 3), targetId: "just now", text: "corrected", at: NOW + 3 });
  await act(async () => late(answered([stored(ANN, "just now", 2), ...messages])));
  await pass();
  expect([bubbles(), element.querySelector(".reactions")?.textContent]).toEqual([
    ["edited meanwhile", "corrected"],
    "👍",
  ]);
});

test("of two answers to the same question the one that was asked for later counts", async () => {
  const late: ((page: Response) => void)[] = [];
  for (let asks = 0; asks < 2; asks += 1) pages.push(() => new Promise((resolve) => late.push(resolve)));
  await open();
  await act(async () => client.jump());
  const told = { reactions: [{ sender: ANN, fromMe: false, emoji: "👍" }] };
  await act(async () => late[1]?.(answered([stored(ANN, "from Ann", -10, told)])));
  await act(async () => late[0]?.(answered([stored(ANN, "from Ann", -10)])));
  await pass();
  expect(element.querySelector(".reactions")?.textContent).toBe("👍");
});

test("sends of a script cost no request; a message too large for a frame is asked for once", async () => {
  await open();
  expect(asked).toHaveLength(1);
  const job = { id: "job_7", botId: "bot_1", to: ANN, state: "queued", messageId: null, error: null, at: NOW };
  await tell("send_result", { ...job, message: { ...data(ANN, "by a script", 7), messageId: null, fromMe: true } });
  await tell("send_result", { ...job, id: "job_8" });
  await tell("send_result", { ...job, id: "job_8", state: "sent", messageId: "W8" });
  await pass(5_000);
  expect([asked.length, bubbles().at(-1)]).toEqual([1, "by a script"]);
  for (const id of ["cut 1", "cut 2"])
    await tell("message", data(ANN, id, 8, { text: undefined }), "bot_1", { truncated: true });
  messages = [stored(ANN, "cut 2", 9, { text: "a long story" })];
  await pass(5_000);
  expect([asked.length, bubbles().at(-1)]).toEqual([2, "a long story"]);
});

test("older messages go on where they ended, and say when they cannot be read", async () => {
  pages.push(async () => answered(messages, "10-1"));
  await open();
  await act(async () => client.jump());
  await pass();
  pages.push(() => Promise.reject(new Error("no network")));
  await press("Show older messages");
  expect(element.querySelector(".more")?.textContent).toContain("could not be read");
  messages = [stored(ANN, "long ago", -90)];
  await press("Try again");
  expect(asked.slice(-2).every((url) => url.endsWith("&before=10-1"))).toBe(true);
  expect([bubbles()[0], element.querySelector(".more")]).toEqual(["long ago", null]);
});

test("a chat that is no longer among the newest leaves the list in sight", async () => {
  wide(false);
  history.replaceState({ chat: "99@lid" }, "");
  await open();
  expect(element.querySelector(".picked")).toBeNull();
  await press("Ben");
  expect([element.querySelector(".picked") !== null, heading()]).toEqual([true, "Ben"]);
  await close();
  await open();
  expect(heading()).toBe("Ben");
});

test("who writes first is unread, until the chat is open", async () => {
  await open();
  expect(badges()).toEqual([]);
  await tell("message", data("33@lid", "hello?", 30, { pushName: "Cem" }));
  await tell("message", data(ANN, "in sight", 31));
  expect(badges()).toEqual(["1"]);
  await press("Cem");
  expect(badges()).toEqual([]);
  await tell("message", data(ANN, "out of sight", 32));
  expect(badges()).toEqual(["1"]);
});

test("nothing is said to be missing before the answer has come", async () => {
  let come = (_: Response): void => undefined;
  pages = [() => new Promise((resolve) => (come = resolve))];
  await open();
  expect(element.querySelector("[aria-busy=true] .skel")).not.toBeNull();
  expect(element.textContent).not.toContain("No messages yet");
  await act(async () => come(answered([])));
  await pass();
  expect(element.querySelector(".skel")).toBeNull();
  expect(element.textContent).toContain("No messages yet");
});
