/** One bot: status with its cause and next action, facts, last day, conversations and live events. Owns the layout. */
import { type ReactNode, useEffect, useState } from "react";
import type { Bot } from "../generated.js";
import "./css/parts.css";
import { useBotMenu } from "./bot_menu.js";
import { NextAction } from "./bot_row.js";
import { steer } from "./commands.js";
import { EventLog } from "./event_log.js";
import { type Ribbon as History, useRibbons } from "./histories.js";
import { Icon } from "./icons.js";
import { useConnection, useServerNow, useShared } from "./live.js";
import { usePageKey } from "./page_key.js";
import { Menu } from "./parts/menu.js";
import { Ribbon } from "./parts/ribbon.js";
import { Ring } from "./parts/ring.js";
import { Avatar, Button, Tabs, Tile } from "./parts/ui.js";
import { shortened, whole } from "./phone.js";
import { A, setQuery, usePlace } from "./router.js";
import { clock, date, fill, left, secondsLeft, utc } from "./say.js";
import { useTitle } from "./shell.js";
import { TalksPane } from "./talks_pane.js";
import { BOT } from "./texts/bot.js";
import { PAGE } from "./texts/page.js";
import { WIZARD } from "./texts/wizard.js";
import { provedAgo, type StatusView, statusView } from "./view/status.js";

export function BotPage({ bot }: { readonly bot: Bot }): ReactNode {
  const { session } = useShared();
  const live = useConnection().state === "live";
  const now = useServerNow();
  const view = statusView(bot, now, session.me.operator);
  const history = useRibbons(live)?.[bot.id];
  useTitle(`${bot.name} · ${view.label}`);
  return (
    <>
      <nav className="crumb" aria-label="Breadcrumb">
        <A to="/">{PAGE.bots}</A>
        <Icon name="right" className="s14" />
        <span>{bot.name}</span>
      </nav>
      <Head bot={bot} view={view} live={live} />
      <section className={`card tone-${view.tone}`} data-bot={bot.id} data-status={bot.status} aria-label={view.label}>
        <Band bot={bot} view={view} live={live} now={now} />
        <Facts bot={bot} now={now} history={history} />
        <LastDay history={history} now={now} />
      </section>
      <Panes bot={bot} />
    </>
  );
}

interface HeadProps {
  readonly bot: Bot;
  readonly view: StatusView;
  readonly live: boolean;
}

/** Restart and stop stand here while there is something to stop; what else can be done is in the menu. */
function Head({ bot, view, live }: HeadProps): ReactNode {
  const { client } = useShared();
  const menu = useBotMenu(bot);
  const wait = live ? null : PAGE.notLive;
  const running = view.group !== "you" && view.group !== "off";
  return (
    <div className="head">
      <Avatar name={bot.name} className="medium" />
      <h1>{bot.name}</h1>
      <span className="grow" />
      {running && bot.account !== null && (
        <Button className="only-w" wait={wait} onClick={() => void steer(client, bot, "restart")}>
          {BOT.restart}
        </Button>
      )}
      {running && bot.desired === "running" && (
        <Button className="only-w" wait={wait} onClick={() => void steer(client, bot, "stop")}>
          {BOT.stop}
        </Button>
      )}
      <Menu label={BOT.more} items={menu.items} className="btn sq">
        <Icon name="more" />
      </Menu>
      {menu.dialog}
    </div>
  );
}

interface BandProps {
  readonly bot: Bot;
  readonly view: StatusView;
  readonly live: boolean;
  readonly now: number;
}

/** A ring shows time that is nearly over; of more it would only stand full. */
const RING_MS = 60_000;

function Band({ bot, view, live, now }: BandProps): ReactNode {
  const waits = view.at !== null && view.at > now && view.at - now < 3_600_000 ? view.at : null;
  return (
    <div className="band">
      <Tile icon={view.icon} tone={view.tone} />
      <div>
        <h2>{view.label}</h2>
        <p className="dim num">{view.line}</p>
      </div>
      <div className="acts flat">
        {waits !== null && bot.status !== "awaiting_scan" && (
          <div className="row next">
            {waits - now <= RING_MS && <Ring seconds={secondsLeft(waits, now)} of={RING_MS / 1000} />}
            <span className="meta num">{fill(WIZARD.tryIn, { left: left(waits, now) })}</span>
          </div>
        )}
        {view.action !== null && <NextAction bot={bot} view={view} live={live} />}
      </div>
    </div>
  );
}

