/** The card of the Link step: one layout for each kind of state, of one size, so that nothing moves. Owns markup only. */
import { type ReactNode, type Ref, useState } from "react";
import type { Bot } from "../generated.js";
import { Icon, type IconName } from "./icons.js";
import { useServerNow } from "./live.js";
import { usePageKey } from "./page_key.js";
import { Ring } from "./parts/ring.js";
import { Avatar, Button, Rich, Tabs, Tile } from "./parts/ui.js";
import { whole } from "./phone.js";
import { clockSeconds, fill, left, secondsLeft } from "./say.js";
import { LINKING } from "./texts/linking.js";
import { WIZARD } from "./texts/wizard.js";
import type { LinkAction, LinkView } from "./view/link.js";
import type { Tone } from "./view/status.js";

export interface LinkCardProps {
  readonly bot: Bot;
  readonly view: LinkView;
  readonly tab: "scan" | "phone";
  readonly busy: string | null;
  /** Why what needs the server waits. */
  readonly wait: string | null;
  readonly scannedAt: number | null;
  /** How long the restart took, once it is over; null also when the scan was not seen here. */
  readonly restartMs: number | null;
  readonly heading: Ref<HTMLHeadingElement>;
  readonly left: ReactNode;
  readonly simulate: ReactNode;
  readonly onTab: (tab: "scan" | "phone") => void;
  readonly onAction: (action: LinkAction) => void;
}

export function LinkCard(props: LinkCardProps): ReactNode {
  const { view } = props;
  if (view.layout === "icon") return <Trouble {...props} />;
  if (view.layout === "steps") return view.state === "connected" ? <RightNumber {...props} /> : <Progress {...props} />;
  const tabbed = ["scan", "waiting", "phone", "phone_error", "phone_code"].includes(view.state);
  return (
    <div className="wcard" data-state={view.state}>
      <div className={tabbed ? "lk tabbed" : "lk"}>
        <div className="lkL" id="link-panel">
          {view.state === "scan" && <p className="meta only-n">{WIZARD.secondScreen}</p>}
          {props.left}
        </div>
        <div className="lkR">
          {view.state === "multidevice" && (
            <span className="stat tone-you over">
              <Icon name="phone" />
              {WIZARD.qr.scannedNotLinked}
            </span>
          )}
          <Heading {...props} />
          {tabbed ? <HowTo {...props} /> : <p className="body">{view.body}</p>}
          {!tabbed && <Actions {...props} />}
          {tabbed && props.simulate}
          <Note view={view} />
        </div>
      </div>
    </div>
  );
}

function Heading({ view, heading }: LinkCardProps): ReactNode {
  return (
    <h1 ref={heading} tabIndex={-1}>
      {view.title}
    </h1>
  );
}

function Note({ view }: { readonly view: LinkView }): ReactNode {
  if (view.note === "") return null;
  return (
    <p className="note num">
      <Rich text={view.note} />
    </p>
  );
}

function Actions({ view, busy, wait, onAction }: LinkCardProps): ReactNode {
  const { primary, secondary } = view;
  if (primary === null && secondary === null) return null;
  const local = new Set([
    "close",
    "bots",
    "other_phone",
    "reconnect_now",
    "use_here",
    "continue",
    "open_other",
    "change_proxy",
  ]);
  const button = (action: LinkAction, kind: "pri" | "ghost" | "") => (
    <Button
      kind={kind}
      large
      busy={busy === action.id}
      wait={local.has(action.id) ? null : wait}
      onClick={() => onAction(action)}
    >
      {action.label}
    </Button>
  );
  return (
    <div className="acts">
      {primary && button(primary, "pri")}
      {secondary && button(secondary, primary ? "ghost" : "")}
    </div>
  );
}

function HowTo({ tab, onTab }: LinkCardProps): ReactNode {
  const [phone, setPhone] = useState<"android" | "iphone">("android");
  const steps = phone === "android" ? WIZARD.steps_android : WIZARD.steps_iphone;
  usePageKey((key) => {
    if (key === "ArrowLeft" || key === "ArrowRight") onTab(key === "ArrowLeft" ? "scan" : "phone");
  });
  const code = tab === "phone";
  const all = [
    ...steps.slice(0, 2),
    `${steps[2]}${code ? WIZARD.withNumber : ""}`,
    code ? WIZARD.lastCode : WIZARD.lastScan,
  ];
  const label = (
    <>
      <span className="only-w">{WIZARD.tabs.phone}</span>
      <span className="only-n">{WIZARD.tabs.phoneShort}</span>
    </>
  );
  return (
    <>
      <Tabs
        className="seg tabs"
        label={WIZARD.tabs.label}
        panel="link-panel"
        value={tab}
        onChange={onTab}
        choices={[
          { id: "scan", label: WIZARD.tabs.scan, icon: "awaiting_scan" },
          { id: "phone", label, icon: "phone" },
        ]}
      />
      <Tabs
        className="plat"
        label={WIZARD.phones.label}
        value={phone}
        onChange={setPhone}
        choices={[
          { id: "android", label: WIZARD.phones.android },
          { id: "iphone", label: WIZARD.phones.iphone },
        ]}
      />
      <ol className="how">
        {all.map((line) => (
          <li key={line}>
            <span>
              <Rich text={line} />
            </span>
          </li>
        ))}
      </ol>
    </>
  );
}

