/**
 * The connection in plain words: a pill, a line where something is lost, a button. Pure: the time goes in.
 *
 * Read `types.ts` for the states, `link.ts` for who chooses among them.
 */
import type { Connection, ConnectionState, ConnectionWords } from "./types.js";

interface Row {
  readonly pill: string;
  readonly banner?: string;
  readonly button?: NonNullable<ConnectionWords["button"]>;
}

const LOST = "Not live. What you see is from {asOf}; changes are kept and will appear.";

const ROWS: { readonly [State in ConnectionState]: Row } = {
  idle: { pill: "Not connected" },
  connecting: { pill: "Connecting…" },
  live: { pill: "Live" },
  catching_up: { pill: "Catching up" },
  reconnecting: { pill: "Reconnecting in {left}", banner: LOST, button: "reconnect_now" },
  offline: {
    pill: "Offline",
    banner: "This device is offline. What you see is from {asOf}.",
    button: "reconnect_now",
  },
  other_tab: {
    pill: "Open in another tab",
    banner: "The connection is open in another tab of this browser.",
    button: "use_here",
  },
  already_connected: {
    pill: "Connected elsewhere",
    banner: "You are connected in another browser since {elsewhere}.",
    button: "use_here",
  },
  taken_over: {
    pill: "Moved elsewhere",
    banner: "Another browser took over at {since}. This page no longer updates.",
    button: "use_here",
  },
  token_expired: { pill: "Signed out", banner: "Your sign-in ran out.", button: "sign_in_again" },
  unauthorized: { pill: "Signed out", banner: "This sign-in is not accepted.", button: "sign_in_again" },
  revoked: { pill: "Signed out", banner: "Your access was withdrawn.", button: "sign_in_again" },
  user_mismatch: {
    pill: "Wrong account",
    banner: "This page belongs to another account than the one signed in.",
    button: "sign_in_again",
  },
  too_many_attempts: { pill: "Paused", banner: "Too many connection attempts. Next one at {retry}." },
  auth_unavailable: {
    pill: "Reconnecting in {left}",
    banner: "The sign-in service is not answering. Your bots keep running.",
    button: "reconnect_now",
  },
  server_draining: { pill: "Reconnecting in {left}", banner: "The server is restarting. Nothing is lost." },
  slow_consumer: {
    pill: "Catching up",
    banner: "This page fell behind and starts again from the current state.",
  },
  stopped: {
    pill: "Not connected",
    banner: "The server ended the connection ({code}). What you see is from {asOf}.",
    button: "reconnect_now",
  },
};

const BUTTONS = { reconnect_now: "Reconnect now", use_here: "Use here", sign_in_again: "Sign in again" } as const;

/**
 * What to show of a connection.
 *
 * @param now This machine's time, ms.
 * @param clock Writes a time of day, for example `new Date(ms).toLocaleTimeString()`; this is the default.
 */
export function connectionWords(
  connection: Connection,
  now: number,
  clock: (ms: number) => string = (ms) => new Date(ms).toLocaleTimeString([], { timeStyle: "short" }),
): ConnectionWords {
  const row = ROWS[connection.state];
  const at = (ms: number | null) => (ms === null ? null : clock(ms));
  const values: { readonly [name: string]: string | null } = {
    left: connection.retryAt === null ? null : timeLeft(connection.retryAt - now),
    asOf: at(connection.asOf),
    since: at(connection.since),
    elsewhere: at(connection.elsewhereSince === null ? null : connection.elsewhereSince - connection.offset),
    retry: at(connection.retryAt),
    code: connection.code,
  };
  const button = row.button ?? null;
  return {
    pill: filled(row.pill, values),
    banner: row.banner === undefined ? null : filled(row.banner, values),
    button,
    buttonText: button === null ? null : BUTTONS[button],
  };
}

/** Seconds or minutes, rounded up. */
function timeLeft(ms: number): string {
  const seconds = Math.max(0, Math.ceil(ms / 1000));
  return seconds < 90 ? `${seconds} s` : `${Math.ceil(seconds / 60)} min`;
}

/** The text with its values; a clause whose value is not known is left out, "Reconnecting in {left}" is "Reconnecting…". */
function filled(text: string, values: { readonly [name: string]: string | null }): string {
  const parts = text.split(/(?<=\.) /).map((sentence) => {
    const missing = [...sentence.matchAll(/\{(\w+)\}/g)].some(([, name]) => values[name ?? ""] == null);
    if (missing)
      return sentence.replace(/( \(\{\w+\}\)| (in|at|since) \{\w+\})/, "").replace(/^Reconnecting$/, "Reconnecting…");
    return sentence.replace(/\{(\w+)\}/g, (_, name: string) => values[name] ?? "");
  });
  return parts.filter((sentence) => !sentence.includes("{")).join(" ");
}
