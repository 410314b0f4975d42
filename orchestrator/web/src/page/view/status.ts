/**
 * A bot's record → how its status is shown: icon, tone, words, group, the next action. Pure: (bot, now) in, a view out.
 *
 * An unknown status is shown as a failure with its raw name, never as an empty cell. Owns no markup.
 */
import type { Bot } from "../../generated.js";
import type { IconName } from "../icons.js";
import { clock, clockSeconds, fill, left, span } from "../say.js";
import { STATUSES } from "../texts/statuses.js";

export type Tone = "ok" | "busy" | "heal" | "you" | "stop" | "off";
export type Group = "you" | "wait" | "move" | "ok" | "off";
export type ActionId = keyof typeof STATUSES.action;

export interface Action {
  readonly id: ActionId;
  readonly label: string;
}

export interface StatusView {
  readonly icon: IconName;
  readonly spins: boolean;
  readonly tone: Tone;
  readonly group: Group;
  readonly label: string;
  readonly line: string;
  readonly action: Action | null;
  /** When something happens by itself, by the server's clock. */
  readonly at: number | null;
}

interface Known {
  readonly label: string;
  readonly group: Group;
  readonly tone: Tone;
  readonly body: string;
}

const KNOWN: { readonly [status: string]: Known } = STATUSES.status;
const SPINNING = new Set(["starting", "connecting"]);

/** Reasons that say more than the line of the status does. */
const OWN_REASON = new Set([
  "starting",
  "connecting",
  "reconnecting",
  "failed",
  "blocked",
  "login_expired",
  "stopped",
  "logged_out",
]);
/** Reasons the line of the status says already. */
const SAID = new Set(["codes_expired", "connection_lost", "unlinked_on_phone", "restart_budget_spent"]);

/** How a bot's status is shown at `now`, by the server's clock. */
export function statusView(bot: Bot, now: number, operator: boolean): StatusView {
  const known = KNOWN[bot.status];
  if (known === undefined) {
    const line = fill(STATUSES.line.unknown, { status: bot.status });
    return {
      icon: "failed",
      spins: false,
      tone: "stop",
      group: "you",
      label: bot.status,
      line,
      action: null,
      at: null,
    };
  }
  const until = bot.until ?? bot.retryAt;
  return {
    icon: bot.status === "stopping" ? "stopped" : (bot.status as IconName),
    spins: SPINNING.has(bot.status),
    tone: known.tone,
    group: known.group,
    label: labelOf(bot, known.label, until, now),
    line: lineOf(bot, known.body, now),
    action: actionOf(bot, operator),
    at: bot.status === "awaiting_scan" ? (bot.link?.expiresAt ?? null) : bot.retryAt,
  };
}

const CAUSES: { readonly [code: string]: string } = STATUSES.cause;

function labelOf({ status, reason }: Bot, label: string, until: number | null, now: number): string {
  if (status === "banned" && until === null) return STATUSES.line.bannedFor;
  if (status === "login_expired" && reason !== null && reason.code in CAUSES) return CAUSES[reason.code] ?? label;
  return fill(label, { time: until === null ? "" : clock(until, now) });
}

/** How long ago WhatsApp last proved that it serves the bot; null for a bot that no account is linked to. */
export function provedAgo(bot: Bot, now: number): string | null {
  return bot.account === null || bot.provedAt === null ? null : span(now - bot.provedAt);
}

function lineOf(bot: Bot, body: string, now: number): string {
  const reason = bot.reason !== null && !SAID.has(bot.reason.code) ? bot.reason.text : null;
  // What an incident holds is not tried before that is over, whatever time is told.
  const held = bot.reason?.code === "held_by_incident";
  const next = bot.retryAt === null || held ? "" : nextTry(bot.retryAt, now);
  switch (bot.status) {
    case "awaiting_scan":
      return codeLine(bot, body, now);
    case "reconnecting":
      return reason === null
        ? `${fill(body.replace(" Next try in {left}.", ""), { time: clockSeconds(bot.since) })} ${next}`.trim()
        : `${reason} ${next}`.trim();
    case "banned":
      return banLine(bot, body, now);
    case "degraded":
      return `${fill(body, { time: clockSeconds(bot.since) })} ${repairing(bot)}`;
    case "failed":
      return reason ?? bot.reason?.text ?? "";
    case "connected":
      return bot.provedAt === null ? "" : fill(body, { ago: span(now - bot.provedAt) });
    default:
      if (reason !== null && OWN_REASON.has(bot.status)) return `${reason} ${next}`.trim();
      return fill(body, { time: clock(bot.since, now) });
  }
}

function codeLine(bot: Bot, body: string, now: number): string {
  const link = bot.link;
  if (link?.index == null || link.expiresAt == null || link.expiresAt <= now) return STATUSES.line.noCode;
  return fill(body, { index: link.index, of: link.of ?? 6, left: left(link.expiresAt, now) });
}

function banLine(bot: Bot, body: string, now: number): string {
  const cause = banCause(bot.reason?.number ?? null);
  return bot.retryAt === null ? `${cause}.` : fill(body, { cause, retry: clock(bot.retryAt, now) });
}

function repairing({ repair }: Bot): string {
  if (repair == null) return STATUSES.line.repairing;
  return fill(STATUSES.line.repair, { n: repair.n, of: repair.of, step: STATUSES.repair[repair.step] });
}

function nextTry(at: number, now: number): string {
  return at > now ? fill(STATUSES.line.next, { left: left(at, now) }) : STATUSES.line.nextNow;
}

function actionOf(bot: Bot, operator: boolean): Action | null {
  const asked = bot.userAction;
  // Held by an incident, trying now would only wait with it.
  const held = asked === "operator_upgrade" || bot.reason?.code === "held_by_incident";
  if (held) return operator ? action("operator_upgrade") : null;
  if (asked !== null && asked in STATUSES.action) return action(asked as ActionId);
  return asked === null && bot.retryAt !== null && bot.desired === "running" ? action("try_now") : null;
}

function action(id: ActionId): Action {
  return { id, label: STATUSES.action[id] };
}

/** The cause of a ban by WhatsApp's number. */
export function banCause(code: number | null): string {
  const causes: { readonly [code: string]: string } = STATUSES.ban;
  return causes[String(code ?? "")] ?? STATUSES.ban.other;
}
