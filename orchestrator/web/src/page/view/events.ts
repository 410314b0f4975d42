/**
 * Frames → lines of the live log. Pure. Codes, tokens and message bodies are in none of them; numbers are shortened.
 *
 * Types this version does not know are shown by name. Owns no markup.
 */
import { PAIR_ERRORS, REASONS, SEND_ERRORS } from "../../generated.js";
import type { Frame } from "../../types.js";
import type { IconName } from "../icons.js";
import { ofAddress, shortened } from "../phone.js";
import { bytes, clock, fill, type Values } from "../say.js";
import { EVENTS } from "../texts/events.js";
import { STATUSES } from "../texts/statuses.js";
import { banCause, type Tone } from "./status.js";

export type Topic = "link" | "messages" | "sends";

export interface EventLine {
  readonly icon: IconName;
  readonly tone: Tone;
  readonly text: string;
  readonly topic: Topic;
  readonly problem: boolean;
}

type Data = { readonly [member: string]: unknown };

const TEXTS: { readonly [type: string]: string } = EVENTS.event;
const ICONS: { readonly [type: string]: IconName } = {
  qr: "awaiting_scan",
  pairing_code: "awaiting_scan",
  login_expired: "login_expired",
  pair_success: "pairing",
  pair_error: "failed",
  scanned_without_multidevice: "phone",
  passkey_required: "passkey_required",
  whatsapp_connected: "connected",
  whatsapp_disconnected: "reconnecting",
  stream_error: "degraded",
  keepalive_timeout: "degraded",
  keepalive_restored: "connected",
  stream_replaced: "replaced",
  logged_out: "logged_out",
  temporary_ban: "banned",
  connect_failure: "reconnecting",
  client_outdated: "outdated",
  offline_sync: "msg",
  created: "plus",
  deleted: "trash",
  updated: "info",
  task_failed: "alert",
  message: "msg",
  receipt: "checks",
  reaction: "msg",
  edited: "msg",
  revoked: "x",
  undecryptable: "q",
  send_result: "send",
  history: "clock",
  presence: "info",
  group: "bots",
  call: "phone",
};
const TONES: { readonly [type: string]: Tone } = {
  pair_success: "ok",
  whatsapp_connected: "ok",
  keepalive_restored: "ok",
  login_expired: "you",
  pair_error: "stop",
  passkey_required: "you",
  stream_replaced: "you",
  logged_out: "you",
  temporary_ban: "stop",
  client_outdated: "stop",
  connect_failure: "heal",
  keepalive_timeout: "heal",
  whatsapp_disconnected: "heal",
  stream_error: "heal",
  scanned_without_multidevice: "you",
  task_failed: "stop",
};
/** Statuses that are trouble when a bot enters them. */
const TROUBLE = new Set([
  "degraded",
  "replaced",
  "logged_out",
  "banned",
  "blocked",
  "outdated",
  "failed",
  "passkey_required",
]);
const PROBLEMS = new Set([
  "pair_error",
  "passkey_required",
  "logged_out",
  "temporary_ban",
  "connect_failure",
  "client_outdated",
  "keepalive_timeout",
  "stream_replaced",
  "task_failed",
  "undecryptable",
  "scanned_without_multidevice",
]);

/** How one frame is told; `before` is the bot's status before it, when known. */
export function eventLine(frame: Frame, before: string | null = null, people: People = NOBODY): EventLine {
  const data = dataOf(frame);
  const status = frame.type === "status" || frame.type === "created" ? String(data.status ?? frame.status ?? "") : "";
  const known = status in STATUSES.status ? STATUSES.status[status as keyof typeof STATUSES.status] : null;
  const failed = frame.type === "send_result" && data.state === "failed";
  const expected = frame.type === "stream_error" && data.expected === true;
  return {
    icon: frame.type === "status" && known ? iconOfStatus(status) : failed ? "alert" : (ICONS[frame.type] ?? "info"),
    tone: frame.type === "status" ? (known?.tone ?? "stop") : failed ? "stop" : (TONES[frame.type] ?? "off"),
    text: textOf(frame, data, before, people),
    topic: frame.event === "message_sync" ? (frame.type === "send_result" ? "sends" : "messages") : "link",
    problem:
      failed ||
      TROUBLE.has(status) ||
      (PROBLEMS.has(frame.type) && !expected) ||
      (frame.type === "stream_error" && !expected),
  };
}

