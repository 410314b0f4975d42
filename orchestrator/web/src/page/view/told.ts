/**
 * What is told of one bot: frames → lines, each once and kept, those of a burst folded. Pure.
 *
 * A story only grows at its end (and loses its beginning beyond what is kept), so that telling costs what is new and not
 * what is known. Read `events.ts` for how one frame is told.
 */
import type { Position } from "../../generated.js";
import type { Away, Frame, Log } from "../../types.js";
import { type EventLine, eventLine, isRepetition, learn, matches, type Topic } from "./events.js";

/** Lines kept of one bot, though the user's log may have dropped their frames for those of other bots. */
const KEPT = 10_000;
/** Dropped at once, so that the lines are not copied for each new one. */
const SLACK = 256;

export interface Told {
  readonly frame: Frame;
  readonly line: EventLine;
}

export interface Story {
  readonly bot: string;
  /** Oldest first. */
  readonly told: ReadonlyArray<Told>;
  /** How many lines from before these are no longer kept. */
  readonly dropped: number;
  /** The last frame of the user's log that was read. */
  readonly upTo: Position | null;
  /** The bot's status at the end; null before it was told. */
  readonly status: string | null;
  readonly people: ReadonlyMap<string, string>;
}

/** The beginning: what was asked for of the past, as far as it lies before the log. */
export function begun(bot: string, past: ReadonlyArray<Frame>, log: Log): Story {
  const first = log.chunks[0]?.[0]?.seq ?? Number.POSITIVE_INFINITY;
  const nothing: Story = { bot, told: [], dropped: 0, upTo: null, status: null, people: new Map() };
  const before = past.filter((frame) => (frame.seq ?? 0) < first);
  return further(withFrames(nothing, before), log);
}

/** With what the log holds beyond what has been read; the same object when there is nothing. */
export function further(story: Story, log: Log): Story {
  return withFrames(story, framesSince(log, story.upTo));
}

/** Frames of the log after a position, oldest first: all of them when it holds nothing that old. */
function framesSince(log: Log, upTo: Position | null): ReadonlyArray<Frame> {
  if (upTo === null) return log.chunks.flat();
  const found: Frame[] = [];
  for (const chunk of log.chunks.toReversed()) {
    for (const frame of chunk.toReversed()) {
      if (frame.epoch === upTo.epoch && (frame.seq ?? 0) <= upTo.seq) return found.toReversed();
      found.push(frame);
    }
  }
  return found.toReversed();
}

function withFrames(story: Story, frames: ReadonlyArray<Frame>): Story {
  const last = frames.at(-1);
  if (last?.epoch === undefined || last.seq === undefined) return story;
  const upTo = { epoch: last.epoch, seq: last.seq };
  const own = frames.filter((frame) => frame.botId === story.bot && !isRepetition(frame));
  if (own.length === 0) return { ...story, upTo };
  const people = new Map(story.people);
  // Names first: who writes first and is named later is named from the start.
  for (const frame of own) learn(people, frame);
  let { status } = story;
  const told = [...story.told];
  for (const frame of own) {
    told.push({ frame, line: eventLine(frame, status, people) });
    status = frame.status ?? status;
  }
  const tooMany = told.length >= KEPT + SLACK ? told.length - KEPT : 0;
  return { ...story, told: told.slice(tooMany), dropped: story.dropped + tooMany, upTo, status, people };
}

/** Lines told one by one in a second; what comes beyond is folded. */
const BURST = 200;
const SECOND_MS = 1000;

/** What stands in one row: a line, or what was folded. */
export type Row =
  | { readonly kind: "line"; readonly key: string; readonly told: Told }
  | {
      readonly kind: "fold";
      readonly key: string;
      readonly at: number;
      readonly count: number;
      /** Whether all of them are messages. */
      readonly messages: boolean;
      readonly open: boolean;
    };

/** What somebody looks at of a story. */
export interface Look {
  readonly topic: Topic | "problems" | "all";
  readonly find: string;
  /** Keys of the folds that are open. */
  readonly open: ReadonlySet<string>;
}

/**
 * Rows of lines, newest first. Beyond 200 lines in a second ordinary ones are one row that counts them; trouble and
 * what concerns the link never is. An open fold stands above its lines.
 */
export function rowsOf(told: ReadonlyArray<Told>, look: Look): ReadonlyArray<Row> {
  const rows: Row[] = [];
  let second = Number.NaN;
  let inSecond = 0;
  let beyond: Told[] = [];
  const close = () => {
    const first = beyond[0];
    if (first !== undefined) {
      const key = `fold ${first.frame.id}`;
      const open = look.open.has(key);
      if (open) rows.push(...beyond.map(rowOf));
      const messages = beyond.every(({ frame }) => frame.type === "message");
      rows.push({ kind: "fold", key, at: first.frame.at, count: beyond.length, messages, open });
    }
    beyond = [];
  };
  for (const one of told) {
    if (!matches(one.line, look.topic, look.find)) continue;
    const now = Math.floor(one.frame.at / SECOND_MS);
    if (now !== second) {
      close();
      second = now;
      inSecond = 0;
    }
    inSecond += 1;
    if (inSecond > BURST && !one.line.problem && one.line.topic !== "link") beyond.push(one);
    else rows.push(rowOf(one));
  }
  close();
  return rows.reverse();
}

const LONG_MS = 60_000;

/**
 * The absence to be told between a row and the one before it, when it was a long one.
 *
 * @param offset The server's clock, which events are told by, minus this machine's, which absences are.
 * @param earlier The row before it; undefined when it is the first.
 */
export function awayBefore(away: Away | null, offset: number, row: Row, earlier: Row | undefined): Away | null {
  if (away === null || away.to - away.from < LONG_MS) return null;
  const from = away.from + offset;
  return atOf(row) >= from && (earlier === undefined || atOf(earlier) < from) ? away : null;
}

function atOf(row: Row): number {
  return row.kind === "line" ? row.told.frame.at : row.at;
}

function rowOf(told: Told): Row {
  return { kind: "line", key: told.frame.id, told };
}
