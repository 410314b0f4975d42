/** One chat: messages with ticks, anchored to the newest, and the field to write in. */
import { type FormEvent, type KeyboardEvent, type ReactNode, useCallback, useMemo, useRef, useState } from "react";
import type { Bot } from "../generated.js";
import { useAnchored } from "./anchored.js";
import { Bubble, type OnAgain } from "./bubble.js";
import { type Desk, fieldOf, useDrafts, useSentAgain } from "./desk.js";
import { Icon } from "./icons.js";
import { useServerNow } from "./live.js";
import { usePageKey } from "./page_key.js";
import { Avatar, Button } from "./parts/ui.js";
import { ofAddress, shortened } from "./phone.js";
import { dayName, fill, midnight } from "./say.js";
import type { Send } from "./sending.js";
import { BOT } from "./texts/bot.js";
import { type ChatView, PAGE_SIZE, shownFrom } from "./view/chats.js";
import type { Item } from "./view/conversation.js";
import { againOf, leftOver } from "./view/drafts.js";

const words = BOT.talks;

interface ThreadProps {
  readonly bot: Bot;
  readonly chat: ChatView;
  readonly name: string;
  /** Under what the chat's draft is kept. */
  readonly slot: string;
  readonly desk: Desk;
  /** Why nothing can be sent now. */
  readonly wait: string | null;
  readonly onBack: () => void;
  readonly send: Send;
}

export function Thread({ bot, chat, name, slot, desk, wait, onBack, send }: ThreadProps): ReactNode {
  const connected = bot.status === "connected";
  const phone = ofAddress(chat.chat);
  const onAgain = useCallback<OnAgain>(
    async (item) => {
      const request = againOf(item, chat.chat);
      const sent = request !== null && (await send(`again ${item.key}`, request));
      if (sent) desk.sentAgain(item.key);
      return sent;
    },
    [chat.chat, send, desk],
  );
  return (
    <div className="thread">
      <div className="thread-head">
        <Button kind="ghost" square icon="left" className="only-n" label={words.back} onClick={onBack} />
        <Avatar name={name} className="round small" />
        <h3>{name}</h3>
        {phone !== null && chat.name && <span className="meta num">{shortened(phone)}</span>}
      </div>
      <Messages chat={chat} name={name} desk={desk} connected={connected} wait={wait} onAgain={onAgain} />
      <Composer
        connected={connected}
        wait={wait}
        desk={desk}
        slot={slot}
        send={(text) => send(fieldOf(slot), { to: chat.chat, text })}
      />
    </div>
  );
}

interface MessagesProps {
  readonly chat: ChatView;
  readonly name: string;
  readonly desk: Desk;
  readonly connected: boolean;
  readonly wait: string | null;
  readonly onAgain: OnAgain;
}

/** The newest messages; what somebody reads further up stays, whatever comes below. */
function Messages({ chat, name, desk, ...bubble }: MessagesProps): ReactNode {
  const { items } = chat;
  const [first, setFirst] = useState<string | null>(null);
  const from = shownFrom(items, first);
  const shown = useMemo(() => items.slice(from), [items, from]);
  const box = useAnchored(shown, (atEnd) => setFirst(atEnd ? null : (shown[0]?.key ?? null)));
  const older = () => {
    const next = Math.max(0, from - PAGE_SIZE);
    setFirst(items[next]?.key ?? null);
    // The button goes: keys go on scrolling what it showed.
    if (next === 0) box.current?.focus({ preventScroll: true });
  };
  return (
    <div
      className="msgs"
      role="log"
      aria-live="off"
      aria-label={fill(words.messages, { name })}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls can be scrolled with keys
      tabIndex={0}
      ref={box}
    >
      {from > 0 && (
        <Button kind="ghost" className="older" onClick={older}>
          {words.older}
        </Button>
      )}
      <Bubbles items={shown} group={chat.group} to={chat.chat} desk={desk} {...bubble} />
    </div>
  );
}

interface BubblesProps extends Pick<MessagesProps, "desk" | "connected" | "wait" | "onAgain"> {
  readonly items: ReadonlyArray<Item>;
  readonly group: boolean;
  readonly to: string;
}

function Bubbles({ items, group, to, desk, onAgain, ...bubble }: BubblesProps): ReactNode {
  const now = useServerNow(60_000);
  const sentAgain = useSentAgain(desk);
  return items.map((item, index) => {
    const before = items[index - 1];
    const newDay = before === undefined || midnight(before.at) !== midnight(item.at);
    const gap = before !== undefined && (before.fromMe !== item.fromMe || before.sender !== item.sender);
    const canSend = againOf(item, to) !== null && !sentAgain.has(item.key);
    return (
      <div key={item.key} className="msg">
        {newDay && <div className="day">{dayName(item.at, now)}</div>}
        <Bubble
          item={item}
          gap={gap && !newDay}
          named={group && (gap || newDay)}
          onAgain={canSend ? onAgain : null}
          {...bubble}
        />
      </div>
    );
  });
}

interface ComposerProps {
  readonly connected: boolean;
  readonly wait: string | null;
  readonly desk: Desk;
  readonly slot: string;
  readonly send: (text: string) => Promise<boolean>;
}

/** Enter sends, Shift and Enter breaks the line. */
function Composer({ connected, wait, desk, slot, send }: ComposerProps): ReactNode {
  const text = useDrafts(desk).get(slot) ?? "";
  const [busy, setBusy] = useState(false);
  const field = useRef<HTMLTextAreaElement>(null);
  usePageKey((key) => {
    if (key === "c") field.current?.focus();
  });
  const submit = async (event?: FormEvent) => {
    event?.preventDefault();
    const plain = text.trim();
    if (plain === "" || busy || wait !== null) return;
    setBusy(true);
    if (await send(plain)) desk.write(slot, leftOver(desk.drafts().get(slot) ?? "", text));
    setBusy(false);
    // Whoever went elsewhere meanwhile stays there.
    if (field.current?.form?.contains(document.activeElement)) field.current.focus();
  };
  const onKey = (event: KeyboardEvent) => {
    if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    void submit();
  };
  const hint = wait ?? (connected ? words.write : words.sendsLater);
  return (
    <form className="composer" onSubmit={(event) => void submit(event)}>
      <div className="input area">
        <textarea
          ref={field}
          rows={1}
          value={text}
          aria-label={words.write}
          placeholder={hint}
          onChange={(event) => desk.write(slot, event.target.value)}
          onKeyDown={onKey}
        />
      </div>
      <button
        type="submit"
        className="btn pri sq send"
        aria-label={words.send}
        aria-disabled={busy || wait !== null || undefined}
        title={wait ?? undefined}
      >
        <Icon name="send" />
      </button>
    </form>
  );
}
