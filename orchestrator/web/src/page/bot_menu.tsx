/** What can be done to a bot, as a menu, with the questions that come before what cannot be taken back. */
import { type ReactNode, useState } from "react";
import type { Bot } from "../generated.js";
import type { UnifiedClient } from "../types.js";
import { BotSettings } from "./bot_settings.js";
import { erase, logOut, steer } from "./commands.js";
import { useShared } from "./live.js";
import { Confirm } from "./parts/dialog.js";
import type { MenuItem } from "./parts/menu.js";
import { go } from "./router.js";
import { fill } from "./say.js";
import { PAGE } from "./texts/page.js";

/** What is asked before it is done, or opened to be changed. */
export type Asked = "logout" | "delete" | "settings";

/** What can be done to a bot. */
export function menuOf(client: UnifiedClient, bot: Bot, ask: (what: Asked) => void): ReadonlyArray<MenuItem> {
  const items: MenuItem[] = [];
  const { menu } = PAGE;
  if (bot.desired === "running")
    items.push({ id: "stop", label: menu.stop, icon: "pause", run: () => void steer(client, bot, "stop") });
  else if (bot.account !== null)
    items.push({ id: "start", label: menu.start, icon: "play", run: () => void steer(client, bot, "start") });
  if (bot.account !== null || bot.desired === "running")
    items.push({
      id: "restart",
      label: menu.restart,
      icon: "reconnecting",
      run: () => void steer(client, bot, "restart"),
    });
  if (bot.account === null)
    items.push({ id: "link", label: menu.link, icon: "awaiting_scan", run: () => go(`/bots/${bot.id}/link`) });
  else items.push({ id: "logout", label: menu.logout, icon: "logged_out", run: () => ask("logout") });
  items.push({ id: "settings", label: menu.settings, icon: "filter", run: () => ask("settings") });
  items.push({ id: "delete", label: menu.delete, icon: "trash", danger: true, run: () => ask("delete") });
  return items;
}

export interface BotMenu {
  readonly items: ReadonlyArray<MenuItem>;
  readonly dialog: ReactNode;
}

/** The menu of the bot a part is about; `dialog` is to be put into the part. */
export function useBotMenu(bot: Bot): BotMenu {
  const { client } = useShared();
  const [asked, setAsked] = useState<Asked | null>(null);
  const dialog = asked && <Question bot={bot} asked={asked} onClose={() => setAsked(null)} />;
  return { items: menuOf(client, bot, setAsked), dialog };
}

interface QuestionProps {
  readonly bot: Bot;
  readonly asked: Asked;
  readonly onClose: () => void;
}

export function Question({ bot, asked, onClose }: QuestionProps): ReactNode {
  const { client } = useShared();
  const { confirm } = PAGE;
  if (asked === "settings") return <BotSettings bot={bot} onClose={onClose} />;
  if (asked === "logout") {
    return (
      <Confirm
        title={fill(confirm.logoutTitle, { bot: bot.name })}
        body={confirm.logout}
        yes={confirm.logoutYes}
        no={confirm.keep}
        onClose={onClose}
        onYes={() => {
          onClose();
          void logOut(client, bot);
        }}
      />
    );
  }
  return (
    <Confirm
      title={fill(confirm.deleteTitle, { bot: bot.name })}
      body={bot.account === null ? confirm.deleteUnlinked : confirm.delete}
      typed={bot.name}
      yes={confirm.deleteYes}
      no={confirm.keep}
      onClose={onClose}
      onYes={() => {
        onClose();
        void erase(bot);
      }}
    />
  );
}
