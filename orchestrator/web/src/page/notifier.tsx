/**
 * Tells what happens elsewhere on the page: bots that begin to need somebody, events that were missed, status changes for
 * a screen reader. Never for what is expected, nor for what is replayed. Owns when something is told.
 */
import { type ReactNode, useEffect, useRef } from "react";
import type { Bot } from "../generated.js";
import type { Away, Frame, State, UnifiedClient } from "../types.js";
import { announce } from "./announce.js";
import { perform } from "./commands.js";
import { useConnection, useShared } from "./live.js";
import { dismiss, type Toast, toast } from "./parts/toasts.js";
import { fill, plural } from "./say.js";
import { PAGE } from "./texts/page.js";
import { groupOf } from "./view/groups.js";
import { statusView } from "./view/status.js";

/** What changes together is told together. */
const TOGETHER_MS = 1_000;
const SPEAK_MS = 5_000;
const SOON_MS = 60_000;

export function Notifier(): ReactNode {
  const { client } = useShared();
  const away = useConnection().away;
  useStatusToasts(client);
  useMissed(away);
  return null;
}

function useStatusToasts(client: UnifiedClient): void {
  const groups = useRef(new Map<string, string>());
  useEffect(() => {
    const changed = new Map<string, Bot>();
    const raised = new Map<string, Toast>();
    let timer: ReturnType<typeof setTimeout> | null = null;
    let spokeAt = Number.NEGATIVE_INFINITY;
    const speak = () => {
      timer = null;
      // Whoever has opened a bot's page meanwhile is told there.
      const [first, ...more] = [...changed.values()].filter((bot) => !isOpen(bot.id));
      changed.clear();
      if (first === undefined || inWizard()) return;
      spokeAt = Date.now();
      announce(sentence(first, more.length, serverNow(client)));
    };
    for (const bot of Object.values(client.getState().bots)) groups.current.set(bot.id, groupOf(bot));
    // What was told about something else, like a refusal, is not over with it.
    const over = (id: string) => {
      const told = raised.get(id);
      if (told !== undefined) dismiss(told);
      raised.delete(id);
    };
    const stop = client.onFrame((frame) => {
      if (frame.type === "deleted" && frame.botId !== null) over(frame.botId);
      const bot = botOf(frame, client.getState());
      if (bot === null) return;
      const before = groups.current.get(bot.id);
      const now = groupOf(bot);
      groups.current.set(bot.id, now);
      if (now !== "you") over(bot.id);
      if (frame.replayed === true || isOpen(bot.id)) return;
      if (before !== undefined && before !== now && now === "you" && bot.status !== "awaiting_scan")
        raised.set(bot.id, tell(client, bot));
      changed.set(bot.id, bot);
      timer ??= setTimeout(speak, Math.max(TOGETHER_MS, spokeAt + SPEAK_MS - Date.now()));
    });
    return () => {
      stop();
      if (timer !== null) clearTimeout(timer);
    };
  }, [client]);
}

function botOf(frame: Frame, state: State): Bot | null {
  if (frame.event !== "bot_status_update" || frame.type !== "status" || frame.botId === null) return null;
  return state.bots[frame.botId] ?? null;
}

/** Whether the bot's own page says it already. */
function isOpen(bot: string): boolean {
  return location.pathname.startsWith(`/bots/${bot}`);
}

/** Who is linking a bot hears of that alone. */
function inWizard(): boolean {
  return /^\/new\b|\/(link|ready)$/.test(location.pathname);
}

function serverNow(client: UnifiedClient): number {
  return Date.now() + client.getState().connection.offset;
}

function tell(client: UnifiedClient, bot: Bot): Toast {
  const view = statusView(bot, serverNow(client), false);
  const { action } = view;
  const made: Toast = {
    about: bot.id,
    tone: view.tone,
    icon: view.icon,
    title: fill(PAGE.toast.needsYou, { bot: bot.name, status: view.label }),
    text: view.line,
    ...(action === null ? {} : { action: { label: action.label, run: () => void perform(client, bot, action.id) } }),
  };
  toast(made);
  return made;
}

function sentence(first: Bot, more: number, now: number): string {
  const status = statusView(first, now, false).label;
  const one = fill(PAGE.list.changed, { bot: first.name, status });
  return more === 0 ? one : `${one} ${plural(more, PAGE.list.moreChanged)}`;
}

/** After a snapshot: how much nobody will see any more. */
function useMissed(away: Away | null): void {
  const told = useRef<number | null>(null);
  useEffect(() => {
    if (away === null || !away.snapshot || told.current === away.to || Date.now() - away.to > SOON_MS) return;
    told.current = away.to;
    const title = away.missed === null ? PAGE.toast.missedSome : plural(away.missed, PAGE.toast.missed);
    toast({
      about: "missed",
      tone: "busy",
      icon: "info",
      title,
      text: PAGE.toast.snapshot,
      action: { label: PAGE.ok, run: () => undefined },
    });
    announce(`${title}. ${PAGE.toast.snapshot}`);
  }, [away]);
}
