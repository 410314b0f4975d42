/**
 * The Link step of the wizard: which of its states is shown. Pure: everything that is known goes in, one view comes out.
 *
 * Never a code that may be stale: what is shown as a code comes from the client's state, which drops it first. Owns no
 * markup. Read `wizard_link.tsx` for how a view is drawn.
 */
import type { Bot } from "../../generated.js";
import type { Code, Connection, LinkAttempt } from "../../types.js";
import { whole } from "../phone.js";
import { clock, fill, left, spelled } from "../say.js";
import { LINKING } from "../texts/linking.js";
import { banCause } from "./status.js";

export type LinkState = keyof typeof LINKING.link;
type Words = (typeof LINKING.link)[LinkState];
type With<Key extends string> = Extract<Words, { readonly [key in Key]: { readonly id: string } }>;
export type LinkActionId =
  | With<"primary">["primary"]["id"]
  | With<"secondary">["secondary"]["id"]
  | "open_other"
  | "any_number";

export interface LinkAction {
  readonly id: LinkActionId;
  readonly label: string;
}

/** What a person did on this page, in this tab. */
export interface LinkUi {
  readonly tab: "scan" | "phone";
  readonly cancelled: boolean;
  /** The server said `too_many_link_attempts`; when it may be tried again, by this machine's clock. */
  readonly refusedUntil: number | null;
  readonly phoneFault: boolean;
}

export interface LinkInput {
  readonly bot: Bot;
  readonly link: LinkAttempt | undefined;
  readonly connection: Connection;
  readonly ui: LinkUi;
  /** This machine's clock. */
  readonly now: number;
  readonly maxTries: number;
  /** Why WhatsApp banned the account, by its number. */
  readonly ban: number | null;
  /** The bot that the number which scanned belongs to already, where this user has it. */
  readonly other: Bot | null;
  /** The messages that waited on WhatsApp, while they come in; since when by the server's clock. */
  readonly sync: { readonly count: number; readonly done: boolean; readonly at: number } | null;
}

export interface LinkView {
  readonly state: LinkState;
  readonly layout: Words["left"];
  readonly title: string;
  readonly body: string;
  readonly primary: LinkAction | null;
  readonly secondary: LinkAction | null;
  readonly note: string;
  /** Said once when the state begins; at once and over everything else when `assertive`. */
  readonly announce: string;
  readonly assertive: boolean;
  readonly code: Code | null;
  /** When something happens by itself, by the server's clock. */
  readonly at: number | null;
  readonly leaving: Leaving;
}

/** Leaving the step ends the attempt, asks before it does because the phone has scanned, or goes to the bot or the list. */
export type Leaving = "cancel" | "ask" | "bot" | "list";

const LOST = new Set([
  "reconnecting",
  "offline",
  "auth_unavailable",
  "server_draining",
  "too_many_attempts",
  "token_expired",
  "unauthorized",
  "user_mismatch",
  "revoked",
  "stopped",
  "slow_consumer",
]);
const ELSEWHERE = new Set(["already_connected", "taken_over", "other_tab"]);
/** Statuses in which a code is or will be on offer: what the page shows of them must be live. */
const OFFERING = new Set(["starting", "awaiting_scan"]);
/** Statuses of a bot that is linked and wanted running: whatever was refused before is past. */
const LINKED = new Set(["pairing", "connecting", "connected", "degraded", "reconnecting"]);
const BY_STATUS: { readonly [status: string]: LinkState } = {
  passkey_required: "passkey",
  replaced: "replaced",
  logged_out: "logged_out",
  banned: "banned",
  blocked: "blocked",
  outdated: "outdated",
  failed: "failed",
  stopped: "cancelled",
  stopping: "cancelled",
  connecting: "restarting",
  reconnecting: "restarting",
  degraded: "restarting",
};
/** How long "Scanned" stands before the restart that follows is explained. */
const SCANNED_MS = 1_000;
/** How long "Catching up" may stand before the question that matters more. */
const SYNC_MS = 8_000;

/** The state of the Link step. */
function linkState(input: LinkInput): LinkState {
  const { bot, connection, ui } = input;
  if (ui.cancelled) return "cancelled";
  if (ELSEWHERE.has(connection.state) && OFFERING.has(bot.status)) return "elsewhere";
  if (LOST.has(connection.state) && OFFERING.has(bot.status)) return "socket_lost";
  if (refused(input)) return "too_many";
  switch (bot.status) {
    case "starting":
      return starting(bot, ui);
    case "awaiting_scan":
      return offering(input);
    case "pairing":
      return sinceScan(input) < SCANNED_MS ? "linking" : "restarting";
    case "connected":
      return catchingUp(input) ? "syncing" : "connected";
    case "login_expired":
      return ended(bot, input.link);
    default:
      return BY_STATUS[bot.status] ?? "failed";
  }
}

