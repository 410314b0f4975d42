import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Status } from "../../src/generated.js";
import { append, EMPTY_LOG } from "../../src/log.js";
import { offsets, rowAt } from "../../src/page/view/heights.js";
import { awayBefore, begun, further, type Row, rowsOf } from "../../src/page/view/told.js";
import type { Frame, Log } from "../../src/types.js";
import { NOW } from "./support.js";

const LIMIT = 10_000;
const SECOND = Math.ceil(NOW / 1000) * 1000;

function frame(seq: number, changes: Partial<Frame> = {}): Frame {
  return {
    event: "message_sync",
    type: "message",
    id: `e${seq}`,
    botId: "b",
    at: SECOND + seq,
    data: { kind: "text", pushName: "Jonas", chat: "77@lid", sender: "77@lid" },
    epoch: "one",
    seq,
    prev: seq - 1,
    ...changes,
  };
}

const status = (seq: number, to: Status, changes: Partial<Frame> = {}) =>
  frame(seq, { event: "bot_status_update", type: "status", status: to, data: { status: to }, ...changes });
const logOf = (frames: ReadonlyArray<Frame>, limit = LIMIT): Log =>
  frames.reduce((log, one) => append(log, one, limit), EMPTY_LOG);
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => frame(from + index));
const ALL = { topic: "all", find: "", open: new Set<string>() } as const;
const shape = (rows: ReadonlyArray<Row>) => rows.map((row) => (row.kind === "fold" ? row.count : row.key));

describe("what is told of a bot", () => {
  it("is the same however the log grew, and each frame is told once", () => {
    const frames = [status(1, "connecting"), ...range(2, 40), status(40, "connected"), frame(41, { botId: "other" })];
    fc.assert(
      fc.property(fc.array(fc.nat(41), { maxLength: 6 }), fc.nat(20), (ends, past) => {
        const at = [...ends, 41].toSorted((one, other) => one - other);
        const start = begun("b", frames.slice(0, past), logOf(frames.slice(Math.floor(past / 2), at[0])));
        const story = at.reduce((known, end) => further(known, logOf(frames.slice(Math.floor(past / 2), end))), start);
        expect(story.told.map((one) => one.frame.seq)).toEqual(range(1, 41).map((one) => one.seq));
        expect(story.told.at(-1)?.line.text).toBe("Status: Connecting → Connected");
        expect(further(story, logOf(frames.slice(10))).told).toBe(story.told);
      }),
    );
  });

  it("stays when the user's log has dropped it for other bots", () => {
    const own = range(1, 301);
    const others = range(301, 1_000).map((one) => ({ ...one, botId: "other" }));
    const story = [...own, ...others].reduce(
      ({ log, told }, one) => {
        const next = append(log, one, 256);
        return { log: next, told: further(told, next) };
      },
      { log: EMPTY_LOG, told: begun("b", [], EMPTY_LOG) },
    );
    expect(story.log.chunks.flat().some((one) => one.botId === "b")).toBe(false);
    expect(story.told.told).toHaveLength(300);
  });

  it("keeps ten thousand lines, and counts those it no longer does", () => {
    const story = begun("b", range(1, 12_001), EMPTY_LOG);
    expect(story.told).toHaveLength(10_000);
    expect(story.dropped).toBe(2_000);
    expect(story.told[0]?.frame.seq).toBe(2_001);
  });

  it("goes on in a log that was made anew", () => {
    const story = further(begun("b", [], logOf(range(1, 5))), logOf(range(1, 5)));
    const restored = [...range(1, 5), frame(1, { id: "new", epoch: "two" })];
    expect(further(story, logOf(restored)).told.map((one) => one.frame.id)).toEqual(["e1", "e2", "e3", "e4", "new"]);
  });
});

describe("bursts", () => {
  const rows = (frames: ReadonlyArray<Frame>, look: Parameters<typeof rowsOf>[1] = ALL) =>
    rowsOf(begun("b", frames, EMPTY_LOG).told, look);

  it("beyond 200 in a second are one row that counts them, newest first", () => {
    const second = range(0, 540);
    expect(shape(rows(second)).slice(0, 3)).toEqual([340, "e199", "e198"]);
    expect(rows(second)).toHaveLength(201);
    expect(rows(second)[0]).toMatchObject({ messages: true, at: SECOND + 200 });
    expect(rows(range(0, 200)).every((row) => row.kind === "line")).toBe(true);
  });

  it("never hide trouble or what concerns the link", () => {
    const at = { at: SECOND + 300 };
    const trouble = [status(241, "failed", at), frame(242, { type: "undecryptable", ...at })];
    const mixed = [...range(0, 240), ...trouble, frame(243, { type: "reaction", ...at })];
    expect(shape(rows(mixed)).slice(0, 4)).toEqual([41, "e242", "e241", "e199"]);
    expect(rows(mixed)[0]).toMatchObject({ messages: false });
  });

  it("open above their lines", () => {
    const open = new Set(["fold e200"]);
    expect(shape(rows(range(0, 203), { ...ALL, open })).slice(0, 5)).toEqual([3, "e202", "e201", "e200", "e199"]);
  });

  it("lose nothing: every event stands in one row, or is counted by one", () => {
    const times = fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 1_500 });
    fc.assert(
      fc.property(times, (seconds) => {
        const frames = seconds.map((second, seq) => frame(seq, { at: SECOND + second * 1000 }));
        const told = rows(frames);
        const counted = told.reduce((sum, row) => sum + (row.kind === "fold" ? row.count : 1), 0);
        expect(counted).toBe(frames.length);
        expect(new Set(told.map((row) => row.key)).size).toBe(told.length);
      }),
      { numRuns: 20 },
    );
  });

  it("are what is looked for: a filter folds only what it lets through", () => {
    const mixed = range(0, 400).map((one, index) =>
      index % 2 ? one : { ...one, data: { ...(one.data as object), pushName: "Mia" } },
    );
    expect(rows(mixed, { ...ALL, find: "mia" })).toHaveLength(200);
  });
});

describe("rows of different heights", () => {
  it("stand where the heights before them end", () => {
    const keys = ["a", "b", "c", "d"].map((key) => ({ key }));
    const tops = offsets(keys, new Map([["b", 100]]), 30);
    expect([...tops]).toEqual([0, 30, 130, 160, 190]);
    expect([0, 29, 30, 129, 130, 189, 190, 9_999].map((height) => rowAt(tops, height))).toEqual([
      0, 0, 1, 1, 2, 3, 3, 3,
    ]);
    expect(rowAt(offsets([], new Map(), 30), 50)).toBe(0);
  });
});

describe("an absence", () => {
  const AHEAD = 300_000;
  const away = { from: SECOND - AHEAD + 10, to: SECOND - AHEAD + 90_010, replayed: 3, snapshot: false, missed: null };
  const rows = rowsOf(begun("b", range(1, 20), EMPTY_LOG).told, ALL);
  const toldAt = (offset: number, gone = away) =>
    rows.filter((row, index) => awayBefore(gone, offset, row, rows[index + 1]) !== null).map(({ key }) => key);

  it("is told once, before the first event after it, however the two clocks differ", () => {
    expect(toldAt(AHEAD)).toEqual(["e10"]);
    expect(toldAt(AHEAD + 5)).toEqual(["e15"]);
    expect(toldAt(AHEAD - 60_000)).toEqual(["e1"]);
  });

  it("is not told when it was short", () => {
    expect(toldAt(AHEAD, { ...away, to: away.from + 59_999 })).toEqual([]);
  });
});
