/** What a person can do in the Link step, and what that tab remembers of it. Owns commands of linking; no words. */
import { useMemo, useState } from "react";
import type { Bot, LinkRequest } from "../generated.js";
import type { CommandAnswer, CommandError, LinkAttempt, UnifiedClient } from "../types.js";
import { logOut, refused, run } from "./commands.js";
import { askedPhones } from "./draft.js";
import { sentence } from "./fault.js";
import { useShared } from "./live.js";
import { digits } from "./phone.js";
import { go } from "./router.js";
import { fill, left } from "./say.js";
import { PAGE } from "./texts/page.js";
import { WIZARD } from "./texts/wizard.js";
import { type LinkActionId, type LinkUi, type LinkView, otherBot } from "./view/link.js";

export interface LinkActions {
  readonly ui: LinkUi;
  readonly busy: string | null;
  readonly phoneRefused: string | null;
  readonly asking: "cancel" | "proxy" | null;
  ask(what: "cancel" | "proxy" | null): void;
  setTab(tab: LinkUi["tab"]): void;
  setPhoneFault(bad: boolean): void;
  changePhone(): void;
  askCode(typed: string): void;
  /** The attempt without a notice that was answered with "Use another phone", and without a code that is to be changed. */
  hidesNotice(link: LinkAttempt | undefined): LinkAttempt | undefined;
  leave(view: LinkView): void;
  cancel(): void;
  act(id: LinkActionId): Promise<void>;
}

/** Taken where the server names no time. */
const PAUSE_MS = 60_000;
const TOUCH = "(max-width: 767px) and (pointer: coarse)";

interface Memory {
  readonly tab: LinkUi["tab"];
  readonly phoneFault: boolean;
  readonly phoneRefused: string | null;
  /** The attempt that was cancelled here: it is not shown any more, from the click on. */
  readonly cancelled: number | null;
  readonly refusedUntil: number | null;
  readonly answeredNotice: number | null;
  /** The pairing code of this attempt is to be replaced by one for another number. */
  readonly changing: string | null;
  readonly busy: string | null;
  readonly asking: LinkActions["asking"];
}

export function useLinkActions(bot: Bot): LinkActions {
  const { client } = useShared();
  const [memory, setMemory] = useState<Memory>(() => ({
    // Nobody can scan the screen of the phone in their hand.
    tab: bot.link?.method === "code" || matchMedia(TOUCH).matches ? "phone" : "scan",
    phoneFault: false,
    phoneRefused: null,
    cancelled: null,
    refusedUntil: null,
    answeredNotice: null,
    changing: null,
    busy: null,
    asking: null,
  }));
  return useMemo(() => {
    const change = (changes: Partial<Memory>) => setMemory((before) => ({ ...before, ...changes }));
    return actionsOf(client, bot, memory, change);
  }, [client, bot, memory]);
}

function actionsOf(
  client: UnifiedClient,
  bot: Bot,
  memory: Memory,
  change: (changes: Partial<Memory>) => void,
): LinkActions {
  const cancel = async () => {
    change({ cancelled: bot.link?.attempt ?? null });
    const answer = await run(client, bot, { botId: bot.id, action: "stop" });
    if (!answer.ok) change({ cancelled: null });
  };
  return {
    ui: {
      tab: memory.tab,
      phoneFault: memory.phoneFault,
      refusedUntil: memory.refusedUntil,
      cancelled: memory.cancelled !== null && bot.link?.attempt === memory.cancelled,
    },
    busy: memory.busy,
    phoneRefused: memory.phoneRefused,
    asking: memory.asking,
    ask: (asking) => change({ asking }),
    setTab: (tab) => change({ tab, phoneFault: false }),
    setPhoneFault: (phoneFault) => change(phoneFault ? { phoneFault } : { phoneFault, phoneRefused: null }),
    changePhone: () => change({ changing: codeOf(client, bot) }),
    askCode: (typed) => void askCode(client, bot, typed, change),
    hidesNotice: (link) => shownLink(link, memory),
    leave: (view) => leave(bot, view, () => void cancel(), change),
    cancel: () => void cancel(),
    act: (id) => act(client, bot, id, change),
  };
}

function codeOf(client: UnifiedClient, bot: Bot): string | null {
  const code = client.getState().links[bot.id]?.code;
  return code?.kind === "pairing_code" ? code.code : null;
}

