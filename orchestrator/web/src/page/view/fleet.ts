/**
 * The fleet's history and its present → lines and areas. Pure geometry; what it draws is words and shapes as well as
 * colour. Times nothing is known of stay empty: the server did not run, or there was none yet.
 */
import type { BotsNow, FleetHistory, FleetPoint } from "../../generated.js";
import { STATUSES } from "../texts/statuses.js";
import { type Hours, ticks } from "./axis.js";
import { type Shade, shades } from "./shades.js";
import type { Group } from "./status.js";

export interface Area {
  readonly group: Exclude<Group, "ok">;
  readonly path: string;
  readonly last: number;
}

export interface Plot {
  readonly width: number;
  readonly height: number;
  readonly left: number;
  readonly right: number;
  readonly line: string;
  readonly fill: string;
  readonly areas: ReadonlyArray<Area>;
  readonly connected: number;
  readonly total: number;
  /** y of the connected line at its end. */
  readonly endY: number;
  readonly upper: ReadonlyArray<{ readonly y: number; readonly text: string }>;
  readonly lower: ReadonlyArray<{ readonly y: number; readonly text: string }>;
  readonly times: ReadonlyArray<{ readonly x: number; readonly text: string }>;
  readonly shades: ReadonlyArray<Shade>;
  /** Where nothing is known yet, when there is room to say so. */
  readonly before: { readonly x: number; readonly at: number } | null;
  readonly lowest: { readonly count: number; readonly at: number };
}

export type ByGroup = { readonly [group in Group]: number };

/** A moment that is known, and where its step begins and ends. */
interface Step {
  readonly from: number;
  readonly to: number;
  readonly counts: ByGroup;
}

/** Steps that follow each other without a gap. */
type Run = ReadonlyArray<Step>;

const ROOM_FOR_WORDS_PX = 160;
const UPPER = { top: 12, height: 92 };
const LOWER = { base: 300, height: 140 };
const ORDER: ReadonlyArray<Exclude<Group, "ok">> = ["off", "wait", "you", "move"];

/** Bots by group; a status nobody knows needs somebody. */
export function byGroup(statuses: Readonly<Record<string, number>>): ByGroup {
  const counts = { you: 0, wait: 0, move: 0, ok: 0, off: 0 };
  const known: { readonly [status: string]: { readonly group: Group } } = STATUSES.status;
  for (const [status, count] of Object.entries(statuses)) counts[known[status]?.group ?? "you"] += count;
  return counts;
}

/** A scale's top: a round number not below the greatest value. */
function niceTop(greatest: number): number {
  if (greatest <= 4) return 4;
  const power = 10 ** Math.floor(Math.log10(greatest));
  const step = [1, 2, 4, 5, 8, 10].find((factor) => factor * power >= greatest) ?? 10;
  return step * power;
}

/**
 * @param now The fleet as it is: the end of the picture. A step of the history holds its worst moment, not its last.
 * @returns Null while nothing is known.
 */
export function plot(
  history: FleetHistory,
  now: BotsNow | null,
  hours: Hours,
  width: number,
  narrow: boolean,
): Plot | null {
  const points = upTo(history.points, now);
  const known = points.filter((point) => point.statuses !== null);
  const first = known[0];
  if (first === undefined) return null;
  const [left, right] = narrow ? [30, 10] : [44, 124];
  const room = width - left - right;
  const x = (step: number) => left + (room * Math.min(points.length, Math.max(0, step))) / points.length;
  const steps = runs(points, x);
  const all = steps.flat().map((step) => step.counts);
  const top = Math.max(1, ...all.map((one) => one.ok + others(one)));
  const lowerTop = niceTop(Math.max(1, ...all.map(others)));
  const upperY = (value: number) => UPPER.top + ((top - value) / top) * UPPER.height;
  const lowerY = (value: number) => LOWER.base - (value / lowerTop) * LOWER.height;
  const last = byGroup(now?.statuses ?? known.at(-1)?.statuses ?? {});
  const from = points[0]?.at ?? first.at;
  const place = (at: number) => x((at - from) / history.stepMs);
  return {
    width,
    height: LOWER.base + 26,
    left,
    right,
    line: steps.map((run) => along(run, (counts) => upperY(counts.ok), "M")).join(""),
    fill: steps
      .map((run) =>
        between(
          run,
          (counts) => upperY(counts.ok),
          () => upperY(0),
        ),
      )
      .join(""),
    areas: areas(steps, last, lowerY),
    connected: last.ok,
    total: last.ok + others(last),
    endY: upperY(last.ok),
    upper: scale(top).map((value) => ({ y: upperY(value), text: String(value) })),
    lower: scale(lowerTop).map((value) => ({ y: lowerY(value), text: String(value) })),
    times: ticks(hours, from, from + points.length * history.stepMs, narrow).map((tick) => ({
      x: place(tick.at),
      text: tick.text,
    })),
    shades: shades(history.incidents, place, left, width - right),
    before: place(first.at) - left < ROOM_FOR_WORDS_PX ? null : { x: (left + place(first.at)) / 2, at: first.at },
    lowest: lowest(known, first),
  };
}

