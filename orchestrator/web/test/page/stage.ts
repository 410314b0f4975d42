/** A part of the page on a stage: a client whose state a test writes, a server whose answers it gives. Owns no asserts. */
import { act, createElement, type ReactNode } from "react";
import { createRoot } from "react-dom/client";
import { afterEach, beforeEach, vi } from "vitest";
import type { Bot } from "../../src/generated.js";
import { SharedContext } from "../../src/page/live.js";
import { Overlays } from "../../src/page/shell.js";
import { INITIAL } from "../../src/state.js";
import type { Command, CommandAnswer, Frame, State, UnifiedClient } from "../../src/types.js";
import { connection } from "./support.js";

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly body: unknown;
  readonly key: string | null;
}

type Answer = Response | Promise<Response>;

/** What the server is asked; `answers` gives its answers, `carriesOut` those to commands. */
export interface Stage {
  readonly asked: Asked[];
  readonly commands: Command[];
  answers: (asked: Asked) => Answer;
  carriesOut: (command: Command) => CommandAnswer | Promise<CommandAnswer>;
  show(part: ReactNode): Promise<void>;
  change(changes: Partial<State>): Promise<void>;
  /** A bot's status has changed: the state, then the frame that says so. */
  status(changed: Bot): Promise<void>;
  text(): string;
  field(label: string): HTMLInputElement;
  press(name: string): Promise<void>;
  type(label: string, words: string): Promise<void>;
}

export const json = (body: unknown, status = 200): Response => new Response(JSON.stringify(body), { status });

class NothingHasASize {
  observe(): void {}
  unobserve(): void {}
}

/** A stage for each test of the file. */
export function onStage(): { readonly now: Stage } {
  const held: { now: Stage } = { now: null as never };
  let clear = async (): Promise<void> => undefined;
  beforeEach(() => {
    vi.stubGlobal("IS_REACT_ACT_ENVIRONMENT", true);
    vi.stubGlobal("scrollTo", () => undefined);
    vi.stubGlobal("matchMedia", () => ({ matches: false, addEventListener: () => undefined }));
    vi.stubGlobal("ResizeObserver", NothingHasASize);
    [held.now, clear] = stage();
  });
  afterEach(async () => {
    await clear();
    vi.unstubAllGlobals();
  });
  return held;
}

function stage(): [Stage, () => Promise<void>] {
  let state: State = { ...INITIAL, loaded: true, connection: connection() };
  const listeners = new Set<() => void>();
  const frames = new Set<(frame: Frame) => void>();
  const element = document.createElement("div");
  document.body.append(element);
  const root = createRoot(element);
  const made: Stage = {
    asked: [],
    commands: [],
    answers: () => json({}),
    carriesOut: () => ({ ok: true, result: null }),
    show: (part) => act(async () => root.render(createElement(SharedContext, { value: shared }, part, overlays()))),
    change: (changes) =>
      act(async () => {
        state = { ...state, ...changes };
        for (const listener of listeners) listener();
      }),
    status: async (changed) => {
      await made.change({ bots: { ...state.bots, [changed.id]: changed } });
      const { id: botId, status } = changed;
      const frame = { event: "bot_status_update", type: "status", id: "evt", botId, status, at: 0, data: changed };
      await act(async () => {
        for (const listener of frames) listener(frame);
      });
    },
    text: () => element.textContent ?? "",
    field: (label) => field(element, label),
    press: (name) => act(async () => button(element, name).click()),
    type: (label, words) => act(async () => write(field(element, label), words)),
  };
  const client = {
    getState: () => state,
    subscribe: (listener: () => void) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    onFrame: (listener: (frame: Frame) => void) => {
      frames.add(listener);
      return () => frames.delete(listener);
    },
    command: async (command: Command) => {
      made.commands.push(command);
      return made.carriesOut(command);
    },
  } as unknown as UnifiedClient;
  const me = { userId: "ada", operator: false, limits: { bots: 20, linkAttemptsPerHour: 10 } };
  const shared = { client, session: { me, version: { version: "1", driver: "whatsapp", library: null } } };
  vi.stubGlobal("fetch", async (path: string, { method = "GET", body, headers }: RequestInit) => {
    const key = new Headers(headers).get("Idempotency-Key");
    const asked = { method, path, key, body: typeof body === "string" ? JSON.parse(body) : undefined };
    made.asked.push(asked);
    return made.answers(asked);
  });
  const clear = async () => {
    await act(async () => root.unmount());
    element.remove();
    document.body.replaceChildren();
  };
  return [made, clear];
}

const overlays = (): ReactNode => createElement(Overlays, { key: "overlays" });

function button(element: HTMLElement, name: string): HTMLElement {
  for (const found of element.querySelectorAll<HTMLElement>("button, [role=switch]")) {
    if ((found.getAttribute("aria-label") ?? found.textContent ?? "").startsWith(name)) return found;
  }
  throw new Error(`no button ${name} in: ${element.textContent}`);
}

function field(element: HTMLElement, label: string): HTMLInputElement {
  for (const found of element.querySelectorAll<HTMLInputElement>("input")) {
    const named = found.getAttribute("aria-label") ?? [...(found.labels ?? [])].map((one) => one.textContent).join("");
    if (named.startsWith(label)) return found;
  }
  throw new Error(`no field ${label} in: ${element.innerHTML}`);
}

function write(input: HTMLInputElement, words: string): void {
  Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value")?.set?.call(input, words);
  input.dispatchEvent(new Event("input", { bubbles: true }));
}
