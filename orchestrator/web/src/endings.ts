/**
 * How a connection ended and what follows: tried again by itself and when, or not without a person. Pure.
 *
 * Owns the table of codes. Read `link.ts` for the machine around it.
 */
import { retryMs } from "./backoff.js";
import { ask, failedOnce, type LinkState, quiet, type Step, timer } from "./link.js";
import type { ConnectionState } from "./types.js";
import type { Ending } from "./wire.js";

/** A predecessor in another tab is given this long between two looks. */
const HEIR_RETRY_MS = 400;
/** A second `slow_consumer` within this time: replaying is too much, begin from the current state. */
const SLOW_AGAIN_MS = 60_000;

/** Codes after which only a person can go on, and what is shown. */
const FINAL: { readonly [code: string]: ConnectionState } = {
  unauthorized: "unauthorized",
  user_mismatch: "user_mismatch",
  already_connected: "already_connected",
  taken_over: "taken_over",
  revoked: "revoked",
};

/** Codes that are tried again by themselves and have words of their own. */
const PASSING: { readonly [code: string]: ConnectionState } = {
  too_many_attempts: "too_many_attempts",
  auth_unavailable: "auth_unavailable",
  server_draining: "server_draining",
};

/** The server refused the connection or closed it. */
export function onEnding(state: LinkState, ending: Ending, now: number, random: number): Step {
  const { code } = ending;
  if (code === "token_expired" && !state.refreshed) return ask({ ...state, refreshed: true }, "expired");
  if (code === "token_expired") return ended(state, "token_expired", ending);
  if (code === "superseded") {
    const [next, effects] = ended(state, "other_tab", ending);
    return [next, [...effects, { kind: "yield" }]];
  }
  if (code === "slow_consumer") return fellBehind(state, now, random);
  if (code === "max_age") return soon(state, "reconnecting", random * HEIR_RETRY_MS, now);
  if (code === "already_connected" && now < state.heirUntil) return soon(state, state.shown, HEIR_RETRY_MS, now);
  const passing = PASSING[code];
  if (passing !== undefined) return lost(state, passing, ending, now, random);
  const final = FINAL[code];
  if (final !== undefined) return ended(state, final, ending);
  if (ending.retryable) return lost(state, "reconnecting", ending, now, random);
  return ended(state, "stopped", ending);
}

/** Try again by itself: after what the server asked for, or the back-off. */
export function lost(
  state: LinkState,
  shown: ConnectionState,
  ending: Ending | null,
  now: number,
  random: number,
): Step {
  const failures = failedOnce(state, now);
  const base = { ...state, failures, code: ending?.code ?? null, liveSince: null, phase: "waiting" as const };
  if (!state.online) return [{ ...base, shown: "offline", retryAt: null }, quiet()];
  const ms = retryMs(ending?.retryAfterMs ?? null, failures, random);
  return [{ ...base, shown, retryAt: now + ms }, [...quiet(), timer("retry", ms)]];
}

function soon(state: LinkState, shown: ConnectionState, ms: number, now: number): Step {
  const next: LinkState = { ...state, phase: "waiting", shown, retryAt: now + ms, liveSince: null };
  return [next, [...quiet(), timer("retry", ms)]];
}

function fellBehind(state: LinkState, now: number, random: number): Step {
  const again = state.slowAt !== null && now - state.slowAt < SLOW_AGAIN_MS;
  const next: LinkState = { ...state, slowAt: now, fresh: again };
  return soon(next, again ? "slow_consumer" : "reconnecting", random * HEIR_RETRY_MS, now);
}

function ended(state: LinkState, shown: ConnectionState, ending: Ending): Step {
  const next: LinkState = {
    ...state,
    phase: "ended",
    shown,
    code: ending.code,
    elsewhereSince: ending.since,
    retryAt: null,
    liveSince: null,
    takeover: false,
  };
  return [next, quiet()];
}
