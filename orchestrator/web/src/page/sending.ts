/** Sending as people do it: the same words go out once, however often they are sent while nobody answers. */
import { useCallback } from "react";
import { BROWSER } from "../browser.js";
import type { SendJob, SendRequest } from "../generated.js";
import { announce } from "./announce.js";
import { refused } from "./commands.js";
import type { Desk } from "./desk.js";
import { useShared } from "./live.js";
import { dismissAbout, toast } from "./parts/toasts.js";
import { BOT } from "./texts/bot.js";
import { attemptFor } from "./view/drafts.js";

/** Sends what was made in one place (a chat's field, a message that failed); true once the server has taken it. */
export type Send = (place: string, request: SendRequest) => Promise<boolean>;

export function useSending(desk: Desk, bot: string, sent: (job: SendJob, text: string) => void): Send {
  const { client } = useShared();
  return useCallback(
    async (place, request) => {
      const attempt = attemptFor(desk.attempts.get(place), request, () => `cmd_${BROWSER.newId()}`);
      desk.attempts.set(place, attempt);
      const answer = await client.command({ id: attempt.id, botId: bot, action: "send", ...attempt.request });
      const about = `send ${bot}`;
      if (answer.ok) {
        if (desk.attempts.get(place) === attempt) desk.attempts.delete(place);
        dismissAbout(about);
        sent(answer.result as SendJob, request.text ?? "");
      } else if (answer.error.code === "not_connected") {
        const title = BOT.talks.notAnswered;
        toast({ about, tone: "stop", icon: "alert", title, code: answer.error.code });
        announce(title, true);
      } else {
        refused(about, answer.error);
      }
      return answer.ok;
    },
    [client, desk, bot, sent],
  );
}
