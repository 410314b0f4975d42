/** Bots → what the list shows: who acts is the first sorting. Pure: filter, count, group, flatten. Owns no markup. */
import type { Bot } from "../../generated.js";
import { digits } from "../phone.js";
import { type Group, statusView } from "./status.js";

export const GROUPS: ReadonlyArray<Group> = ["you", "wait", "move", "ok", "off"];

export const GROUP_TONES = { you: "you", wait: "stop", move: "heal", ok: "ok", off: "off" } as const;

export type Counts = { readonly [group in Group]: number };

export interface Section {
  readonly group: Group;
  readonly bots: ReadonlyArray<Bot>;
}

/** A line of the flattened list: a group's header or a bot. */
export type Line =
  | { readonly kind: "header"; readonly group: Group; readonly count: number; readonly open: boolean }
  | { readonly kind: "bot"; readonly bot: Bot; readonly group: Group; readonly position: number; readonly of: number };

/** Who acts on a bot. Time plays no part in it. */
export function groupOf(bot: Bot): Group {
  return statusView(bot, 0, false).group;
}

export function count(bots: ReadonlyArray<Bot>): Counts {
  const counts = { you: 0, wait: 0, move: 0, ok: 0, off: 0 };
  for (const bot of bots) counts[groupOf(bot)] += 1;
  return counts;
}

/** Bots whose name or number holds what is looked for. */
export function found(bots: ReadonlyArray<Bot>, query: string): ReadonlyArray<Bot> {
  const words = query.trim().toLowerCase();
  if (!words) return bots;
  const number = /^[\d\s+().-]+$/.test(words) ? digits(words) : "";
  return bots.filter(
    (bot) => bot.name.toLowerCase().includes(words) || (number !== "" && bot.account?.phone.includes(number)),
  );
}

/** Groups in their order, bots in theirs: those that changed last come first, but connected ones by name. */
export function sections(bots: ReadonlyArray<Bot>, show: Group | null): ReadonlyArray<Section> {
  const byGroup = new Map<Group, Bot[]>(GROUPS.map((group) => [group, []]));
  for (const bot of bots) byGroup.get(groupOf(bot))?.push(bot);
  return GROUPS.filter((group) => show === null || show === group).flatMap((group) => {
    const members = byGroup.get(group) ?? [];
    return members.length === 0 ? [] : [{ group, bots: members.toSorted(order) }];
  });
}

/** Made once: comparing hundreds of names with options of their own is slow. */
const NAMES = new Intl.Collator("en", { numeric: true });

function order(one: Bot, other: Bot): number {
  return NAMES.compare(one.name, other.name) || (one.id < other.id ? -1 : 1);
}

/** The sections as lines, those that are closed without their bots. */
export function lines(all: ReadonlyArray<Section>, closed: ReadonlySet<Group>): ReadonlyArray<Line> {
  return all.flatMap((section) => {
    const header: Line = {
      kind: "header",
      group: section.group,
      count: section.bots.length,
      open: !closed.has(section.group),
    };
    if (closed.has(section.group)) return [header];
    const rows = section.bots.map(
      (bot, index): Line => ({ kind: "bot", bot, group: section.group, position: index + 1, of: section.bots.length }),
    );
    return [header, ...rows];
  });
}

/** Which part of a list of fixed heights is on the screen, ten more on each side. */
export function windowOf(
  tops: ReadonlyArray<number>,
  from: number,
  to: number,
  overscan = 10,
): { readonly first: number; readonly last: number } {
  const count = tops.length - 1;
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((tops[middle + 1] ?? 0) <= from) low = middle + 1;
    else high = middle;
  }
  let last = low;
  while (last < count && (tops[last] ?? 0) < to) last += 1;
  return { first: Math.max(0, low - overscan), last: Math.min(count, last + overscan) };
}