interface FactsProps {
  readonly bot: Bot;
  readonly now: number;
  readonly history: History | undefined;
}

function Facts({ bot, now, history }: FactsProps): ReactNode {
  const words = BOT.facts;
  const ago = provedAgo(bot, now);
  return (
    <dl className="facts">
      <div>
        <dt>{words.number}</dt>
        <dd className="num">{bot.account === null ? words.noNumber : <PhoneNumber phone={bot.account.phone} />}</dd>
      </div>
      <Fact name={words.pushName}>{bot.account?.pushName ?? words.never}</Fact>
      <Fact name={words.device} wide>
        {bot.deviceName}
      </Fact>
      <Fact name={words.proof}>
        {ago === null || bot.provedAt === null ? (
          words.never
        ) : (
          <time dateTime={new Date(bot.provedAt).toISOString()} title={utc(bot.provedAt)}>
            {fill(words.ago, { ago })}
          </time>
        )}
      </Fact>
      <Fact name={words.restarts}>{history?.restarts ?? bot.restarts}</Fact>
      <Fact name={words.created} wide>
        <time dateTime={new Date(bot.createdAt).toISOString()} title={utc(bot.createdAt)}>
          {date(bot.createdAt)}
        </time>
      </Fact>
    </dl>
  );
}

function Fact(props: { readonly name: string; readonly wide?: boolean; readonly children: ReactNode }): ReactNode {
  return (
    <div className={props.wide ? "only-w" : undefined}>
      <dt>{props.name}</dt>
      <dd className="num ell">{props.children}</dd>
    </div>
  );
}

/** Shortened until somebody wants to see it. */
function PhoneNumber({ phone }: { readonly phone: string }): ReactNode {
  const [shown, setShown] = useState(false);
  return (
    <>
      {shown ? whole(phone) : shortened(phone)}{" "}
      <button type="button" className="as-link quiet" aria-expanded={shown} onClick={() => setShown(!shown)}>
        {shown ? BOT.facts.hide : BOT.facts.show}
      </button>
    </>
  );
}

/** Its place is kept until it has come: nothing below it moves then. */
function LastDay({ history, now }: { readonly history: History | undefined; readonly now: number }): ReactNode {
  if (history === undefined) return <div className="rib24 only-w" aria-hidden="true" />;
  const span = history.statuses.length * 1_800_000;
  const marks = [0.25, 0.5, 0.75].map((part) => history.since + span * part);
  return (
    <div className="rib24 only-w">
      <Ribbon statuses={history.statuses} height={22} />
      <div className="axis" aria-hidden="true">
        <span>{fill(BOT.axis.yesterday, { time: clock(history.since, history.since) })}</span>
        {marks.map((at) => (
          <span key={at}>{clock(at, now)}</span>
        ))}
        <span>{BOT.axis.now}</span>
      </div>
    </div>
  );
}

const NARROW = "(max-width: 767px)";

function show(tab: "talks" | "events"): void {
  setQuery("tab", tab === "events" ? tab : null);
}

/** Side by side where there is room, else behind tabs. */
function Panes({ bot }: { readonly bot: Bot }): ReactNode {
  const narrow = useMedia(NARROW);
  const tab = usePlace().query.get("tab") === "events" ? "events" : "talks";
  usePageKey((key) => {
    if (key === "1" || key === "2") show(key === "1" ? "talks" : "events");
  });
  if (!narrow) {
    return (
      <div className="two">
        <TalksPane bot={bot} />
        <EventLog bot={bot} />
      </div>
    );
  }
  return (
    <>
      <Tabs
        className="seg pane-tabs"
        label={BOT.tabs.label}
        value={tab}
        onChange={show}
        choices={[
          { id: "talks", label: BOT.tabs.talks },
          { id: "events", label: BOT.tabs.events },
        ]}
      />
      <div className="two">{tab === "talks" ? <TalksPane bot={bot} /> : <EventLog bot={bot} />}</div>
    </>
  );
}

function useMedia(query: string): boolean {
  const [matches, setMatches] = useState(() => matchMedia(query).matches);
  useEffect(() => {
    const media = matchMedia(query);
    const change = () => setMatches(media.matches);
    change();
    media.addEventListener("change", change);
    return () => media.removeEventListener("change", change);
  }, [query]);
  return matches;
}
