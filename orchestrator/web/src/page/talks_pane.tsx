/** A bot's conversations: chats on one side, the open one on the other; on a narrow screen one of the two. */
import { type ReactNode, useEffect, useState } from "react";
import type { Bot } from "../generated.js";
import { type Desk, deskOf } from "./desk.js";
import { useConnection, useServerNow, useShared } from "./live.js";
import { NewMessage } from "./new_message.js";
import { Avatar, Button } from "./parts/ui.js";
import { ofAddress, shortened } from "./phone.js";
import { clock, fill } from "./say.js";
import { type Send, useSending } from "./sending.js";
import { type Part, type Talks, useTalks } from "./talks.js";
import { BOT } from "./texts/bot.js";
import { PAGE } from "./texts/page.js";
import { Thread } from "./thread.js";
import { type ChatView, chatAt, keptFor, unread } from "./view/chats.js";
import type { Item } from "./view/conversation.js";

const words = BOT.talks;

/** Another bot is another pane: nothing of one is shown, or sent, for another. */
export function TalksPane({ bot }: { readonly bot: Bot }): ReactNode {
  return <Pane key={bot.id} bot={bot} />;
}

function Pane({ bot }: { readonly bot: Bot }): ReactNode {
  const { client } = useShared();
  const talks = useTalks(bot.id);
  const desk = deskOf(client, bot.id);
  const live = useConnection().state === "live";
  const [open, chat, setOpen] = useOpenChat(talks);
  const [writing, setWriting] = useState(false);
  const send = useSending(desk, bot.id, talks.sent);
  const wait = bot.account === null ? words.notLinked : live ? null : PAGE.notLive;
  return (
    <section className="card pane" aria-labelledby="talks-title">
      <div className="ph">
        <h2 id="talks-title">{words.title}</h2>
        <span className="grow" />
        <Button kind="ghost" icon="plus" wait={wait} onClick={() => setWriting(true)}>
          {words.newMessage}
        </Button>
      </div>
      <Body talks={talks} desk={desk} open={open} chat={chat} onOpen={setOpen} bot={bot} wait={wait} send={send} />
      {writing && (
        <NewMessage
          onClose={() => setWriting(false)}
          onSend={async (to, text) => {
            if (await send(`new ${to}`, { to, text })) setWriting(false);
          }}
        />
      )}
    </section>
  );
}

/**
 * The open chat, by the address it was opened with. What somebody chose is kept in the history's state, not in the
 * address; where nothing was chosen and there is room, the newest one is opened and stays, whoever writes next.
 */
function useOpenChat(talks: Talks): readonly [string | null, ChatView | undefined, (chat: string | null) => void] {
  const [open, setOpen] = useState<string | null>(() => {
    const state = history.state as { readonly chat?: string } | null;
    return state?.chat ?? null;
  });
  const { addresses, chats, loaded } = talks;
  const chat = open === null ? undefined : chatAt(chats, addresses, open);
  if (loaded && chat === undefined) {
    const wide = matchMedia("(min-width: 768px)").matches;
    const instead = wide ? (chats[0]?.chat ?? null) : null;
    if (instead !== open) setOpen(instead);
  }
  const choose = (chosen: string | null) => {
    history.replaceState({ ...(history.state as object | null), chat: chosen }, "");
    setOpen(chosen);
  };
  return [open, chat, choose];
}

interface BodyProps {
  readonly bot: Bot;
  readonly talks: Talks;
  readonly desk: Desk;
  readonly open: string | null;
  readonly chat: ChatView | undefined;
  readonly wait: string | null;
  readonly onOpen: (chat: string | null) => void;
  readonly send: Send;
}

function Body({ bot, talks, desk, open, chat, wait, onOpen, send }: BodyProps): ReactNode {
  const { addresses, chats, failed, loaded } = talks;
  if (!loaded && failed !== null) {
    return (
      <div className="empty small">
        <p>{words.failedToLoad}</p>
        <Button onClick={() => talks.load(failed)}>{words.again}</Button>
      </div>
    );
  }
  if (!loaded && chats.length === 0) return <Loading />;
  if (loaded && chats.length === 0) {
    return (
      <div className="empty small">
        <h3>{words.none}</h3>
        <p>{words.noneText}</p>
      </div>
    );
  }
  return (
    <div className={chat ? "chatgrid picked" : "chatgrid"}>
      <ul className="chats" aria-label={words.list}>
        {failed === "newest" && <More part={failed} talks={talks} />}
        {chats.map((one) => (
          <ChatRow key={one.chat} {...{ desk, addresses }} chat={one} current={one === chat} onOpen={onOpen} />
        ))}
        {talks.more && <More part="older" talks={talks} />}
      </ul>
      {chat ? (
        <Thread
          key={open}
          {...{ bot, chat, desk, wait, send }}
          slot={keptFor(desk.drafts(), addresses, chat.chat)?.[0] ?? chat.chat}
          name={nameOf(chat)}
          onBack={() => onOpen(null)}
        />
      ) : (
        <div className="thread" />
      )}
    </div>
  );
}

