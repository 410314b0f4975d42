/**
 * What has been applied, and what is done with the next frame: applied, dropped, or a gap to be closed. Pure.
 *
 * The same decision in the tab that holds the socket and in those that are fed by it. It must never know how frames
 * come. Read `client.ts` for who asks.
 */
import type { Position } from "./generated.js";
import type { Frame } from "./types.js";
import { isDurable } from "./wire.js";

/** Where this tab stands. */
export interface Cursor {
  /** Everything up to here has been applied; null before the first snapshot. */
  readonly position: Position | null;
  /** A gap was found and a replay asked for: durable frames are dropped until it begins. */
  readonly waiting: boolean;
  /** Gaps in a row without a frame that fitted. */
  readonly gaps: number;
}

export const NOWHERE: Cursor = { position: null, waiting: false, gaps: 0 };

export type Verdict = "apply" | "drop" | "gap";

/** Gaps in a row after which a replay from the same place will not help: ask for the current state. */
const GAPS_MOST = 3;

/**
 * Decides about a frame. The cursor returned is the one after it has been applied: keep it only then.
 *
 * Transient frames are always applied; the state itself drops those of an older attempt.
 */
export function judge(cursor: Cursor, frame: Frame): readonly [Verdict, Cursor] {
  if (!isDurable(frame)) return ["apply", cursor];
  const { position } = cursor;
  if (position === null || cursor.waiting) return ["drop", cursor];
  if (frame.epoch === position.epoch) {
    if (frame.seq <= position.seq) return ["drop", cursor];
    if (frame.prev === position.seq) {
      return ["apply", { position: { epoch: frame.epoch, seq: frame.seq }, waiting: false, gaps: 0 }];
    }
  }
  return ["gap", { position, waiting: true, gaps: cursor.gaps + 1 }];
}

/** What to ask for after a gap: a replay after the position, or (an epoch that is none) the current state. */
export function wanted(cursor: Cursor): Position {
  return cursor.position === null || cursor.gaps >= GAPS_MOST ? { epoch: "", seq: 0 } : cursor.position;
}

/** A snapshot has been applied. */
export function standAt(position: Position): Cursor {
  return { position, waiting: false, gaps: 0 };
}

/** The replay that was asked for begins. */
export function resumeReading(cursor: Cursor): Cursor {
  return { ...cursor, waiting: false };
}
