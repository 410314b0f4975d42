/** The keyboard of the whole page, and the two dialogs it opens. Read `view/keys.ts` for what each key means. */
import { type ReactNode, useCallback, useEffect, useRef, useState } from "react";
import type { UnifiedClient } from "../types.js";
import { steer } from "./commands.js";
import { useShared } from "./live.js";
import { tellKey } from "./page_key.js";
import { Part, Shown } from "./part.js";
import { toast } from "./parts/toasts.js";
import { go, type Route, routeOf } from "./router.js";
import { PAGE } from "./texts/page.js";
import { type Meaning, meaning } from "./view/keys.js";

const bar = new Part(() => import("./command_bar.js").then((file) => file.default));
const help = new Part(() => import("./shortcut_help.js").then((file) => file.default));

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
  const [shown, setShown] = useState<At | "help" | null>(null);
  const open = useCallback(() => setShown(whereAmI()), []);
  const close = useCallback(() => setShown(null), []);
  useEffect(() => {
    const onHelp = () => setShown("help");
    document.addEventListener("page:help", onHelp);
    return () => document.removeEventListener("page:help", onHelp);
  }, []);
  if (shown === null) return { open, dialog: null };
  const gone = <NotOpened onClose={close} />;
  const dialog =
    shown === "help" ? (
      <Shown key="help" part={help} of={{ onClose: close }} gone={gone} />
    ) : (
      <Shown key="bar" part={bar} of={{ ...shown, onClose: close }} gone={gone} />
    );
  return { open, dialog };
}

interface At {
  readonly subject: string | null;
  readonly inList: boolean;
}

/** The bot whose page is open, or whose row has the focus. */
function whereAmI(): At {
  const route = routeOf(location.pathname);
  if ("bot" in route) return { subject: route.bot, inList: false };
  return { subject: currentRow()?.dataset.bot ?? null, inList: true };
}

/** What lies under a dialog, and what is typed there, stays when the dialog's file is gone. */
function NotOpened({ onClose }: { readonly onClose: () => void }): ReactNode {
  useEffect(() => {
    onClose();
    const action = { label: PAGE.part.again, run: () => location.reload() };
    toast({ about: "page", tone: "heal", icon: "reconnecting", title: PAGE.part.notOpened, action });
  }, [onClose]);
  return null;
}

interface KeysProps {
  readonly route: Route;
  readonly onSearch: () => void;
}

export function Keys({ route, onSearch }: KeysProps): ReactNode {
  const { client, session } = useShared();
  const lastG = useRef(0);
  const held = useRef<string | null>(null);
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.defaultPrevented) return;
      if (event.repeat && (event.code === held.current || presses(event))) {
        // It has done what it means: neither is that done again, nor a field that it led to filled with its letter.
        event.preventDefault();
        return;
      }
      held.current = null;
      const press = {
        key: event.key,
        ctrl: event.ctrlKey || event.metaKey,
        alt: event.altKey,
        shift: event.shiftKey,
        repeat: event.repeat,
        typing: isTyping(event.target),
        afterG: Date.now() - lastG.current < G_MS,
        off: !singleKeys(),
      };
      const meant = meaning(press, route.page);
      lastG.current = meant?.kind === "g" ? Date.now() : 0;
      if (meant === null || (meant.kind === "go" && meant.to === "/fleet" && !session.me.operator)) return;
      if (meant.kind !== "g") event.preventDefault();
      if (meant.kind !== "move") held.current = event.code;
      carryOut(meant, client, onSearch);
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, [client, session, route.page, onSearch]);
  return null;
}

/** Enter presses what has the focus, and a browser does so as often as the key repeats. */
function presses({ key, target }: KeyboardEvent): boolean {
  return key === "Enter" && target instanceof Element && target.closest("button, a") !== null;
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
  else tellKey(key);
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
