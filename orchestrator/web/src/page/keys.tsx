/** The keyboard of the whole page, and the two dialogs it opens. Read `view/keys.ts` for what each key means. */
import { lazy, type ReactNode, Suspense, useCallback, useEffect, useRef, useState } from "react";
import type { UnifiedClient } from "../types.js";
import { steer } from "./commands.js";
import { useShared } from "./live.js";
import { go, type Route } from "./router.js";
import { type Meaning, meaning } from "./view/keys.js";

const CommandBar = lazy(() => import("./command_bar.js"));
const ShortcutHelp = lazy(() => import("./shortcut_help.js"));

const G_MS = 1_000;
const KEY = "keys";

/** Whether single keys do anything. */
export function singleKeys(): boolean {
  try {
    return localStorage.getItem(KEY) !== "off";
  } catch {
    return true;
  }
}

export function setSingleKeys(on: boolean): void {
  try {
    if (on) localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, "off");
  } catch {
    // Without storage they stay on.
  }
}

export function useCommandBar(): { readonly open: () => void; readonly dialog: ReactNode } {
  const [shown, setShown] = useState<"bar" | "help" | null>(null);
  const open = useCallback(() => setShown("bar"), []);
  const close = useCallback(() => setShown(null), []);
  useEffect(() => {
    const help = () => setShown("help");
    document.addEventListener("page:help", help);
    return () => document.removeEventListener("page:help", help);
  }, []);
  const dialog = shown && (
    <Suspense>{shown === "bar" ? <CommandBar onClose={close} /> : <ShortcutHelp onClose={close} />}</Suspense>
  );
  return { open, dialog };
}

interface KeysProps {
  readonly route: Route;
  readonly onSearch: () => void;
}

export function Keys({ route, onSearch }: KeysProps): ReactNode {
  const { client, session } = useShared();
  const lastG = useRef(0);
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.defaultPrevented) return;
      const press = {
        key: event.key,
        ctrl: event.ctrlKey || event.metaKey,
        alt: event.altKey,
        typing: isTyping(event.target),
        afterG: Date.now() - lastG.current < G_MS,
        off: !singleKeys(),
      };
      const meant = meaning(press, route.page);
      lastG.current = meant?.kind === "g" ? Date.now() : 0;
      if (meant === null || (meant.kind === "go" && meant.to === "/fleet" && !session.me.operator)) return;
      if (meant.kind !== "g") event.preventDefault();
      carryOut(meant, client, onSearch);
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, [client, session, route.page, onSearch]);
  return null;
}

function isTyping(target: EventTarget | null): boolean {
  if (document.querySelector("dialog[open], [role=menu]") !== null) return true;
  return target instanceof HTMLElement && target.closest("input, textarea, select, [contenteditable]") !== null;
}

function carryOut(meant: Meaning, client: UnifiedClient, onSearch: () => void): void {
  if (meant.kind === "search") onSearch();
  else if (meant.kind === "help") document.dispatchEvent(new CustomEvent("page:help"));
  else if (meant.kind === "new") go("/new");
  else if (meant.kind === "filter") document.getElementById("find")?.focus();
  else if (meant.kind === "go") go(meant.to);
  else if (meant.kind === "move") move(meant.by);
  else if (meant.kind === "row") onRow(meant.action, client);
  else if (meant.kind === "page") pageKey(meant.key);
}

/** Keys a page's parts listen to themselves; while linking C copies the code. */
function pageKey(key: string): void {
  const copy = key === "c" ? document.querySelector<HTMLElement>("button.copy") : null;
  if (copy !== null) copy.click();
  else document.dispatchEvent(new CustomEvent("page:key", { detail: key }));
}

function rows(): ReadonlyArray<HTMLElement> {
  return [...document.querySelectorAll<HTMLElement>("article[data-bot]")];
}

function currentRow(): HTMLElement | null {
  return document.activeElement?.closest<HTMLElement>("article[data-bot]") ?? null;
}

function move(by: 1 | -1): void {
  const all = rows();
  const current = currentRow();
  const at = current === null ? (by === 1 ? -1 : all.length) : all.indexOf(current);
  const next = all[Math.min(all.length - 1, Math.max(0, at + by))];
  next?.querySelector<HTMLElement>("a.row-link")?.focus();
  next?.scrollIntoView({ block: "nearest" });
}

function onRow(action: "next" | "restart" | "toggle", client: UnifiedClient): void {
  const row = currentRow();
  if (row === null) return;
  if (action === "next") {
    row.querySelector<HTMLElement>(".act button")?.click();
    return;
  }
  const bot = client.getState().bots[row.dataset.bot ?? ""];
  if (bot === undefined) return;
  const toggled = bot.desired === "running" ? "stop" : "start";
  void steer(client, bot, action === "restart" ? "restart" : toggled);
}
