/**
 * Templates, times, numbers and phone numbers as people read them. Pure; the language is English, the zone the user's.
 *
 * Every function of a time takes `now`. Owns no text of its own beyond units.
 */

export type Values = { readonly [name: string]: string | number };

/** The template with its {names} filled in; a name without a value stays visible. */
export function fill(template: string, values: Values = {}): string {
  return template.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

/** `one` or `many` of a template pair, with {n} filled in. */
export function plural(n: number, forms: { readonly one: string; readonly many: string }, values: Values = {}): string {
  return fill(n === 1 ? forms.one : forms.many, { n: number(n), ...values });
}

/** 12,345 */
export function number(n: number): string {
  return n.toLocaleString("en-GB");
}

const TIME = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", hour12: false });
const SECONDS = new Intl.DateTimeFormat("en-GB", {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hour12: false,
});
const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const DATE = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });
const WEEKDAY = new Intl.DateTimeFormat("en-GB", { weekday: "long" });

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY_MS = 24 * HOUR;

/** 18:40 within a day, else 3 Nov, 18:40. */
export function clock(at: number, now: number): string {
  return Math.abs(at - now) < DAY_MS ? TIME.format(at) : `${DAY.format(at)}, ${TIME.format(at)}`;
}

/** 10:41:07 */
export function clockSeconds(at: number): string {
  return SECONDS.format(at);
}

/** 10:41:07.882 */
export function clockMillis(at: number): string {
  return `${SECONDS.format(at)}.${String(((at % SECOND) + SECOND) % SECOND).padStart(3, "0")}`;
}

/** 3 Nov */
export function day(at: number): string {
  return DAY.format(at);
}

/** 3 Nov 2026 */
export function date(at: number): string {
  return DATE.format(at);
}

/** The moment in UTC, for titles. */
export function utc(at: number): string {
  return `${new Date(at).toISOString().replace("T", " ").slice(0, 19)} UTC`;
}

/** Today, Yesterday, Monday, 3 Nov 2026: the day a message stands under. */
export function dayName(at: number, now: number): string {
  const days = Math.round((midnight(now) - midnight(at)) / DAY_MS);
  if (days === 0) return "Today";
  if (days === 1) return "Yesterday";
  return days > 0 && days < 7 ? WEEKDAY.format(at) : DATE.format(at);
}

/** The local midnight before a moment. */
export function midnight(at: number): number {
  return new Date(at).setHours(0, 0, 0, 0);
}

/** 14 s, 3 min, 1 h 29 min, 5 d: how long, told as coarsely as it is long. */
export function span(ms: number): string {
  const whole = Math.max(0, ms);
  if (whole < MINUTE) return `${Math.floor(whole / SECOND)} s`;
  if (whole < HOUR) return `${Math.floor(whole / MINUTE)} min`;
  if (whole < DAY_MS) {
    const minutes = Math.floor((whole % HOUR) / MINUTE);
    return minutes ? `${Math.floor(whole / HOUR)} h ${minutes} min` : `${Math.floor(whole / HOUR)} h`;
  }
  return `${Math.floor(whole / DAY_MS)} d`;
}

/** What is left, counted up to whole seconds so that it never says 0 before it is: 60 s, 1 min 52 s, 7 h 59 min. */
export function left(until: number, now: number): string {
  const seconds = secondsLeft(until, now);
  if (seconds <= 60) return `${seconds} s`;
  if (seconds < 600) return seconds % 60 ? `${Math.floor(seconds / 60)} min ${seconds % 60} s` : `${seconds / 60} min`;
  return span(seconds * SECOND);
}

export function secondsLeft(until: number, now: number): number {
  return Math.max(0, Math.ceil((until - now) / SECOND));
}

/** 60, 1:52, or 59m: what stands in a ring. */
export function short(seconds: number): string {
  if (seconds >= 600) return `${Math.floor(seconds / 60)}m`;
  return seconds < 100 ? String(seconds) : `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

/** 214 kB */
export function bytes(n: number): string {
  if (n < 1000) return `${n} B`;
  if (n < 1_000_000) return `${Math.round(n / 1000)} kB`;
  return `${(n / 1_000_000).toFixed(n < 10_000_000 ? 1 : 0)} MB`;
}

/** 0:14 */
export function playing(seconds: number): string {
  return `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
}

/** SB for Support Berlin; the first digits of a number. */
export function initials(name: string): string {
  const words = name.replace(/^\+/, "").trim().split(/\s+/);
  const letters = words.slice(0, 2).map((word) => [...word][0] ?? "");
  const joined = letters.join("").toUpperCase();
  return /^\d/.test(joined) ? name.replace(/\D/g, "").slice(0, 2) : joined || "?";
}

/** 7KQ4-MX2P as it is read out: 7 K Q 4, dash, M X 2 P. */
export function spelled(code: string): string {
  return code
    .split("-")
    .map((half) => [...half].join(" "))
    .join(", dash, ");
}
