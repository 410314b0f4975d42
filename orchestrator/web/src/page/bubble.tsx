/** One message: its text or file, what became of it, reactions. Ticks differ by shape and have names. */
import { memo, type ReactNode, useState } from "react";
import { Icon, type IconName } from "./icons.js";
import { ofAddress, shortened } from "./phone.js";
import { bytes, clock, fill, playing, utc } from "./say.js";
import { BOT } from "./texts/bot.js";
import type { Item, SendState } from "./view/conversation.js";

const words = BOT.talks;

interface BubbleProps {
  readonly item: Item;
  readonly gap: boolean;
  /** Whether the sender's name stands above: in groups. */
  readonly named: boolean;
  readonly connected: boolean;
  /** Sends it again; null where it cannot be, or has been. */
  readonly onAgain: OnAgain | null;
  /** Why nothing can be sent now. */
  readonly wait: string | null;
}

export type OnAgain = (item: Item) => Promise<boolean>;

export const Bubble = memo(function Bubble({ item, gap, named, ...under }: BubbleProps): ReactNode {
  return (
    <>
      <div className={`bub ${item.fromMe ? "me" : ""} ${gap ? "gap" : ""}`} data-message={item.state ?? "in"}>
        {named && !item.fromMe && <div className="who">{senderOf(item)}</div>}
        <Content item={item} />
        <span className="t">
          {item.editedAt !== null && <span>{words.edited}</span>}
          <time dateTime={new Date(item.at).toISOString()} title={utc(item.at)}>
            {clock(item.at, item.at)}
          </time>
          {item.fromMe && item.state && <Tick state={item.state} />}
        </span>
      </div>
      <Reactions reactions={item.reactions} mine={item.fromMe} />
      <Under item={item} {...under} />
    </>
  );
});

function senderOf(item: Item): string {
  const phone = ofAddress(item.sender);
  return item.senderName ?? (phone === null ? "" : shortened(phone));
}

function Content({ item }: { readonly item: Item }): ReactNode {
  if (item.revoked) return <i className="meta">{words.deleted}</i>;
  if (item.waiting) return <i className="meta">{words.waiting}</i>;
  const kinds: { readonly [kind: string]: string } = BOT.kinds;
  const special = item.kind !== "text";
  return (
    <>
      {item.media && <File item={item} label={kinds[item.kind] ?? item.kind} />}
      {special && !item.media && (
        <span className="strong">
          {kinds[item.kind] ?? item.kind.replaceAll("_", " ")}
          {item.extra !== null && `: ${item.extra}`}{" "}
        </span>
      )}
      {item.text !== null && <span className="words">{item.text}</span>}
    </>
  );
}

/** A file as what is known of it: a small picture, its name, kind and size. Its bytes stay where they are. */
function File({ item, label }: { readonly item: Item; readonly label: string }): ReactNode {
  const { media } = item;
  if (media === null) return null;
  const facts = [label, media.seconds ? playing(media.seconds) : null, media.size ? bytes(media.size) : null];
  const thumbnail = /^[A-Za-z0-9+/=]+$/.test(media.thumbnail ?? "") ? media.thumbnail : null;
  return (
    <span className="file">
      {thumbnail ? (
        <img src={`data:image/jpeg;base64,${thumbnail}`} alt="" />
      ) : (
        <span className="tile tone-off">
          <Icon name={item.kind === "audio" || item.kind === "voice" ? "play" : "msg"} className="s20" />
        </span>
      )}
      <span className="ell">
        {media.name && <span className="strong ell">{media.name}</span>}
        <span className="meta num">{facts.filter(Boolean).join(" · ")}</span>
      </span>
    </span>
  );
}

const TICKS: { readonly [state in SendState]: IconName } = {
  queued: "clock",
  sent: "check",
  delivered: "checks",
  read: "checks",
  failed: "alert",
  unknown: "q",
};

function Tick({ state }: { readonly state: SendState }): ReactNode {
  return (
    <span className={`tick tick-${state}`} role="img" aria-label={BOT.ticks[state]} title={BOT.ticks[state]}>
      <Icon name={TICKS[state]} className="s14" />
    </span>
  );
}

function Reactions({ reactions, mine }: { readonly reactions: Item["reactions"]; readonly mine: boolean }): ReactNode {
  const all = [...new Set(Object.values(reactions))];
  if (all.length === 0) return null;
  const list = all.join(" ");
  return (
    <span className={mine ? "reactions me" : "reactions"} role="img" aria-label={fill(words.reactions, { list })}>
      {list}
    </span>
  );
}

type UnderProps = Pick<BubbleProps, "item" | "connected" | "onAgain" | "wait">;

/** What there is to say or do about a message that is not simply sent. */
function Under({ item, connected, onAgain, wait }: UnderProps): ReactNode {
  const { state } = item;
  const again = onAgain !== null && <Again item={item} onAgain={onAgain} wait={wait} />;
  if (state === "failed") {
    return (
      <div className="under stop">
        {item.error?.text ?? BOT.ticks.failed} {again}
      </div>
    );
  }
  if (state === "unknown") {
    return (
      <div className="under">
        {words.notKnown} {again}
      </div>
    );
  }
  return state === "queued" && !connected ? <div className="under">{words.goesOut}</div> : null;
}

interface AgainProps {
  readonly item: Item;
  readonly onAgain: OnAgain;
  readonly wait: string | null;
}

function Again({ item, onAgain, wait }: AgainProps): ReactNode {
  const [busy, setBusy] = useState(false);
  const blocked = busy || wait !== null;
  const press = async () => {
    if (blocked) return;
    setBusy(true);
    await onAgain(item);
    setBusy(false);
  };
  return (
    <button
      type="button"
      className="as-link"
      aria-disabled={blocked || undefined}
      title={wait ?? undefined}
      onClick={() => void press()}
    >
      {item.state === "failed" ? words.again : words.sendAgain}
    </button>
  );
}