function shownLink(link: LinkAttempt | undefined, memory: Memory): LinkAttempt | undefined {
  if (link === undefined) return undefined;
  const answered = link.notice !== null && link.notice.at === memory.answeredNotice;
  const changing = link.code?.kind === "pairing_code" && link.code.code === memory.changing;
  return answered || changing
    ? { ...link, ...(answered ? { notice: null } : {}), ...(changing ? { code: null } : {}) }
    : link;
}

function leave(bot: Bot, view: LinkView, cancel: () => void, change: (changes: Partial<Memory>) => void): void {
  if (view.leaving === "ask") change({ asking: "cancel" });
  else if (view.leaving === "bot") go(`/bots/${bot.id}`);
  else if (view.leaving === "list") go("/");
  else cancel();
}

async function askCode(client: UnifiedClient, bot: Bot, typed: string, change: (changes: Partial<Memory>) => void) {
  const phone = digits(typed);
  askedPhones.set(bot.id, phone);
  change({ busy: "get_code", phoneRefused: null });
  const answer = await asked(client, bot, { method: "code", phone }, change);
  change(answer.ok ? { busy: null, changing: null } : { busy: null, phoneRefused: whyNot(answer.error) });
}

function whyNot({ code, message, retryAfterMs }: CommandError): string {
  if (code === "not_connected") return PAGE.notConnected;
  if (code !== "too_many_link_attempts") return sentence(message);
  const now = Date.now();
  return fill(WIZARD.phone.pause, { left: left(now + (retryAfterMs ?? PAUSE_MS), now) });
}

async function act(client: UnifiedClient, bot: Bot, id: LinkActionId, change: (changes: Partial<Memory>) => void) {
  change({ busy: id });
  await carryOut(client, bot, id, change);
  change({ busy: null });
}

async function carryOut(
  client: UnifiedClient,
  bot: Bot,
  id: LinkActionId,
  change: (changes: Partial<Memory>) => void,
): Promise<void> {
  switch (id) {
    case "continue":
      return go(`/bots/${bot.id}/ready`);
    case "close":
    case "bots":
      return go("/");
    case "open_other": {
      const { bots, links } = client.getState();
      const other = otherBot(Object.values(bots), bot, links[bot.id]);
      return go(other === null ? "/" : `/bots/${other.id}`);
    }
    case "other_phone":
      return change({ answeredNotice: client.getState().links[bot.id]?.notice?.at ?? null });
    case "use_here":
      return client.connectHere();
    case "reconnect_now":
      return client.reconnectNow();
    case "change_proxy":
      return change({ asking: "proxy" });
    case "retry":
    case "try_now":
    case "reconnect_here": {
      await run(client, bot, { botId: bot.id, action: id === "retry" ? "restart" : "start" });
      return;
    }
    case "unlink":
      if (await logOut(client, bot)) await freshCodes(client, bot, change);
      return;
    case "other_number":
    case "new_codes":
    case "link_again":
    case "link_now":
      await freshCodes(client, bot, change);
      return;
    case "any_number":
      await freshCodes(client, bot, change, { expectedPhone: null });
      return;
    case "get_code":
      return;
  }
}

/** A new attempt with QR codes, also where one with a pairing code runs. */
async function freshCodes(
  client: UnifiedClient,
  bot: Bot,
  change: (changes: Partial<Memory>) => void,
  expects: Pick<LinkRequest, "expectedPhone"> = {},
): Promise<void> {
  if (bot.link?.method === "code" && bot.status === "awaiting_scan") {
    await run(client, bot, { botId: bot.id, action: "stop" });
  }
  change({ tab: "scan" });
  await linked(client, bot, { method: "qr", ...expects }, change);
}

/** As `asked`, and what was refused is told. */
async function linked(
  client: UnifiedClient,
  bot: Bot,
  request: LinkRequest,
  change: (changes: Partial<Memory>) => void,
): Promise<void> {
  const answer = await asked(client, bot, request, change);
  if (!answer.ok && answer.error.code !== "too_many_link_attempts") refused(bot.id, answer.error);
}

async function asked(
  client: UnifiedClient,
  bot: Bot,
  request: LinkRequest,
  change: (changes: Partial<Memory>) => void,
): Promise<CommandAnswer> {
  const answer = await run(client, bot, { botId: bot.id, action: "link", ...request }, true);
  if (answer.ok) change({ refusedUntil: null, cancelled: null });
  else if (answer.error.code === "too_many_link_attempts") {
    change({ refusedUntil: Date.now() + (answer.error.retryAfterMs ?? PAUSE_MS), cancelled: null });
  }
  return answer;
}
