/**
 * The Link step: what the server says about the attempt, with what a person did here. A reload, a second tab or another
 * day resumes it, because nothing of it is kept in the page. Owns actions and announcements; `view/link.ts` decides.
 */
import { type ReactNode, useCallback, useEffect, useMemo, useRef } from "react";
import type { Bot } from "../generated.js";
import type { State } from "../types.js";
import { announce } from "./announce.js";
import { useNow } from "./clock.js";
import { type LinkActions, useLinkActions } from "./link_actions.js";
import { LinkCard } from "./link_card.js";
import { useBots, useConnection, useLive, useShared } from "./live.js";
import { banCode, offlineSync } from "./log_queries.js";
import { Part, Shown } from "./part.js";
import { Confirm } from "./parts/dialog.js";
import { Button } from "./parts/ui.js";
import { PairingCode, PhoneEntry } from "./phone_panel.js";
import { NoCode, QrPanel, Veiled } from "./qr_panel.js";
import { fill } from "./say.js";
import { isSimulated } from "./session.js";
import { useTitle } from "./shell.js";
import { PlayPhone } from "./simulate.js";
import { PAGE } from "./texts/page.js";
import { WIZARD } from "./texts/wizard.js";
import { type LinkView, linkView, otherBot } from "./view/link.js";
import { Wizard } from "./wizard.js";

const DEFAULT_TRIES = 10;

/** Few change the proxy here: it is no part of what everybody loads. */
const settings = new Part(() => import("./bot_settings.js").then((file) => file.BotSettings));

export function LinkPage({ bot }: { readonly bot: Bot }): ReactNode {
  const { session } = useShared();
  const connection = useConnection();
  const link = useLive(useCallback((state: State) => state.links[bot.id], [bot.id]));
  const log = useLive(logOf);
  const sync = useMemo(() => offlineSync(log, bot.id), [log, bot.id]);
  const ban = useMemo(() => banCode(log, bot.id), [log, bot.id]);
  const bots = useBots();
  const actions = useLinkActions(bot);
  const now = useNow(250);
  const view = linkView({
    bot,
    link: actions.hidesNotice(link),
    connection,
    ui: actions.ui,
    now,
    maxTries: session.me.limits?.linkAttemptsPerHour ?? DEFAULT_TRIES,
    sync,
    ban,
    other: otherBot(Object.values(bots), bot, link),
  });
  const scan = link?.notice?.type === "pair_success" ? link.notice : null;
  const heading = useAnnounced(view);
  useTitle(titleOf(view, bot));
  return (
    <Wizard
      step="link"
      bot={bot.name}
      leave={view.leaving === "cancel" || view.leaving === "ask" ? "cancel" : "close"}
      banner={!TOLD_BY_CARD.has(view.state) || !BACK_BY_ITSELF.has(connection.state)}
      onLeave={() => actions.leave(view)}
    >
      <LinkCard
        bot={bot}
        view={view}
        tab={actions.ui.tab}
        busy={actions.busy}
        wait={connection.state === "live" ? null : PAGE.notLive}
        scannedAt={scan === null ? null : scan.at - connection.offset}
        restartMs={scan === null || bot.status !== "connected" ? null : bot.since - scan.at}
        heading={heading}
        left={<Left bot={bot} view={view} actions={actions} offset={connection.offset} />}
        simulate={<Simulate bot={bot} view={view} />}
        onTab={actions.setTab}
        onAction={(action) => void actions.act(action.id)}
      />
      <Questions bot={bot} actions={actions} />
    </Wizard>
  );
}

/** States of the card that say what is wrong with the connection, and what to do. */
const TOLD_BY_CARD: ReadonlySet<string> = new Set(["socket_lost", "elsewhere"]);
/** Connections for which the card has the right button; signing in again stands in the banner alone. */
const BACK_BY_ITSELF: ReadonlySet<string> = new Set([
  "reconnecting",
  "offline",
  "auth_unavailable",
  "server_draining",
  "slow_consumer",
  "already_connected",
  "taken_over",
  "other_tab",
]);

const logOf = (state: State): State["log"] => state.log;

function titleOf(view: LinkView, bot: Bot): string {
  if (view.code?.kind === "qr") {
    return fill(WIZARD.title.scan, { index: view.code.index, of: view.code.of, bot: bot.name });
  }
  return fill(WIZARD.title.other, { title: view.title, bot: bot.name });
}

interface LeftProps {
  readonly bot: Bot;
  readonly view: LinkView;
  readonly actions: LinkActions;
  readonly offset: number;
}

function Left({ bot, view, actions, offset }: LeftProps): ReactNode {
  if (view.state === "socket_lost" || view.state === "elsewhere")
    return <Veiled elsewhere={view.state === "elsewhere"} />;
  if (view.code?.kind === "qr") return <QrPanel code={view.code} />;
  if (view.code?.kind === "pairing_code") {
    return <PairingCode bot={bot.id} code={view.code} offset={offset} onChange={actions.changePhone} />;
  }
  if (view.layout === "phone") {
    return (
      <PhoneEntry
        bot={bot.id}
        busy={actions.busy === "get_code"}
        refused={actions.phoneRefused}
        onFault={actions.setPhoneFault}
        onAsk={actions.askCode}
      />
    );
  }
  const codeInUse = bot.link?.method === "code" && bot.status === "awaiting_scan";
  return (
    <NoCode icon="connecting" text={codeInUse ? view.body : WIZARD.qr.getting} spins={!codeInUse}>
      {codeInUse && <Button onClick={() => void actions.act("new_codes")}>{WIZARD.qr.getQr}</Button>}
    </NoCode>
  );
}

function Simulate({ bot, view }: { readonly bot: Bot; readonly view: LinkView }): ReactNode {
  const { session } = useShared();
  if (!isSimulated(session.version) || view.code === null) return null;
  return <PlayPhone bot={bot.id} kind={view.code.kind === "qr" ? "scan" : "enter_code"} />;
}

/** Each new state and each new code is said once; the focus goes to the heading when it was in what went away. */
function useAnnounced(view: LinkView) {
  const heading = useRef<HTMLHeadingElement>(null);
  const said = useRef("");
  const state = useRef(view.state);
  const key = `${view.state} ${view.code?.attempt ?? ""} ${view.code?.kind === "qr" ? view.code.index : ""}`;
  useEffect(() => {
    if (said.current === key) return;
    said.current = key;
    announce(view.announce, view.assertive);
  }, [key, view.announce, view.assertive]);
  useEffect(() => {
    if (state.current === view.state) return;
    state.current = view.state;
    const active = document.activeElement;
    if (active === null || active === document.body) heading.current?.focus({ preventScroll: true });
  }, [view.state]);
  return heading;
}

function Questions({ bot, actions }: { readonly bot: Bot; readonly actions: LinkActions }): ReactNode {
  const { confirm } = PAGE;
  if (actions.asking === "cancel") {
    return (
      <Confirm
        title={fill(confirm.cancelTitle, { bot: bot.name })}
        body={confirm.cancel}
        yes={confirm.cancelYes}
        no={confirm.goOn}
        onClose={() => actions.ask(null)}
        onYes={() => {
          actions.ask(null);
          actions.cancel();
        }}
      />
    );
  }
  if (actions.asking === "proxy") {
    const of = { bot, onClose: () => actions.ask(null), onSaved: () => void actions.act("retry") };
    return <Shown part={settings} of={of} />;
  }
  return null;
}
