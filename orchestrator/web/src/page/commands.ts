/**
 * What people ask of a bot, and what they are told about it. Commands go over the page's one socket; outcomes are events,
 * so a button never changes a status. Owns the words of refusals.
 */
import type { Bot } from "../generated.js";
import type { Command, CommandAnswer, CommandError, UnifiedClient } from "../types.js";
import { announce } from "./announce.js";
import { toast } from "./parts/toasts.js";
import { ask, Problem } from "./rest.js";
import { go } from "./router.js";
import { fill } from "./say.js";
import { PAGE } from "./texts/page.js";
import type { ActionId } from "./view/status.js";

/** Run a command; a refusal is told unless the caller does it. */
export async function run(client: UnifiedClient, bot: Bot, command: Command, quiet = false): Promise<CommandAnswer> {
  const answer = await client.command(command);
  if (!answer.ok && !quiet) refused(bot.id, answer.error);
  return answer;
}

/** Tell that something was refused. */
export function refused(about: string, error: Pick<CommandError, "code" | "message">): void {
  const text = error.code === "not_connected" ? PAGE.notConnected : fill(PAGE.refused, { message: error.message });
  toast({ about, tone: "stop", icon: "alert", title: text, code: error.code });
  announce(text, true);
}

/** The next action of a bot. */
export async function perform(client: UnifiedClient, bot: Bot, id: ActionId): Promise<void> {
  switch (id) {
    case "scan":
      go(`/bots/${bot.id}/link`);
      return;
    case "request_new_code":
    case "link_again":
    case "use_other_account": {
      const answer = await run(client, bot, { botId: bot.id, action: "link", method: "qr" });
      if (answer.ok || answer.error.code === "too_many_link_attempts") go(`/bots/${bot.id}/link`);
      return;
    }
    case "operator_upgrade":
      go("/fleet");
      return;
    case "retry":
    case "open_whatsapp":
      await run(client, bot, { botId: bot.id, action: "restart" });
      return;
    case "start":
    case "reconnect_here":
    case "try_now":
      await run(client, bot, { botId: bot.id, action: "start" });
  }
}

/** Start, stop, restart: no question before, a word after. */
export async function steer(client: UnifiedClient, bot: Bot, action: "start" | "stop" | "restart"): Promise<void> {
  const answer = await run(client, bot, { botId: bot.id, action });
  if (answer.ok) told(bot, PAGE.done[action]);
}

/** Unlink at WhatsApp; when WhatsApp did not confirm, say what to do on the phone. */
export async function logOut(client: UnifiedClient, bot: Bot): Promise<boolean> {
  const answer = await run(client, bot, { botId: bot.id, action: "logout" });
  if (!answer.ok) return false;
  const result = answer.result as { readonly unlinked?: boolean } | null;
  if (result?.unlinked === false) {
    const text = fill(PAGE.removeByHand, { device: bot.deviceName });
    // Not about the bot as it is now: nothing that follows takes the place of this, nor takes it away.
    const about = `device of ${bot.id}`;
    toast({ about, tone: "you", icon: "phone", title: text, action: { label: PAGE.ok, run: () => undefined } });
    announce(text);
  } else {
    told(bot, PAGE.done.logout);
  }
  return true;
}

/** Delete a bot and everything of it. */
export async function erase(bot: Bot): Promise<void> {
  try {
    await ask("DELETE", `/bots/${bot.id}`);
    told(bot, PAGE.done.delete);
    go("/");
  } catch (error) {
    if (error instanceof Problem) refused(bot.id, error);
  }
}

function told(bot: Bot, words: string): void {
  const title = fill(words, { bot: bot.name });
  toast({ about: bot.id, tone: "ok", icon: "connected", title });
  announce(title);
}
