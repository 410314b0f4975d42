/** Ready: the bot is linked, and what to do next. */
import { type ReactNode, useMemo, useState } from "react";
import type { Bot } from "../generated.js";
import type { State } from "../types.js";
import { run } from "./commands.js";
import { useConnection, useLive, useServerNow, useShared } from "./live.js";
import { offlineSync } from "./log_queries.js";
import { toast } from "./parts/toasts.js";
import { Button, Rich, Tile } from "./parts/ui.js";
import { whole } from "./phone.js";
import { go } from "./router.js";
import { fill } from "./say.js";
import { useTitle } from "./shell.js";
import { PAGE } from "./texts/page.js";
import { WIZARD } from "./texts/wizard.js";
import { statusView } from "./view/status.js";
import { Wizard } from "./wizard.js";

const logOf = (state: State): State["log"] => state.log;

export function ReadyPage({ bot }: { readonly bot: Bot }): ReactNode {
  const { client } = useShared();
  const live = useConnection().state === "live";
  const log = useLive(logOf);
  const sync = useMemo(() => offlineSync(log, bot.id), [log, bot.id]);
  const [busy, setBusy] = useState(false);
  const words = WIZARD.ready;
  const status = statusView(bot, useServerNow(), false);
  const title = fill(words.title, { bot: bot.name });
  useTitle(title);
  const test = async () => {
    if (bot.account === null) return;
    setBusy(true);
    const text = fill(words.testText, { bot: bot.name });
    const answer = await run(client, bot, { botId: bot.id, action: "send", to: bot.account.phone, text });
    setBusy(false);
    if (answer.ok) toast({ about: bot.id, tone: "ok", icon: "send", title: words.testSent });
  };
  return (
    <Wizard step="ready" bot={bot.name} leave="close" onLeave={() => go(`/bots/${bot.id}`)}>
      <div className="wcard" data-state="ready">
        <div className="lk">
          <div className="lkL tall">
            <Tile icon="connected" tone="ok" size="xl" iconSize="s28" />
            <div className="center">
              <div className="phone-number num">{bot.account === null ? "" : whole(bot.account.phone)}</div>
              <div className="dim">{bot.account?.pushName ?? bot.name}</div>
            </div>
          </div>
          <div className="lkR">
            <h1 tabIndex={-1}>{title}</h1>
            <p className="body">{bodyOf(bot, sync, status.label)}</p>
            <div className="acts">
              <Button kind="pri" large onClick={() => go(`/bots/${bot.id}`)}>
                {words.open}
              </Button>
              <Button large busy={busy} wait={live ? null : PAGE.notLive} onClick={() => void test()}>
                {words.test}
              </Button>
              <Button kind="ghost" large onClick={() => go("/new")}>
                {words.another}
              </Button>
            </div>
            <p className="note">
              <Rich text={fill(words.note, { device: bot.deviceName })} />
            </p>
          </div>
        </div>
      </div>
    </Wizard>
  );
}

function bodyOf(bot: Bot, sync: ReturnType<typeof offlineSync>, status: string): string {
  const words = WIZARD.ready;
  if (bot.status !== "connected") return fill(words.notYet, { bot: bot.name, status });
  if (sync === null || sync.count === 0) return words.fresh;
  return sync.done ? words.synced : fill(words.syncing, { count: sync.count });
}
