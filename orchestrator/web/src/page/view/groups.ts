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
  | {
      readonly kind: "header";
      readonly key: string;
      readonly group: Group;
      readonly count: number;
      readonly open: boolean;
    }
  | {
      readonly kind: "bot";
      readonly key: string;
      readonly bot: Bot;
      readonly position: number;
      readonly of: number;
    };

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

/** Groups in their order, in each its bots by name. */
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

/** Sections as they stood, with what is known of their bots now: none moves, none comes, and who is gone goes. */
export function kept(stood: ReadonlyArray<Section>, bots: { readonly [bot: string]: Bot }): ReadonlyArray<Section> {
  return stood.flatMap((section) => {
    const members = section.bots.flatMap(({ id }) => bots[id] ?? []);
    return members.length === 0 ? [] : [{ group: section.group, bots: members }];
  });
}

/** The sections as lines, those that are closed without their bots. */
export function lines(all: ReadonlyArray<Section>, closed: ReadonlySet<Group>): ReadonlyArray<Line> {
  return all.flatMap((section) => {
    const header: Line = {
      kind: "header",
      key: `group ${section.group}`,
      group: section.group,
      count: section.bots.length,
      open: !closed.has(section.group),
    };
    if (closed.has(section.group)) return [header];
    const rows = section.bots.map(
      (bot, index): Line => ({ kind: "bot", key: bot.id, bot, position: index + 1, of: section.bots.length }),
    );
    return [header, ...rows];
  });
}
