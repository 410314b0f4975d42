/**
 * The connection as it is shown: from the socket's state, what was before, and what was missed. Pure.
 *
 * Read `words.ts` for the words.
 */
import type { LinkState, Shown } from "./link.js";
import type { Away, Connection } from "./types.js";

/** Offsets closer than this are the same: nothing is rendered again for it. */
const OFFSET_STEP_MS = 250;

/** States a new holder does not try to leave by itself, since the former one did not either. */
const KEPT = new Set(["already_connected", "taken_over", "user_mismatch", "stopped", "other_tab"]);

/** What happened while the connection was away. */
export interface Absence {
  readonly replayed: number;
  readonly snapshot: boolean;
  readonly missed: number | null;
}

/** The connection after the socket's state changed; the same object when nothing shows. */
export function shown(before: Connection, link: LinkState, offset: number, absence: Absence, now: number): Connection {
  const changed = before.state !== link.shown;
  const live = link.shown === "live";
  const wasLive = before.state === "live";
  const away: Away | null =
    live && !wasLive && before.asOf !== null ? { from: before.asOf, to: now, ...absence } : before.away;
  const next: Connection = {
    state: link.shown,
    code: link.code,
    since: changed ? now : before.since,
    asOf: live ? null : wasLive ? Math.min(now, link.heardAt || now) : before.asOf,
    retryAt: link.retryAt,
    elsewhereSince: link.elsewhereSince,
    offset: Math.abs(offset - before.offset) < OFFSET_STEP_MS ? before.offset : offset,
    holder: "me",
    away,
  };
  return same(before, next) ? before : next;
}

/** Nothing reaches a page that stops: what it shows is from this moment until it has caught up. */
export function putAway(before: Connection, now: number): Connection {
  const asOf = before.state === "live" ? now : before.asOf;
  return { ...before, state: "catching_up", since: now, asOf, holder: null };
}

/** What a new holder takes over of the former one's end, or null when it should connect. */
export function inherited(connection: Connection): Shown | null {
  if (!KEPT.has(connection.state)) return null;
  return { shown: connection.state, code: connection.code, elsewhereSince: connection.elsewhereSince };
}

function same(one: Connection, other: Connection): boolean {
  return (Object.keys(other) as ReadonlyArray<keyof Connection>).every((key) => one[key] === other[key]);
}
