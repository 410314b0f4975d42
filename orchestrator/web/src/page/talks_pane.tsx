/** A bot's conversations: chats on one side, the open one on the other; on a narrow screen one of the two. */
import { type ReactNode, useEffect, useState } from "react";
import type { Bot, SendJob } from "../generated.js";
import { run } from "./commands.js";
import { useConnection, useServerNow, useShared } from "./live.js";
import { NewMessage } from "./new_message.js";
import { Avatar, Button } from "./parts/ui.js";
import { ofAddress, shortened } from "./phone.js";
import { clock, fill } from "./say.js";
import { type Talks, useTalks } from "./talks.js";
import { BOT } from "./texts/bot.js";
import { PAGE } from "./texts/page.js";
import { Thread } from "./thread.js";
import type { ChatView, Item } from "./view/conversation.js";

const words = BOT.talks;

export function TalksPane({ bot }: { readonly bot: Bot }): ReactNode {
  const { client } = useShared();
  const talks = useTalks(bot.id);
  const live = useConnection().state === "live";
  const [open, setOpen] = useOpenChat();
  const [writing, setWriting] = useState(false);
  const wide = matchMedia("(min-width: 768px)").matches;
  const chat = talks.chats.find((one) => one.chat === open) ?? (wide ? talks.chats[0] : undefined);
  const send = async (to: string, text: string): Promise<boolean> => {
    const answer = await run(client, bot, { botId: bot.id, action: "send", to, text });
    if (answer.ok) talks.sent(answer.result as SendJob, text);
    return answer.ok;
  };
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
      <Body talks={talks} chat={chat} picked={open !== null} onOpen={setOpen} bot={bot} wait={wait} send={send} />
      {writing && (
        <NewMessage
          onClose={() => setWriting(false)}
          onSend={async (to, text) => {
            const sent = await send(to, text);
            if (sent) setWriting(false);
            return sent;
          }}
        />
      )}
    </section>
  );
}

/** The open chat is kept in the history's state, not in the address. */
function useOpenChat(): readonly [string | null, (chat: string | null) => void] {
  const read = () => {
    const state = history.state as { readonly chat?: string } | null;
    return state?.chat ?? null;
  };
  const [open, setOpen] = useState<string | null>(read);
  return [
    open,
    (chat) => {
      history.replaceState({ ...(history.state as object | null), chat }, "");
      setOpen(chat);
    },
  ];
}

interface BodyProps {
  readonly bot: Bot;
  readonly talks: Talks;
  readonly chat: ChatView | undefined;
  readonly picked: boolean;
  readonly wait: string | null;
  readonly onOpen: (chat: string | null) => void;
  readonly send: (to: string, text: string) => Promise<boolean>;
}

function Body({ bot, talks, chat, picked, wait, onOpen, send }: BodyProps): ReactNode {
  if (talks.failed) {
    return (
      <div className="empty small">
        <p>{words.failedToLoad}</p>
        <Button onClick={talks.reload}>{words.again}</Button>
      </div>
    );
  }
  if (talks.loaded && talks.chats.length === 0) {
    return (
      <div className="empty small">
        <h3>{words.none}</h3>
        <p>{words.noneText}</p>
      </div>
    );
  }
  return (
    <div className={picked ? "chatgrid picked" : "chatgrid"}>
      <ul className="chats" aria-label={words.list}>
        {talks.chats.map((one) => (
          <ChatRow key={one.chat} chat={one} current={one === chat} onOpen={() => onOpen(one.chat)} />
        ))}
        {talks.more && (
          <li className="more">
            <Button kind="ghost" onClick={talks.older}>
              {words.older}
            </Button>
          </li>
        )}
      </ul>
      {chat ? (
        <Thread
          key={chat.chat}
          bot={bot}
          chat={chat}
          name={nameOf(chat)}
          wait={wait}
          onBack={() => onOpen(null)}
          send={(text) => send(chat.chat, text)}
        />
      ) : (
        <div className="thread" />
      )}
    </div>
  );
}

export function nameOf(chat: Pick<ChatView, "name" | "chat" | "group">): string {
  if (chat.name) return chat.name;
  const phone = ofAddress(chat.chat) ?? (/^\d{5,15}$/.test(chat.chat) ? chat.chat : null);
  if (phone !== null) return shortened(phone);
  if (chat.group) return words.group;
  // WhatsApp hides the number behind an id of its own, which looks like one and is none.
  return chat.chat.endsWith("@lid") ? fill(words.hidden, { id: chat.chat.split("@")[0]?.slice(-4) ?? "" }) : chat.chat;
}

interface ChatRowProps {
  readonly chat: ChatView;
  readonly current: boolean;
  readonly onOpen: () => void;
}

function ChatRow({ chat, current, onOpen }: ChatRowProps): ReactNode {
  const unread = useUnread(chat, current);
  const now = useServerNow(60_000);
  const name = nameOf(chat);
  return (
    <li>
      <button type="button" className="ch" aria-current={current || undefined} onClick={onOpen}>
        <Avatar name={name} className="round" />
        <span className="ell">
          <span className="n ell">{name}</span>
          <span className="p ell">{previewOf(chat)}</span>
        </span>
        <span className="chat-side">
          <span className="meta num">{clock(chat.last.at, now)}</span>
          {unread > 0 && <span className="badge num">{unread}</span>}
        </span>
      </button>
    </li>
  );
}

/** Messages that came since the chat was last open in this page. */
function useUnread(chat: ChatView, current: boolean): number {
  const [seenAt, setSeenAt] = useState(chat.last.at);
  useEffect(() => {
    if (current) setSeenAt(chat.last.at);
  }, [current, chat.last.at]);
  return current ? 0 : chat.items.filter((item) => !item.fromMe && item.at > seenAt).length;
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
