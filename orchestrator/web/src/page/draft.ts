/**
 * What was typed into the wizard so far. Name and device name live as long as the tab; the proxy and the expected number
 * are secrets and stay in memory.
 */
import { BROWSER } from "../browser.js";
import type { Bot } from "../generated.js";
import { fill } from "./say.js";
import { WIZARD } from "./texts/wizard.js";

export interface Draft {
  readonly name: string;
  /** Null: made from the name. */
  readonly deviceName: string | null;
  readonly proxy: string;
  readonly expectedPhone: string;
}

const KEY = "draft";
export const MOST_NAME = 64;
const MOST_DEVICE = 50;
const EMPTY: Draft = { name: "", deviceName: null, proxy: "", expectedPhone: "" };

let draft: Draft | null = null;
let request: { readonly words: string; readonly key: string } | null = null;
const codePhones = new Map<string, string>();

export function readDraft(): Draft {
  draft ??= { ...EMPTY, ...kept() };
  return draft;
}

export function keepDraft(changes: Partial<Draft>): Draft {
  draft = { ...readDraft(), ...changes };
  try {
    sessionStorage.setItem(KEY, JSON.stringify({ name: draft.name, deviceName: draft.deviceName }));
  } catch {
    // Without storage the draft lives as long as the page.
  }
  return draft;
}

export function dropDraft(): void {
  draft = null;
  request = null;
  try {
    sessionStorage.removeItem(KEY);
  } catch {
    // Nothing was kept.
  }
}

function kept(): Partial<Draft> {
  try {
    const read: unknown = JSON.parse(sessionStorage.getItem(KEY) ?? "{}");
    if (typeof read !== "object" || read === null) return {};
    const { name, deviceName } = read as Partial<Record<string, unknown>>;
    return {
      ...(typeof name === "string" ? { name } : {}),
      ...(typeof deviceName === "string" ? { deviceName } : {}),
    };
  } catch {
    return {};
  }
}

/** The device name a bot gets unless another was typed. */
export function deviceNameOf(made: Pick<Draft, "name" | "deviceName">): string {
  const typed = made.deviceName?.trim();
  return [...(typed || fill(WIZARD.options.devicePrefix, { bot: made.name.trim() }))].slice(0, MOST_DEVICE).join("");
}

/** The name of the request to make this bot: a second click, or one after a lost answer, makes no second bot. */
export function requestKey(body: object): string {
  const words = JSON.stringify(body);
  if (request?.words !== words) request = { words, key: BROWSER.newId() };
  return request.key;
}

/** The number a pairing code was asked for. */
export const askedPhones = {
  set: (bot: string, phone: string) => void codePhones.set(bot, phone),
  of: (bot: string): string | undefined => codePhones.get(bot),
};

/** What is wrong with a name, or null. */
export function nameFault(
  name: string,
  bots: { readonly [id: string]: Bot },
  own: string | null = null,
): string | null {
  const plain = name.trim();
  if (plain === "") return WIZARD.name.none;
  if ([...plain].length > MOST_NAME) return WIZARD.name.long;
  const taken = Object.values(bots).some((bot) => bot.id !== own && bot.name.toLowerCase() === plain.toLowerCase());
  return taken ? WIZARD.name.taken : null;
}
