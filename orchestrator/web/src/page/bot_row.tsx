/** One bot in the list: name and number, status with its cause, last day, last proof, restarts, the next action. */
import { memo, type ReactNode, type Ref, useState } from "react";
import type { Bot } from "../generated.js";
import { type Asked, menuOf } from "./bot_menu.js";
import { perform } from "./commands.js";
import type { Ribbon as History } from "./histories.js";
import { Icon } from "./icons.js";
import { useServerNow, useShared } from "./live.js";
import { Menu } from "./parts/menu.js";
import { Ribbon } from "./parts/ribbon.js";
import { Avatar, Button } from "./parts/ui.js";
import { shortened } from "./phone.js";
import { A } from "./router.js";
import { fill } from "./say.js";
import { PAGE } from "./texts/page.js";
import { provedAgo, type StatusView, statusView } from "./view/status.js";

interface BotRowProps {
  readonly bot: Bot;
  readonly position: number;
  readonly of: number;
  readonly ribbon: History | undefined;
  readonly live: boolean;
  readonly measure: Ref<HTMLElement>;
  /** Something is to be asked, in a dialog that stays when the row goes. */
  readonly onAsk: (bot: string, what: Asked) => void;
}

export const BotRow = memo(function BotRow(props: BotRowProps): ReactNode {
  const { bot, position, of, ribbon, live, measure, onAsk } = props;
  const { client, session } = useShared();
  const now = useServerNow();
  const view = statusView(bot, now, session.me.operator);
  return (
    <article
      ref={measure}
      className="gr br"
      data-row={bot.id}
      data-bot={bot.id}
      data-status={bot.status}
      aria-label={bot.name}
      aria-setsize={of}
      aria-posinset={position}
    >
      <div className="row c-bot">
        <Avatar name={bot.name} />
        <div className="ell txt">
          <div className="nm ell">
            <A to={`/bots/${bot.id}`} className="row-link">
              {bot.name}
            </A>
          </div>
          <div className="meta ell num">{numberOf(bot)}</div>
        </div>
      </div>
      <StatusCell view={view} quiet={bot.status === "connected"} />
      <div className="c-rib">{ribbon && <Ribbon statuses={ribbon.statuses} />}</div>
      <Proof bot={bot} now={now} />
      <div className={`c-rest small num ${restarts(bot, ribbon) ? "" : "meta"}`}>{restarts(bot, ribbon)}</div>
      <NextAction bot={bot} view={view} live={live} />
      <div className="c-more">
        <Menu
          label={fill(PAGE.list.more, { bot: bot.name })}
          items={menuOf(client, bot, (what) => onAsk(bot.id, what))}
        >
          <Icon name="more" />
        </Menu>
      </div>
    </article>
  );
});

function numberOf({ account, status }: Bot): string {
  if (account !== null) return shortened(account.phone);
  return status === "logged_out" || status === "blocked" ? PAGE.list.unlinked : PAGE.list.noNumber;
}

function restarts(bot: Bot, ribbon: History | undefined): number {
  return ribbon?.restarts ?? bot.restarts;
}

function Proof({ bot, now }: { readonly bot: Bot; readonly now: number }): ReactNode {
  const ago = provedAgo(bot, now);
  return (
    <div className="c-proof small num dim" title={ago === null ? undefined : fill(PAGE.list.provedAgo, { ago })}>
      {ago ?? PAGE.list.none}
    </div>
  );
}

function StatusCell({ view, quiet }: { readonly view: StatusView; readonly quiet: boolean }): ReactNode {
  return (
    <div className="c-stat">
      <StatusMark view={view} />
      {!quiet && (
        <div className="meta num why" title={view.line}>
          {view.line}
        </div>
      )}
    </div>
  );
}

/** Icon and label in the tone's colour. */
function StatusMark({ view }: { readonly view: StatusView }): ReactNode {
  return (
    <span className={`stat tone-${view.tone}`}>
      <Icon name={view.icon} className={view.spins ? "spin" : ""} />
      {view.label}
    </span>
  );
}

interface NextActionProps {
  readonly bot: Bot;
  readonly view: StatusView;
  readonly live: boolean;
}

/** The one thing to do next; it shows that it runs, the status changes when the server says so. */
export function NextAction({ bot, view, live }: NextActionProps): ReactNode {
  const { client } = useShared();
  const [busy, setBusy] = useState(false);
  const { action } = view;
  if (action === null) return <div className="act" />;
  const needsServer = action.id !== "scan" && action.id !== "operator_upgrade";
  const act = async () => {
    setBusy(true);
    await perform(client, bot, action.id);
    setBusy(false);
  };
  return (
    <div className="act">
      <Button busy={busy} wait={!live && needsServer ? PAGE.notLive : null} onClick={() => void act()}>
        {action.label}
      </Button>
    </div>
  );
}