/** The history with its newest step as it is now. */
function upTo(points: ReadonlyArray<FleetPoint>, now: BotsNow | null): ReadonlyArray<FleetPoint> {
  const last = points.at(-1);
  if (now === null || last === undefined) return points;
  return [...points.slice(0, -1), { ...last, statuses: now.statuses }];
}

function others(counts: ByGroup): number {
  return counts.off + counts.wait + counts.you + counts.move;
}

function runs(points: ReadonlyArray<FleetPoint>, x: (step: number) => number): ReadonlyArray<Run> {
  const found: Step[][] = [];
  let open: Step[] | null = null;
  points.forEach((point, index) => {
    if (point.statuses === null) {
      open = null;
      return;
    }
    if (open === null) {
      open = [];
      found.push(open);
    }
    open.push({ from: x(index), to: x(index + 1), counts: byGroup(point.statuses) });
  });
  return found;
}

type Height = (counts: ByGroup) => number;

/** A run from its beginning to its end, through the middle of each of its steps. */
function along(run: Run, y: Height, begin: "M" | "L"): string {
  const spots = spotsOf(run, y);
  return spots.map((spot, index) => `${index === 0 ? begin : "L"}${spot}`).join("");
}

/** What lies between two heights of a run. */
function between(run: Run, upper: Height, lower: Height): string {
  const back = spotsOf(run, lower).toReversed();
  return `${along(run, upper, "M")}${back.map((spot) => `L${spot}`).join("")}Z`;
}

function spotsOf(run: Run, y: Height): ReadonlyArray<string> {
  const [first, last] = [run[0], run.at(-1)];
  if (first === undefined || last === undefined) return [];
  const middles = run.map((step) => spot((step.from + step.to) / 2, y(step.counts)));
  return [spot(first.from, y(first.counts)), ...middles, spot(last.to, y(last.counts))];
}

function spot(x: number, y: number): string {
  return `${x.toFixed(1)} ${y.toFixed(1)}`;
}

function scale(top: number): ReadonlyArray<number> {
  return top < 2 ? [0, top] : [0, Math.round(top / 2), top];
}

function areas(steps: ReadonlyArray<Run>, last: ByGroup, y: (value: number) => number): ReadonlyArray<Area> {
  return ORDER.map((group, index) => {
    const upTo = (counts: ByGroup, parts: number) => ORDER.slice(0, parts).reduce((sum, one) => sum + counts[one], 0);
    const upper = (counts: ByGroup) => y(upTo(counts, index + 1));
    const lower = (counts: ByGroup) => y(upTo(counts, index));
    return { group, path: steps.map((run) => between(run, upper, lower)).join(""), last: last[group] };
  });
}

function lowest(known: ReadonlyArray<FleetPoint>, first: FleetPoint): Plot["lowest"] {
  const all = known.map((point) => ({ count: byGroup(point.statuses ?? {}).ok, at: point.at }));
  const worst = Math.min(...all.map((one) => one.count));
  return all.find((one) => one.count === worst) ?? { count: worst, at: first.at };
}
