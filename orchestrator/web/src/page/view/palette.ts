/**
 * What the command bar offers: commands of the bot somebody is at, bots by name or number, places. Pure: what is known and
 * typed in, entries with what they do out. Enter runs the first one, so that nothing stands first which was not asked for.
 */
import type { Bot } from "../../generated.js";
import type { IconName } from "../icons.js";
import { fill } from "../say.js";
import { BOT } from "../texts/bot.js";
import { KEYS } from "../texts/keys.js";
import { PAGE } from "../texts/page.js";
import { found } from "./groups.js";
import { type ActionId, statusView } from "./status.js";

export type Deed =
  | { readonly kind: "go"; readonly to: string }
  | { readonly kind: "help" }
  | { readonly kind: "next"; readonly bot: Bot; readonly action: ActionId }
  | { readonly kind: "steer"; readonly bot: Bot; readonly action: "start" | "stop" | "restart" };

export interface Entry {
  readonly id: string;
  readonly group: string;
  readonly label: string;
  /** What is told beside the label. */
  readonly side: string;
  /** Keys that do the same. */
  readonly keys: ReadonlyArray<string>;
  readonly icon: IconName;
  readonly deed: Deed;
}

export interface Palette {
  readonly bots: ReadonlyArray<Bot>;
  /** The bot whose page is open, or that has the focus in the list. */
  readonly subject: Bot | null;
  /** Whether it is one of the list, where keys of its own reach it. */
  readonly inList: boolean;
  readonly query: string;
  readonly operator: boolean;
  readonly now: number;
}

const MOST_BOTS = 7;
const words = KEYS.bar;

export function entriesOf(palette: Palette): ReadonlyArray<Entry> {
  const { bots, subject, query, operator, now } = palette;
  const asked = query.trim().toLowerCase();
  const fits = (entry: Entry) => entry.label.toLowerCase().includes(asked);
  const hits = asked === "" ? [] : found(bots, query).slice(0, MOST_BOTS);
  const other = hits[0];
  return [
    ...(subject === null ? [] : commandsOf(subject, palette, palette.inList).filter(fits)),
    ...hits.map((bot) => entryOf(bot, now, operator)),
    ...places(operator).filter(fits),
    ...(other === undefined || other.id === subject?.id ? [] : commandsOf(other, palette, false)),
  ];
}

function commandsOf(bot: Bot, { now, operator }: Palette, inList: boolean): ReadonlyArray<Entry> {
  const group = fill(words.commands, { bot: bot.name });
  const { action } = statusView(bot, now, operator);
  const make = (id: string, label: string, icon: IconName, key: string, deed: Deed): Entry => {
    return { id: `${bot.id} ${id}`, group, label, side: "", keys: inList ? [key] : [], icon, deed };
  };
  const steer = (to: "stop" | "restart") => ({ kind: "steer", bot, action: to }) as const;
  return [
    ...(action === null ? [] : [make(action.id, action.label, "right", "A", { kind: "next", bot, action: action.id })]),
    ...(bot.account === null ? [] : [make("restart", BOT.restart, "reconnecting", "R", steer("restart"))]),
    ...(bot.desired === "running" ? [make("stop", BOT.stop, "pause", "S", steer("stop"))] : []),
  ];
}

function entryOf(bot: Bot, now: number, operator: boolean): Entry {
  const { label, icon } = statusView(bot, now, operator);
  const deed = { kind: "go", to: `/bots/${bot.id}` } as const;
  return { id: bot.id, group: words.bots, label: bot.name, side: label, keys: [], icon, deed };
}

function places(operator: boolean): ReadonlyArray<Entry> {
  const place = (label: string, icon: IconName, keys: ReadonlyArray<string>, deed: Deed): Entry => {
    return { id: label, group: words.places, label, side: "", keys, icon, deed };
  };
  const go = (to: string) => ({ kind: "go", to }) as const;
  return [
    place(PAGE.bots, "bots", ["G", "B"], go("/")),
    place(words.needYou, "right", ["G", "Y"], go("/?show=you")),
    place(PAGE.newBot, "plus", ["N"], go("/new")),
    ...(operator ? [place(words.incidents, "fleet", ["G", "F"], go("/fleet"))] : []),
    place(words.help, "info", ["?"], { kind: "help" }),
  ];
}
