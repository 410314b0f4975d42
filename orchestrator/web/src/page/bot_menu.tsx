/** What can be done to a bot, as a menu, with the questions that come before what cannot be taken back. */
import { type ReactNode, useState } from "react";
import type { Bot } from "../generated.js";
import { BotSettings } from "./bot_settings.js";
import { erase, logOut, steer } from "./commands.js";
import { useShared } from "./live.js";
import { Confirm } from "./parts/dialog.js";
import type { MenuItem } from "./parts/menu.js";
import { go } from "./router.js";
import { fill } from "./say.js";
import { PAGE } from "./texts/page.js";

export interface BotMenu {
  readonly items: ReadonlyArray<MenuItem>;
  readonly dialog: ReactNode;
}

/** The menu of a bot; `dialog` is to be put into the page. */
export function useBotMenu(bot: Bot): BotMenu {
  const { client } = useShared();
  const [asking, setAsking] = useState<"logout" | "delete" | "settings" | null>(null);
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
  else items.push({ id: "logout", label: menu.logout, icon: "logged_out", run: () => setAsking("logout") });
  items.push({ id: "settings", label: menu.settings, icon: "filter", run: () => setAsking("settings") });
  items.push({ id: "delete", label: menu.delete, icon: "trash", danger: true, run: () => setAsking("delete") });
  return { items, dialog: asking && <Question bot={bot} asking={asking} onClose={() => setAsking(null)} /> };
}

interface QuestionProps {
  readonly bot: Bot;
  readonly asking: "logout" | "delete" | "settings";
  readonly onClose: () => void;
}

function Question({ bot, asking, onClose }: QuestionProps): ReactNode {
  const { client } = useShared();
  const { confirm } = PAGE;
  if (asking === "settings") return <BotSettings bot={bot} onClose={onClose} />;
  if (asking === "logout") {
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
