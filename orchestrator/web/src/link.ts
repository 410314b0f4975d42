/**
 * One user's socket as a state machine: (state, event, now) → state and effects. Pure.
 *
 * Owns when to connect, with what, and when not to come back by itself. It must never know a socket, a timer or a tab:
 * `holder.ts` carries the effects out. How a connection ends is in `endings.ts`.
 */
import { HEALTHY_MS } from "./backoff.js";
import { lost, onEnding } from "./endings.js";
import type { ConnectionState, TokenReason } from "./types.js";
import type { Ending } from "./wire.js";

/** Nothing heard for this long (the server pings every 25 s) is a connection that may be dead. */
export const SILENT_MS = 35_000;
/** What a connection that may be dead gets to answer. */
const PROBE_MS = 2_500;
/** From asking for the connection to `ready`: the server probes a predecessor for at most 5 s, and may ask an issuer. */
const OPEN_MS = 30_000;

export interface LinkState {
  readonly phase: "off" | "token" | "opening" | "open" | "waiting" | "ended";
  readonly shown: ConnectionState;
  readonly code: string | null;
  readonly elsewhereSince: number | null;
  /** When the next try begins by itself. */
  readonly retryAt: number | null;
  /** Failures in a row. */
  readonly failures: number;
  /** Since when everything is applied; null while not live. */
  readonly liveSince: number | null;
  readonly heardAt: number;
  /** A fresh token has been asked for since the last time it was live: a second refusal is final. */
  readonly refreshed: boolean;
  /** A person asked to move the connection here. */
  readonly takeover: boolean;
  /** Begin from the current state: replaying was too much. */
  readonly fresh: boolean;
  readonly slowAt: number | null;
  readonly online: boolean;
  /** Until then a predecessor in another tab may not have let go yet: being refused for it is not believed. */
  readonly heirUntil: number;
  /** Tells tokens that were asked for earlier from the one that is waited for. */
  readonly asked: number;
}

export type LinkEvent =
  | { readonly kind: "start"; readonly heir: boolean; readonly inherited: Shown | null }
  | { readonly kind: "stop" }
  | { readonly kind: "token"; readonly asked: number; readonly token: string | null }
  | { readonly kind: "no_token"; readonly asked: number }
  | { readonly kind: "ready" }
  | { readonly kind: "caught_up" }
  | { readonly kind: "heard" }
  | { readonly kind: "refused"; readonly ending: Ending }
  | { readonly kind: "closing"; readonly ending: Ending }
  /** The transport failed or closed without a word; `final` when the server ended the session itself. */
  | { readonly kind: "lost"; readonly final: boolean }
  | { readonly kind: "due"; readonly timer: TimerName }
  | { readonly kind: "network"; readonly online: boolean }
  /** The page is seen again, or the machine woke up. */
  | { readonly kind: "awake" }
  /** Another tab of this browser, which may have had the connection, lets go of it. */
  | { readonly kind: "prevail" }
  | { readonly kind: "reconnect" }
  | { readonly kind: "use_here" };

/** What a terminal state of a former holder shows: a new one does not try by itself what that one did not. */
export interface Shown {
  readonly shown: ConnectionState;
  readonly code: string | null;
  readonly elsewhereSince: number | null;
}

export type TimerName = "retry" | "open" | "silence" | "probe";

export type Effect =
  | { readonly kind: "token"; readonly reason: TokenReason; readonly asked: number }
  | { readonly kind: "open"; readonly token: string; readonly takeover: boolean; readonly fresh: boolean }
  | { readonly kind: "close" }
  /** Ask for a replay from where we stand: an answer proves life. */
  | { readonly kind: "probe" }
  | { readonly kind: "timer"; readonly timer: TimerName; readonly ms: number | null }
  /** Another tab of this browser goes on with the connection. */
  | { readonly kind: "yield" };

export type Step = readonly [LinkState, ReadonlyArray<Effect>];

export const OFF: LinkState = {
  phase: "off",
  shown: "idle",
  code: null,
  elsewhereSince: null,
  retryAt: null,
  failures: 0,
  liveSince: null,
  heardAt: 0,
  refreshed: false,
  takeover: false,
  fresh: false,
  slowAt: null,
  online: true,
  heirUntil: 0,
  asked: 0,
};

const HEIR_MS = 10_000;

/** The next state and what to do, in order. `random` is from 0 to 1. */
export function step(state: LinkState, event: LinkEvent, now: number, random: number): Step {
  switch (event.kind) {
    case "start":
      return start(state, event.heir, event.inherited, now);
    case "stop":
      return [{ ...OFF, online: state.online, asked: state.asked }, quiet()];
    case "token":
      return onToken(state, event.asked, event.token);
    case "no_token":
      return event.asked === state.asked && state.phase === "token"
        ? lost(state, "auth_unavailable", null, now, random)
        : [state, []];
    case "ready":
      return onReady(state, now);
    case "caught_up":
      return state.phase === "open" && state.liveSince === null
        ? [{ ...state, shown: "live", liveSince: now, heardAt: now }, [timer("probe", null)]]
        : [{ ...state, heardAt: now }, []];
    case "heard":
      return [{ ...state, heardAt: now }, []];
    case "refused":
    case "closing":
      return state.phase === "opening" || state.phase === "open"
        ? onEnding(state, event.ending, now, random)
        : [state, []];
    case "lost":
      return onLost(state, event.final, now, random);
    case "due":
      return onDue(state, event.timer, now, random);
    case "network":
      return onNetwork({ ...state, online: event.online }, now);
    case "awake":
      return onAwake(state, now);
    case "prevail":
      return onPrevail({ ...state, heirUntil: now + HEIR_MS });
    case "reconnect":
      return state.phase === "ended" || (state.phase === "waiting" && state.shown !== "too_many_attempts")
        ? ask({ ...state, failures: 0, refreshed: false }, "connect")
        : [state, []];
    case "use_here":
      return state.phase === "open"
        ? [state, []]
        : ask({ ...state, takeover: true, failures: 0, refreshed: false }, "connect");
  }
}