/** Whether new codes were refused for now, and none are there all the same. */
function refused({ bot, ui, now }: LinkInput): boolean {
  return ui.refusedUntil !== null && ui.refusedUntil > now && !OFFERING.has(bot.status) && !LINKED.has(bot.status);
}

function catchingUp({ sync, connection, now }: LinkInput): boolean {
  return sync !== null && !sync.done && now + connection.offset - sync.at < SYNC_MS;
}

/** How long ago the phone scanned, as far as this page was told. */
function sinceScan({ link, connection, now }: LinkInput): number {
  return link?.notice?.type === "pair_success" ? now + connection.offset - link.notice.at : Number.POSITIVE_INFINITY;
}

function starting(bot: Bot, ui: LinkUi): LinkState {
  // The only incident that goes by this name: WhatsApp refuses the version, so no start is let through.
  if (bot.reason?.code === "held_by_incident") return "outdated";
  if (bot.reason?.code === "proxy_failed") return "proxy";
  if (bot.reason !== null && bot.retryAt !== null) return "unreachable";
  if (bot.link === null && bot.account !== null) return "restarting";
  return ui.tab === "phone" ? phone(ui) : "waiting";
}

function offering({ link, ui }: LinkInput): LinkState {
  if (link?.notice?.type === "pair_success") return "linking";
  if (ui.tab === "phone") return link?.code?.kind === "pairing_code" ? "phone_code" : phone(ui);
  if (link?.code?.kind !== "qr") return "waiting";
  return link.notice?.type === "scanned_without_multidevice" ? "multidevice" : "scan";
}

function phone(ui: LinkUi): LinkState {
  return ui.phoneFault ? "phone_error" : "phone";
}

function ended(bot: Bot, link: LinkAttempt | undefined): LinkState {
  const told = link?.notice?.type === "pair_error" ? (link.notice.data as { readonly code?: string }).code : null;
  if (told === "device_limit") return "devices";
  switch (bot.reason?.code) {
    case "already_linked":
    case "wrong_number":
      return "wrong";
    case "pair_failed":
      return "pair_error";
    default:
      return "expired";
  }
}

/** The bot among these that has the number which scanned; null when none has it, or it was not told. */
export function otherBot(bots: Iterable<Bot>, bot: Bot, link: LinkAttempt | undefined): Bot | null {
  const phone = scannedPhone(link);
  if (phone === null) return null;
  for (const one of bots) if (one.id !== bot.id && one.account?.phone === phone) return one;
  return null;
}

/** The number that scanned and was unlinked again, as far as this page was told. */
function scannedPhone(link: LinkAttempt | undefined): string | null {
  if (link?.notice?.type !== "pair_error") return null;
  return (link.notice.data as { readonly account?: { readonly phone?: string } }).account?.phone ?? null;
}

/** States in which something happens by itself at a known time. */
const AWAITS: ReadonlySet<LinkState> = new Set<LinkState>(["unreachable", "proxy", "banned"]);

/** The state with its words filled in. */
export function linkView(input: LinkInput): LinkView {
  const state = linkState(input);
  const words: Words = LINKING.link[state];
  const values = valuesOf(state, input);
  const live = fill(words.live, values);
  const shows = state === "scan" || state === "multidevice" || state === "phone_code";
  return {
    state,
    layout: words.left,
    title: fill(titleOf(state, input, words.title), values),
    body: fill(bodyOf(state, input, words.body), values).trim(),
    primary: "primary" in words ? words.primary : null,
    secondary: secondaryOf(state, input, words),
    note: noteOf(state, input, words, values),
    announce: live,
    assertive: state === "socket_lost" || state === "elsewhere",
    code: shows ? (input.link?.code ?? null) : null,
    at: AWAITS.has(state) ? (input.bot.until ?? input.bot.retryAt) : null,
    leaving: leavingOf(state, words, input.bot),
  };
}

function leavingOf(state: LinkState, words: Words, bot: Bot): Leaving {
  if (state === "linking" || (state === "restarting" && bot.status === "pairing")) return "ask";
  if (words.left === "steps") return "bot";
  return words.left === "icon" || state === "elsewhere" ? "list" : "cancel";
}

function titleOf(state: LinkState, { bot }: LinkInput, title: string): string {
  if (state === "wrong" && bot.reason?.code === "wrong_number") return LINKING.other.wrongTitle;
  if (state === "logged_out" && bot.reason?.code !== "unlinked_on_phone") return LINKING.other.loggedOutTitle;
  if (state === "cancelled" && bot.account !== null) return LINKING.other.stoppedTitle;
  if (state === "restarting" && bot.status !== "pairing") return LINKING.other.connectingTitle;
  return state === "banned" && (bot.until ?? bot.retryAt) === null ? LINKING.other.bannedTitle : title;
}

