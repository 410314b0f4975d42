/**
 * Which tab of a browser holds the user's socket: (state, event, now) → state and effects. Pure.
 *
 * Three ways, by what the browser has. `locks`: the browser's own lock elects, and frees it when a tab ends; a tab that
 * holds it and answers nobody is dispossessed. `beats` (no Web Locks: a plain-http address): tabs claim by message, an
 * older claim wins. `alone` (no channel between tabs): every tab for itself, the server refuses the second.
 *
 * A holder is alive when it answers a ping: answering is not slowed down in hidden tabs, timers are. A term rises with
 * every change of holder: what an old one still says is known by it. It must never know a lock or a channel:
 * `tabs.ts` carries the effects out.
 */

export type Mode = "locks" | "beats" | "alone";

export interface Election {
  readonly mode: Mode;
  readonly me: string;
  readonly role: "out" | "seeking" | "claiming" | "follower" | "holder";
  /** The greatest term heard of, or mine. */
  readonly term: number;
  /** Who holds, as far as this tab knows; null when nobody or when it is this one. */
  readonly holder: string | null;
  /** Since when a ping is unanswered. */
  readonly pinged: number | null;
  /** When this tab last looked: a look that comes late proves nothing about others. */
  readonly looked: number;
  /** When the present role began. */
  readonly since: number;
}

export type Said = "hello" | "holding" | "claim" | "ping" | "bye";

export type ElectionEvent =
  | { readonly kind: "enter" }
  | { readonly kind: "leave" }
  | { readonly kind: "granted" }
  /** The lock was taken away from this tab. */
  | { readonly kind: "stolen" }
  | { readonly kind: "heard"; readonly from: string; readonly term: number; readonly said: Said }
  /** Look around; `watching` when somebody looks at this tab (a hidden one need not find out). */
  | { readonly kind: "look"; readonly watching: boolean }
  /** This tab's socket was continued by another tab. */
  | { readonly kind: "yield" };

export type ElectionEffect =
  | { readonly kind: "say"; readonly said: Said }
  | { readonly kind: "lock"; readonly how: "queue" | "steal" | "release" }
  /** This tab holds from now on; `heir` when another one did before it. */
  | { readonly kind: "hold"; readonly heir: boolean }
  | { readonly kind: "follow" }
  /** Another tab held at the same time and steps back: it may have had the connection. */
  | { readonly kind: "prevail" };

export type ElectionStep = readonly [Election, ReadonlyArray<ElectionEffect>];

/** How often a tab looks around. */
export const LOOK_MS = 500;
/** An unanswered ping makes a holder suspect after this long. */
const PATIENCE_MS = 2_000;
/** A look later than this was held up by this tab itself. */
const LATE_MS = 1_500;
/** What a holder gets to answer `hello`, and other claimants to object. */
const HEAR_MS = 400;

export function outside(mode: Mode, me: string): Election {
  return { mode, me, role: "out", term: 0, holder: null, pinged: null, looked: 0, since: 0 };
}

const HOLDING: ElectionEffect = { kind: "say", said: "holding" };

/** The next state and what to do, in order. */
export function elect(state: Election, event: ElectionEvent, now: number): ElectionStep {
  switch (event.kind) {
    case "enter":
      return state.role === "out" ? enter(state, now) : [state, []];
    case "leave":
      return state.role === "out" ? [state, []] : leave(state);
    case "granted":
      return state.role === "out" ? [state, [{ kind: "lock", how: "release" }]] : hold(state, now);
    case "stolen":
    case "yield":
      return state.role === "holder" && state.mode !== "alone"
        ? depose(state, event.kind === "stolen", now)
        : [state, []];
    case "heard":
      return state.role === "out" || event.from === state.me ? [state, []] : heard(state, event, now);
    case "look":
      return look(state, event.watching, now);
  }
}

function enter(state: Election, now: number): ElectionStep {
  if (state.mode === "alone") return hold({ ...state, looked: now }, now);
  const next: Election = { ...state, role: "seeking", holder: null, pinged: now, looked: now, since: now };
  const lock: ElectionEffect[] = state.mode === "locks" ? [{ kind: "lock", how: "queue" }] : [];
  return [next, [...lock, { kind: "say", said: "hello" }]];
}

function leave(state: Election): ElectionStep {
  const effects: ElectionEffect[] = [];
  if (state.role === "holder") effects.push({ kind: "follow" }, { kind: "say", said: "bye" });
  if (state.mode === "locks") effects.push({ kind: "lock", how: "release" });
  return [{ ...state, role: "out", holder: null, pinged: null }, effects];
}