export function timer(name: TimerName, ms: number | null): Effect {
  return { kind: "timer", timer: name, ms };
}

/** Nothing runs any more. */
export function quiet(): ReadonlyArray<Effect> {
  return [timer("retry", null), timer("open", null), timer("silence", null), timer("probe", null), { kind: "close" }];
}

/** Begin a try with its token. */
export function ask(state: LinkState, reason: TokenReason, shown: ConnectionState | null = null): Step {
  const asked = state.asked + 1;
  const passing = state.shown === "idle" || state.shown === "connecting" ? "connecting" : "reconnecting";
  const next: LinkState = {
    ...state,
    phase: "token",
    shown: shown ?? passing,
    code: null,
    retryAt: null,
    liveSince: null,
    asked,
  };
  return [next, [...quiet(), { kind: "token", reason, asked }]];
}

function start(state: LinkState, heir: boolean, inherited: Shown | null, now: number): Step {
  if (inherited !== null) {
    return [{ ...OFF, ...inherited, phase: "ended", online: state.online, asked: state.asked }, []];
  }
  const begun = { ...OFF, online: state.online, asked: state.asked, heirUntil: heir ? now + HEIR_MS : 0 };
  return state.online ? ask(begun, "connect") : [{ ...begun, phase: "waiting", shown: "offline" }, []];
}

function onToken(state: LinkState, asked: number, token: string | null): Step {
  if (asked !== state.asked || state.phase !== "token") return [state, []];
  if (token === null) return [{ ...state, phase: "ended", shown: "token_expired", retryAt: null }, quiet()];
  const open: Effect = { kind: "open", token, takeover: state.takeover, fresh: state.fresh };
  return [{ ...state, phase: "opening" }, [open, timer("open", OPEN_MS)]];
}

function onReady(state: LinkState, now: number): Step {
  if (state.phase !== "opening") return [state, []];
  const next: LinkState = {
    ...state,
    phase: "open",
    shown: state.shown === "slow_consumer" ? "slow_consumer" : "catching_up",
    code: null,
    elsewhereSince: null,
    heardAt: now,
    refreshed: false,
    takeover: false,
    fresh: false,
    heirUntil: 0,
  };
  return [next, [timer("open", null), timer("silence", SILENT_MS)]];
}

function onLost(state: LinkState, final: boolean, now: number, random: number): Step {
  if (state.phase !== "opening" && state.phase !== "open") return [state, []];
  if (final) return [{ ...state, phase: "ended", shown: "stopped", liveSince: null }, quiet()];
  return lost(state, "reconnecting", null, now, random);
}

function onDue(state: LinkState, name: TimerName, now: number, random: number): Step {
  switch (name) {
    case "retry":
      return state.phase === "waiting" ? ask(state, "connect", keepsWords(state) ? state.shown : null) : [state, []];
    case "open":
      return state.phase === "opening" ? lost(state, "reconnecting", null, now, random) : [state, []];
    case "probe":
      return state.phase === "open" ? ask(state, "connect") : [state, []];
    case "silence":
      if (state.phase !== "open") return [state, []];
      if (now - state.heardAt >= SILENT_MS) return probe(state);
      return [state, [timer("silence", Math.max(1_000, state.heardAt + SILENT_MS - now))]];
  }
}

/** A page that fell behind says so until it has caught up. */
function keepsWords(state: LinkState): boolean {
  return state.shown === "slow_consumer";
}

function probe(state: LinkState): Step {
  if (state.liveSince === null) return ask(state, "connect");
  const next: LinkState = { ...state, shown: "catching_up", liveSince: null };
  return [next, [{ kind: "probe" }, timer("probe", PROBE_MS), timer("silence", SILENT_MS)]];
}

function onNetwork(state: LinkState, now: number): Step {
  if (state.phase === "off" || state.phase === "ended") return [state, []];
  if (!state.online) {
    return [{ ...state, phase: "waiting", shown: "offline", retryAt: null, liveSince: null }, quiet()];
  }
  return state.phase === "waiting" && state.shown === "offline"
    ? ask({ ...state, failures: 0 }, "connect")
    : onAwake(state, now);
}

function onAwake(state: LinkState, now: number): Step {
  if (state.phase === "open" && state.liveSince !== null && now - state.heardAt >= SILENT_MS) return probe(state);
  const overdue = state.retryAt !== null && now >= state.retryAt;
  if (state.phase === "waiting" && (overdue || state.shown === "reconnecting")) return ask(state, "connect");
  return [state, []];
}

/** What another tab of this browser had was no other browser's. */
function onPrevail(state: LinkState): Step {
  return state.phase === "ended" && state.shown === "already_connected" ? ask(state, "connect") : [state, []];
}

/** Failures in a row, one more; a connection that was well for a while begins anew. */
export function failedOnce(state: LinkState, now: number): number {
  const healthy = state.liveSince !== null && now - state.liveSince >= HEALTHY_MS;
  return (healthy ? 0 : state.failures) + 1;
}