function secondaryOf(state: LinkState, { bot, other }: LinkInput, words: Words): LinkAction | null {
  if (state === "wrong" && bot.reason?.code === "wrong_number") {
    return { id: "any_number", label: LINKING.other.anyNumber };
  }
  if (state === "wrong" && other !== null) {
    return { id: "open_other", label: fill(LINKING.other.openOther, { other: other.name }) };
  }
  return "secondary" in words ? words.secondary : null;
}

function bodyOf(state: LinkState, { bot, ui, link, other }: LinkInput, body: string): string {
  if (state === "wrong" && bot.reason?.code === "wrong_number") {
    return scannedPhone(link) === null ? LINKING.other.wrongBody : LINKING.other.wrongScanned;
  }
  if (state === "wrong" && other !== null) return LINKING.other.takenBy;
  if (state === "unreachable" && bot.reason?.code === "whatsapp_unreachable") return LINKING.other.noAnswer;
  if (state === "logged_out" && bot.reason?.code !== "unlinked_on_phone") return bot.reason?.text ?? "";
  if (state === "cancelled" && bot.account !== null) return LINKING.other.stoppedBody;
  if (state === "restarting" && bot.status !== "pairing") {
    return bot.reason === null ? LINKING.other.connectingBody : LINKING.other.connectingAgain;
  }
  if (state === "expired" && bot.reason !== null && bot.reason.code !== "codes_expired") return bot.reason.text;
  if (state === "waiting" && bot.link?.method === "code" && ui.tab === "scan" && link !== undefined) {
    return LINKING.other.codeInUse;
  }
  if (state === "outdated" && bot.reason?.code === "client_refused") return bot.reason.text;
  return body;
}

function noteOf(state: LinkState, { bot, maxTries }: LinkInput, words: Words, values: Values): string {
  if (state === "expired") {
    return "note" in words && bot.triesLeft !== null
      ? fill(words.note, { ...values, tries: bot.triesLeft, max: maxTries })
      : "";
  }
  const notes: { readonly [state: string]: string } = LINKING.notes;
  return fill(notes[state] ?? "", values);
}

type Values = { readonly [name: string]: string | number };

function valuesOf(state: LinkState, input: LinkInput): Values {
  const { bot, link, connection, now, maxTries, sync, ban, other } = input;
  const server = now + connection.offset;
  const code = link?.code ?? null;
  const phone = scannedPhone(link) ?? bot.account?.phone ?? null;
  const qr = code?.kind === "qr" ? code : null;
  return {
    bot: bot.name,
    index: qr?.index ?? "",
    of: qr?.of ?? bot.link?.of ?? 6,
    left: code === null ? "" : left(code.expiresAt, server),
    spelled: code?.kind === "pairing_code" ? spelled(code.code) : "",
    phone: phone === null ? "" : whole(phone),
    other: other?.name ?? "",
    pushName: bot.account?.pushName ?? bot.name,
    device: bot.deviceName,
    count: sync?.count ?? "",
    max: maxTries,
    cause: ban === null ? "" : fill(LINKING.other.cause, { cause: banCause(ban) }),
    reason: bot.reason?.text ?? LINKING.other.noReason,
    retry: bot.retryAt === null ? "" : clock(bot.retryAt - connection.offset, now),
    time: clock(momentOf(state, input), now),
    next: nextOf(bot, connection, now),
  };
}

/** The moment that the words of a state speak of, by this machine's clock. */
function momentOf(state: LinkState, { bot, connection, ui, now }: LinkInput): number {
  switch (state) {
    case "elsewhere":
      return connection.elsewhereSince === null ? connection.since : connection.elsewhereSince - connection.offset;
    case "too_many":
      return ui.refusedUntil ?? now;
    case "banned":
      return (bot.until ?? bot.retryAt ?? bot.since) - connection.offset;
    default:
      return bot.since - connection.offset;
  }
}

function nextOf(bot: Bot, connection: Connection, now: number): string {
  if (connection.state !== "live") {
    return connection.retryAt !== null && connection.retryAt > now
      ? fill(LINKING.other.reconnectingIn, { left: left(connection.retryAt, now) })
      : "";
  }
  const server = now + connection.offset;
  if (bot.retryAt === null) return "";
  return bot.retryAt > server ? fill(LINKING.other.next, { left: left(bot.retryAt, server) }) : LINKING.other.now;
}