function hold(state: Election, now: number): ElectionStep {
  if (state.role === "holder") return [state, []];
  const next: Election = { ...state, role: "holder", term: state.term + 1, holder: null, pinged: null, since: now };
  return [next, [{ kind: "hold", heir: state.term > 0 }, HOLDING]];
}

function depose(state: Election, lockLost: boolean, now: number): ElectionStep {
  const next: Election = { ...state, role: "follower", holder: null, pinged: now, looked: now, since: now };
  const locks: ElectionEffect[] = [];
  if (state.mode === "locks") {
    if (!lockLost) locks.push({ kind: "lock", how: "release" });
    locks.push({ kind: "lock", how: "queue" });
  }
  return [next, [{ kind: "follow" }, ...locks, { kind: "say", said: "hello" }]];
}

interface Heard {
  readonly from: string;
  readonly term: number;
  readonly said: Said;
}

function heard(state: Election, { from, term, said }: Heard, now: number): ElectionStep {
  switch (said) {
    case "hello":
    case "ping":
      return state.role === "holder" ? [state, [HOLDING]] : [state, []];
    case "holding":
      return heardHolder(state, from, term, now);
    case "claim":
      return heardClaim(state, from, term, now);
    case "bye":
      return heardBye(state, from, term, now);
  }
}

/** Whether a claim of another tab goes before mine. Of two holders in one term the lock itself will tell. */
function goesBefore(state: Election, from: string, term: number): boolean {
  return term > state.term || (term === state.term && state.mode === "beats" && from < state.me);
}

function heardHolder(state: Election, from: string, term: number, now: number): ElectionStep {
  if (state.role === "holder") {
    if (!goesBefore(state, from, term)) return [state, [HOLDING, { kind: "prevail" }]];
    const [next, effects] = depose({ ...state, term }, false, now);
    return [{ ...next, holder: from, pinged: null }, effects];
  }
  // A claim makes its own term; a holder of the one before it is alive after all.
  if (term < state.term - (state.role === "claiming" ? 1 : 0)) return [state, []];
  return [{ ...state, role: "follower", term, holder: from, pinged: null }, []];
}

function heardClaim(state: Election, from: string, term: number, now: number): ElectionStep {
  if (state.role === "holder") return [state, [HOLDING]];
  if (state.role === "claiming" && !goesBefore(state, from, term)) return [state, []];
  // Whoever claims has waited: give it the time to become the holder.
  return [
    { ...state, role: "seeking", term: Math.max(term - 1, state.term), pinged: now, looked: now, since: now },
    [],
  ];
}

function heardBye(state: Election, from: string, term: number, now: number): ElectionStep {
  if (state.role === "holder" || (state.holder !== null && state.holder !== from) || term < state.term)
    return [state, []];
  const next: Election = { ...state, holder: null, pinged: now, looked: now, term };
  return state.mode === "beats" ? claim(next, now) : [next, []];
}

function claim(state: Election, now: number): ElectionStep {
  const next: Election = { ...state, role: "claiming", term: state.term + 1, holder: null, since: now, looked: now };
  return [next, [{ kind: "say", said: "claim" }]];
}

function look(before: Election, watching: boolean, now: number): ElectionStep {
  const late = now - before.looked > LATE_MS;
  const state: Election = { ...before, looked: now };
  switch (state.role) {
    case "out":
    case "holder":
      return [state, []];
    case "claiming":
      if (late) return claim({ ...state, term: state.term - 1 }, now);
      return now - state.since >= HEAR_MS ? hold({ ...state, term: state.term - 1 }, now) : [state, []];
    case "seeking":
    case "follower":
      if (state.mode === "alone") return [state, []];
      return watch(state, late, watching, now);
  }
}

/** Tabs lose patience one after the other: at most half a second apart. */
function spread(me: string): number {
  return ((me.codePointAt(me.length - 1) ?? 0) % 6) * 100;
}

/** Is the holder alive? */
function watch(state: Election, late: boolean, watching: boolean, now: number): ElectionStep {
  if (state.pinged === null || late) {
    return watching ? [{ ...state, pinged: now }, [{ kind: "say", said: "ping" }]] : [state, []];
  }
  const patience = state.mode === "beats" && state.role === "seeking" ? HEAR_MS : PATIENCE_MS;
  if (now - state.pinged < patience + spread(state.me)) return [state, []];
  if (state.mode === "beats") return claim(state, now);
  return [{ ...state, pinged: now }, [{ kind: "lock", how: "steal" }]];
}