const ICONS: { readonly [state: string]: { readonly icon: string; readonly tone: string } } = LINKING.link as never;

function Trouble(props: LinkCardProps): ReactNode {
  const { view } = props;
  const look = ICONS[view.state];
  return (
    <div className="wcard" data-state={view.state}>
      <div className="solo">
        <div className="in">
          <Tile
            icon={(look?.icon ?? "failed") as IconName}
            tone={(look?.tone ?? "stop") as Tone}
            size="xl"
            iconSize="s28"
          />
          <Heading {...props} />
          <p className="body">{view.body}</p>
          {view.at !== null && <Waiting view={view} at={view.at} />}
          <Actions {...props} />
          {view.note !== "" && <p className={view.state === "expired" ? "meta tries" : "note"}>{view.note}</p>}
        </div>
      </div>
    </div>
  );
}

function Waiting({ view, at }: { readonly view: LinkView; readonly at: number }): ReactNode {
  const now = useServerNow();
  if (view.state === "banned") {
    return at <= now ? null : <div className="num leftover">{fill(WIZARD.leftOf, { left: left(at, now) })}</div>;
  }
  return (
    <div className="row next">
      {at > now ? <Ring seconds={secondsLeft(at, now)} of={15} /> : <Icon name="connecting" className="s20 spin" />}
      <span className="meta num">{at > now ? fill(WIZARD.tryIn, { left: left(at, now) }) : WIZARD.trying}</span>
    </div>
  );
}

function RightNumber(props: LinkCardProps): ReactNode {
  const { bot, view } = props;
  return (
    <div className="wcard" data-state={view.state}>
      <div className="lk">
        <div className="lkL tall">
          <span className="big-box">
            <Avatar name={bot.name} className="big" />
            <em>
              <Icon name="connected" />
            </em>
          </span>
          <div className="center">
            <div className="phone-number num">{bot.account === null ? "" : whole(bot.account.phone)}</div>
            <div className="dim">{bot.account?.pushName ?? ""}</div>
          </div>
        </div>
        <div className="lkR">
          <span className="stat tone-ok over">
            <Icon name="connected" />
            {WIZARD.connected}
          </span>
          <Heading {...props} />
          <p className="body">{view.body}</p>
          <Actions {...props} />
          <Note view={view} />
        </div>
      </div>
    </div>
  );
}

function Progress(props: LinkCardProps): ReactNode {
  const { view } = props;
  return (
    <div className="wcard" data-state={view.state}>
      <div className="lk">
        <div className="lkL tall">
          <div className="hand" aria-hidden="true">
            <Tile icon="phone" tone="busy" iconSize="s28" />
            <i className={view.state === "linking" ? "ln" : "ln ok"} />
            <Tile icon="pairing" tone="busy" iconSize="s28" />
            <i className={view.state === "syncing" ? "ln ok" : "ln"} />
            <Tile icon="bots" tone="busy" iconSize="s28" />
          </div>
        </div>
        <div className="lkR">
          <Heading {...props} />
          <p className="body">{view.body}</p>
          {view.state === "restarting" && view.leaving === "bot" ? null : <Timeline {...props} />}
          <Note view={view} />
        </div>
      </div>
    </div>
  );
}

function Timeline({ view, scannedAt, restartMs }: LinkCardProps): ReactNode {
  const words = WIZARD.timeline;
  const at = { linking: 1, restarting: 2, syncing: 4 }[view.state as "linking" | "restarting" | "syncing"] ?? 4;
  const rows = [
    [words.scanned, words.scannedNote, scannedAt === null ? "" : clockSeconds(scannedAt)],
    [words.linking, words.linkingNote, ""],
    [
      words.restart,
      words.restartNote,
      restartMs === null ? "" : fill(words.seconds, { seconds: (restartMs / 1000).toFixed(1) }),
    ],
    [words.connected, "", ""],
  ] as const;
  return (
    <ol className="tl">
      {rows.map(([title, note, time], index) => {
        const state = index < at ? "done" : index === at ? "now" : "";
        return (
          <li key={title} className={state} aria-current={state === "now" ? "step" : undefined}>
            <span className="k">
              {state === "done" && <Icon name="check" className="s14" />}
              {state === "now" && <Icon name="connecting" className="s14 spin" />}
            </span>
            <div>
              <b>{title}</b>
              {note !== "" && state !== "" && <p>{note}</p>}
            </div>
            <span className="d">{state === "done" ? time : ""}</span>
          </li>
        );
      })}
    </ol>
  );
}