const SKELETONS = [110, 84, 132, 96];

/** Nothing for a moment, then rows of the real height. */
function Loading(): ReactNode {
  return (
    <div className="chatgrid late" aria-busy="true">
      <div className="chats">
        {SKELETONS.map((width) => (
          <div className="ch" key={width}>
            <span className="ava round" />
            <span>
              <span className="skel" style={{ width, marginBottom: 9 }} />
              <span className="skel" style={{ width: width * 0.8, height: 9 }} />
            </span>
          </div>
        ))}
      </div>
      <div className="thread" />
    </div>
  );
}

/** Reads stored messages; says so when they could not be. */
function More({ part, talks }: { readonly part: Part; readonly talks: Talks }): ReactNode {
  const failed = talks.failed === part;
  return (
    <li className="more">
      {failed && <p className="meta">{words.failedToLoad}</p>}
      <Button kind="ghost" busy={part === "older" && talks.busy} onClick={() => talks.load(part)}>
        {failed ? words.again : words.older}
      </Button>
    </li>
  );
}

function nameOf(chat: Pick<ChatView, "name" | "chat" | "group">): string {
  if (chat.name) return chat.name;
  const phone = ofAddress(chat.chat) ?? (/^\d{5,15}$/.test(chat.chat) ? chat.chat : null);
  if (phone !== null) return shortened(phone);
  if (chat.group) return words.group;
  // WhatsApp hides the number behind an id of its own, which looks like one and is none.
  return chat.chat.endsWith("@lid") ? fill(words.hidden, { id: chat.chat.split("@")[0]?.slice(-4) ?? "" }) : chat.chat;
}

interface ChatRowProps {
  readonly chat: ChatView;
  readonly desk: Desk;
  readonly addresses: Talks["addresses"];
  readonly current: boolean;
  readonly onOpen: (chat: string) => void;
}

function ChatRow({ chat, desk, addresses, current, onOpen }: ChatRowProps): ReactNode {
  const news = useUnread(chat, desk, addresses, current);
  const now = useServerNow(60_000);
  const name = nameOf(chat);
  return (
    <li>
      <button type="button" className="ch" aria-current={current || undefined} onClick={() => onOpen(chat.chat)}>
        <Avatar name={name} className="round" />
        <span className="ell">
          <span className="n ell">{name}</span>
          <span className="p ell">{previewOf(chat)}</span>
        </span>
        <span className="chat-side">
          <span className="meta num">{clock(chat.last.at, now)}</span>
          {news > 0 && <span className="badge num">{news}</span>}
        </span>
      </button>
    </li>
  );
}

/** How many messages came since the chat was last open in this page, or the page was opened. */
function useUnread(chat: ChatView, desk: Desk, addresses: Talks["addresses"], current: boolean): number {
  const newest = chat.items.reduce((most, item) => Math.max(most, item.told), 0);
  const [slot, seen] = keptFor(desk.seen, addresses, chat.chat) ?? [chat.chat, desk.since];
  useEffect(() => {
    if (current) desk.seen.set(slot, newest);
  }, [current, desk, slot, newest]);
  return current ? 0 : unread(chat, seen);
}

function previewOf(chat: ChatView): string {
  const { last } = chat;
  const text = summary(last);
  if (last.fromMe) return words.you.replace("{text}", text);
  return chat.group && last.senderName ? `${last.senderName}: ${text}` : text;
}

/** A message in a few words. */
export function summary(item: Item): string {
  if (item.revoked) return words.deleted;
  if (item.waiting) return words.waiting;
  const kinds: { readonly [kind: string]: string } = BOT.kinds;
  return item.text ?? kinds[item.kind] ?? item.kind.replaceAll("_", " ");
}