function iconOfStatus(status: string): IconName {
  return status === "stopping" ? "stopped" : (status as IconName);
}

function textOf(frame: Frame, data: Data, before: string | null, people: People): string {
  const filled = values(frame, data, before, people);
  const variant = variantOf(frame, data, before);
  const template = TEXTS[`${variant}, ${AMOUNTS[filled.n] ?? "many"}`] ?? TEXTS[variant] ?? TEXTS[frame.type];
  return template === undefined ? frame.type.replaceAll("_", " ") : fill(template, filled);
}

/** How many, where a text has words of its own for it. */
const AMOUNTS: { readonly [n: number]: string } = { 0: "none", 1: "one" };

function variantOf(frame: Frame, data: Data, before: string | null): string {
  switch (frame.type) {
    case "status":
      if (before !== null && before !== data.status) return "status";
      return before !== null && whyOf(data) ? "status, why" : "status, now";
    case "stream_error":
      return data.expected === true ? "stream_error, expected" : "stream_error, other";
    case "message":
      return data.fromMe === true ? "message, out" : "message, in";
    case "receipt":
      return data.fromMe === true ? "receipt, own" : `receipt, ${String(data.kind)}`;
    case "send_result":
      return `send_result, ${String(data.state)}`;
    case "offline_sync":
      return data.done === true ? "offline_sync, done" : "offline_sync";
    default:
      return frame.type;
  }
}

function values(frame: Frame, data: Data, before: string | null, people: People): Values & { readonly n: number } {
  const account = data.account as { readonly phone?: string } | null | undefined;
  const error = data.error as { readonly code?: string; readonly text?: string } | null | undefined;
  return {
    from: labelOf(before ?? ""),
    to: labelOf(String(data.status ?? frame.status ?? "")),
    why: whyOf(data),
    name: whoOf(data, people),
    kind: kindOf(data),
    phone: account?.phone ? shortened(account.phone) : "",
    code: String(data.code ?? ""),
    text: String(data.text ?? ""),
    reason: reasonOf(frame, data),
    n: Number(data.errorCount ?? data.count ?? 0),
    index: String(data.index ?? ""),
    of: String(data.of ?? ""),
    count: Number(data.count ?? 0),
    time: typeof data.until === "number" ? clock(data.until, frame.at) : "",
    cause: banCause(typeof data.code === "number" ? data.code : null),
    error: error?.text ?? sendError(error?.code),
    emoji: String(data.emoji ?? ""),
    task: String(data.task ?? ""),
    presence: String(data.state ?? data.presence ?? ""),
    group: typeof data.chatName === "string" ? data.chatName : EVENTS.other.aGroup,
    change: changesOf(data),
  };
}

/** The reason of a bot's status, which may change while the status stays. */
function whyOf(data: Data): string {
  const reason = data.reason as { readonly text?: string } | string | null | undefined;
  return typeof reason === "object" ? (reason?.text?.replace(/\.$/, "") ?? "") : "";
}

function changesOf(data: Data): string {
  const changes = Array.isArray(data.changes) ? (data.changes as ReadonlyArray<{ readonly action?: string }>) : [];
  return changes.map((change) => String(change.action ?? "").replaceAll("_", " ")).join(", ") || EVENTS.other.changed;
}

function reasonOf(frame: Frame, data: Data): string {
  if (frame.type === "pair_error") return PAIR_ERRORS[data.code as keyof typeof PAIR_ERRORS]?.text ?? "";
  const reason = data.reason;
  if (typeof reason === "object" && reason !== null && "text" in reason) return String(reason.text);
  return REASONS[reason as keyof typeof REASONS]?.text ?? String(reason ?? "").replaceAll("_", " ");
}

