/** The fleet's history → lines and areas. Pure geometry; what it draws is words and shapes as well as colour. */
import type { FleetHistory, FleetPoint } from "../../generated.js";
import { STATUSES } from "../texts/statuses.js";
import { GROUPS } from "./groups.js";
import type { Group } from "./status.js";

export interface Area {
  readonly group: Exclude<Group, "ok">;
  readonly path: string;
  readonly last: number;
}

/** An incident's time; its name stands where it fits between others and the edges, else only in its title. */
export interface Shade {
  readonly x: number;
  readonly width: number;
  readonly id: string;
  readonly title: string;
  readonly nameX: number | null;
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
  readonly times: ReadonlyArray<{ readonly x: number; readonly at: number }>;
  readonly shades: ReadonlyArray<Shade>;
  readonly lowest: { readonly count: number; readonly at: number } | null;
}

const UPPER = { top: 12, height: 92 };
const LOWER = { base: 300, height: 140 };
const ORDER: ReadonlyArray<Exclude<Group, "ok">> = ["off", "wait", "you", "move"];

/** Bots of a point by group; the server not running counts as none connected. */
export function byGroup(point: FleetPoint): { readonly [group in Group]: number } {
  const counts = { you: 0, wait: 0, move: 0, ok: 0, off: 0 };
  const known: { readonly [status: string]: { readonly group: Group } } = STATUSES.status;
  for (const [status, count] of Object.entries(point.statuses ?? {})) counts[known[status]?.group ?? "you"] += count;
  return counts;
}

/** A scale's top: a round number not below the greatest value. */
export function niceTop(greatest: number): number {
  if (greatest <= 4) return 4;
  const power = 10 ** Math.floor(Math.log10(greatest));
  const step = [1, 2, 4, 5, 8, 10].find((factor) => factor * power >= greatest) ?? 10;
  return step * power;
}

export function plot(history: FleetHistory, width: number, narrow: boolean): Plot {
  const points = history.points;
  const groups = points.map(byGroup);
  const left = narrow ? 30 : 44;
  const right = narrow ? 10 : 124;
  const room = width - left - right;
  const x = (index: number) => left + (room * index) / Math.max(1, points.length - 1);
  const totals = groups.map((one) => GROUPS.reduce((sum, group) => sum + one[group], 0));
  const top = Math.max(1, ...totals);
  const upperY = (value: number) => UPPER.top + ((top - value) / top) * UPPER.height;
  const line = groups.map((one, index) => `${index ? "L" : "M"}${fixed(x(index))} ${fixed(upperY(one.ok))}`).join("");
  const others = groups.map((one) => one.off + one.wait + one.you + one.move);
  const lowerTop = niceTop(Math.max(1, ...others));
  const lowerY = (value: number) => LOWER.base - (value / lowerTop) * LOWER.height;
  const last = groups.at(-1);
  return {
    width,
    height: LOWER.base + 26,
    left,
    right,
    line,
    fill: `${line}L${fixed(x(Math.max(0, points.length - 1)))} ${upperY(0)}L${left} ${upperY(0)}Z`,
    areas: areas(groups, x, lowerY),
    connected: last?.ok ?? 0,
    total: totals.at(-1) ?? 0,
    endY: upperY(last?.ok ?? 0),
    upper: steps(top).map((value) => ({ y: upperY(value), text: String(value) })),
    lower: steps(lowerTop).map((value) => ({ y: lowerY(value), text: String(value) })),
    times: times(points, x, narrow ? 3 : 6),
    shades: named(shades(history, x), left, width - right),
    lowest: lowest(points, groups),
  };
}

function fixed(value: number): string {
  return value.toFixed(1);
}

function steps(top: number): ReadonlyArray<number> {
  return top < 2 ? [0, top] : [0, Math.round(top / 2), top];
}

function areas(
  groups: ReadonlyArray<{ readonly [group in Group]: number }>,
  x: (index: number) => number,
  y: (value: number) => number,
): ReadonlyArray<Area> {
  let below = groups.map(() => 0);
  return ORDER.map((group) => {
    const above = groups.map((one, index) => (below[index] ?? 0) + one[group]);
    const up = above.map((value, index) => `${index ? "L" : "M"}${fixed(x(index))} ${fixed(y(value))}`).join("");
    const back = below
      .map((value, index) => `L${fixed(x(index))} ${fixed(y(value))}`)
      .toReversed()
      .join("");
    below = above;
    return { group, path: `${up}${back}Z`, last: groups.at(-1)?.[group] ?? 0 };
  });
}

function times(points: ReadonlyArray<FleetPoint>, x: (index: number) => number, parts: number): Plot["times"] {
  if (points.length < 2) return [];
  return Array.from({ length: parts + 1 }, (_, part) => {
    const index = Math.round(((points.length - 1) * part) / parts);
    return { x: x(index), at: points[index]?.at ?? 0 };
  });
}

function shades(history: FleetHistory, x: (index: number) => number): ReadonlyArray<Omit<Shade, "nameX">> {
  const from = history.points[0]?.at ?? 0;
  const count = history.points.length - 1;
  const place = (at: number) => x(Math.min(count, Math.max(0, (at - from) / history.stepMs)));
  return history.incidents.flatMap((one) => {
    const start = place(one.since);
    const end = one.until === null ? x(count) : place(one.until);
    return end <= x(0) ? [] : [{ x: start, width: Math.max(2, end - start), id: one.id, title: one.title || one.kind }];
  });
}

/** About how wide a letter of a name is. */
const LETTER_PX = 5.8;

function named(all: ReadonlyArray<Omit<Shade, "nameX">>, from: number, to: number): ReadonlyArray<Shade> {
  let free = from;
  return all
    .toSorted((one, other) => one.x - other.x)
    .map((shade) => {
      const half = (shade.title.length * LETTER_PX) / 2;
      const nameX = Math.min(to - half, Math.max(from + half, shade.x + shade.width / 2));
      if (nameX - half < free || nameX + half > to) return { ...shade, nameX: null };
      free = nameX + half + 12;
      return { ...shade, nameX };
    });
}

function lowest(
  points: ReadonlyArray<FleetPoint>,
  groups: ReadonlyArray<{ readonly [group in Group]: number }>,
): Plot["lowest"] {
  let found: { count: number; at: number } | null = null;
  points.forEach((point, index) => {
    const count = groups[index]?.ok ?? 0;
    if (point.statuses !== null && (found === null || count < found.count)) found = { count, at: point.at };
  });
  return found;
}
