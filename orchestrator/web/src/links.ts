/**
 * What a bot's link attempt offers, and when a code must go. Pure.
 *
 * Never a code that may be stale: removing one is more urgent than showing one. Read `state.ts` for who asks.
 */
import type { Bot } from "./generated.js";
import type { Code, Frame, LinkAttempt, State } from "./types.js";

/** Events of a link attempt that a person is told about. */
const NOTICES = new Set([
  "scanned_without_multidevice",
  "passkey_required",
  "pair_success",
  "pair_error",
  "login_expired",
]);

/** After one of these the attempt offers nothing any more, whatever arrives late. */
const ENDS_CODES = new Set(["passkey_required", "pair_success", "pair_error", "login_expired"]);

/** The attempt after its bot's record changed; undefined when there is nothing to say. */
export function onBot(before: LinkAttempt | undefined, bot: Bot): LinkAttempt | undefined {
  const attempt = bot.link?.attempt;
  if (attempt !== undefined && (before === undefined || attempt > before.attempt)) {
    return { attempt, code: null, notice: null };
  }
  if (before === undefined || (attempt === undefined && before.code === null && before.notice === null))
    return undefined;
  const stale =
    before.code !== null && bot.status !== "awaiting_scan" && bot.statusVersion >= before.code.statusVersion;
  return stale ? { ...before, code: null } : before;
}

/** The attempt after a `qr` or `pairing_code`; null when the frame is neither or the code must not be shown. */
export function onCode(
  before: LinkAttempt | undefined,
  bot: Bot | undefined,
  frame: Frame,
  serverNow: number,
): LinkAttempt | null {
  const code = readCode(frame);
  if (code === null || code.expiresAt <= serverNow) return null;
  const known = Math.max(before?.attempt ?? 0, bot?.link?.attempt ?? 0);
  if (code.attempt < known) return null;
  // Announcements may overtake the record they were made under: only a record as new as they are can void them.
  if (bot !== undefined && bot.status !== "awaiting_scan" && bot.statusVersion >= code.statusVersion) return null;
  const same = before !== undefined && before.attempt === code.attempt ? before : null;
  if (same?.notice && ENDS_CODES.has(same.notice.type)) return null;
  if (same?.code?.kind === "qr" && code.kind === "qr" && code.index < same.code.index) return null;
  return { attempt: code.attempt, code, notice: same?.notice ?? null };
}

/** The attempt after any other event of the link. */
export function onNotice(before: LinkAttempt | undefined, bot: Bot | undefined, frame: Frame): LinkAttempt | undefined {
  if (!NOTICES.has(frame.type)) return before;
  const attempt = bot?.link?.attempt ?? before?.attempt;
  if (attempt === undefined || (before !== undefined && attempt < before.attempt)) return before;
  const notice = { type: frame.type, at: frame.at, data: frame.data };
  const code = before?.attempt === attempt && !ENDS_CODES.has(frame.type) ? before.code : null;
  return { attempt, code, notice };
}

/** The attempts without their codes, or without those that have expired by the server's clock. */
export function withoutCodes(links: State["links"], expiredAt: number | null): State["links"] {
  const stale = Object.entries(links).filter(
    ([, link]) => link.code !== null && (expiredAt === null || link.code.expiresAt <= expiredAt),
  );
  if (stale.length === 0) return links;
  return { ...links, ...Object.fromEntries(stale.map(([bot, link]) => [bot, { ...link, code: null }])) };
}

/** When the next code expires, by the server's clock; null when none is shown. */
export function nextExpiry(links: State["links"]): number | null {
  const ends = Object.values(links).flatMap((link) => (link.code === null ? [] : [link.code.expiresAt]));
  return ends.length === 0 ? null : Math.min(...ends);
}

function readCode(frame: Frame): Code | null {
  const kind = frame.type;
  if (kind !== "qr" && kind !== "pairing_code") return null;
  const data = frame.data as Partial<Record<string, unknown>> | null;
  if (typeof data?.attempt !== "number" || typeof data.expiresAt !== "number") return null;
  if (typeof (kind === "qr" ? data.svg : data.code) !== "string") return null;
  return { ...data, kind, statusVersion: frame.statusVersion ?? 0 } as Code;
}