function sendError(code: string | undefined): string {
  return SEND_ERRORS[code as keyof typeof SEND_ERRORS]?.text ?? String(code ?? "");
}

/** Names of people and groups by each form of their address, learned from what came before. */
export type People = ReadonlyMap<string, string>;
const NOBODY: People = new Map();

/** What a frame tells about who is who, put into `people`. */
export function learn(people: Map<string, string>, frame: Frame): void {
  if (frame.event !== "message_sync") return;
  const data = dataOf(frame);
  const phone = ofAddress(typeof data.chatPn === "string" ? data.chatPn : null);
  if (phone !== null && typeof data.chat === "string" && !people.has(data.chat))
    people.set(data.chat, shortened(phone));
  if (frame.type !== "message") return;
  const put = (address: unknown, name: unknown) => {
    if (typeof address === "string" && typeof name === "string" && name !== "") people.set(address, name);
  };
  if (data.fromMe !== true) {
    for (const address of [data.sender, data.senderPn]) put(address, data.pushName);
  }
  for (const address of [data.chat, data.chatPn]) put(address, data.chatName);
}

/** A person or chat as a log line names them: their name, else a shortened number. */
function whoOf(data: Data, people: People): string {
  const own = data.fromMe === true;
  const forms = own ? [] : [data.senderPn, data.sender];
  const addresses = [...forms, data.chatPn, data.chat, data.to].filter((form) => typeof form === "string");
  const name = own ? data.chatName : (data.pushName ?? data.chatName);
  if (typeof name === "string" && name !== "") return name;
  const known = addresses.map((address) => people.get(address)).find((one) => one !== undefined);
  if (known !== undefined) return known;
  const phone = addresses.map(phoneOf).find((one) => one !== null);
  if (phone) return shortened(phone);
  return addresses.some((address) => address.endsWith("@g.us")) ? EVENTS.other.group : EVENTS.other.somebody;
}

function phoneOf(address: string): string | null {
  return ofAddress(address) ?? (/^\+?\d{5,15}$/.test(address) ? address : null);
}

function kindOf(data: Data): string {
  const media = data.media as { readonly size?: number | null } | null | undefined;
  const kind = String(data.kind ?? "text").replaceAll("_", " ");
  return media?.size ? `${kind}, ${bytes(media.size)}` : kind;
}

function labelOf(status: string): string {
  const known: { readonly [status: string]: { readonly label: string } } = STATUSES.status;
  return known[status]?.label.replace(" until {time}", "") ?? status;
}

function dataOf(frame: Frame): Data {
  return typeof frame.data === "object" && frame.data !== null ? (frame.data as Data) : {};
}

/** Whether a frame only repeats what another one tells: a send's later states come as receipts too. */
export function isRepetition(frame: Frame): boolean {
  if (frame.type !== "send_result") return false;
  const { state } = dataOf(frame);
  return state === "delivered" || state === "read";
}

/** Whether a line is among what was asked for. */
export function matches(line: EventLine, topic: Topic | "problems" | "all", words: string): boolean {
  if (topic === "problems" ? !line.problem : topic !== "all" && line.topic !== topic) return false;
  return words === "" || line.text.toLowerCase().includes(words.toLowerCase());
}

const HIDDEN = new Set([
  "text",
  "caption",
  "svg",
  "qr",
  "thumbnail",
  "contacts",
  "location",
  "poll",
  "token",
  "phone",
  "jid",
  "lid",
  "vcard",
]);

/** A frame as JSON for people who look closely: bodies, codes and keys left out, numbers shortened. */
export function details(frame: Frame): string {
  const { event: _, ...shown } = frame;
  return JSON.stringify(
    shown,
    (key, value: unknown) => {
      const error = frame.type === "stream_error" && key === "text";
      if (HIDDEN.has(key) && !error && typeof value !== "number") return value == null ? value : "…";
      if (key === "code" && frame.type === "pairing_code") return "…";
      return typeof value === "string" ? value.replace(/\d{7,15}(?=@|$)/g, (digits) => shortened(digits)) : value;
    },
    2,
  );
}
