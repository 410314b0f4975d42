/** One chat: messages with ticks, anchored to the newest, and the field to write in. Owns scrolling and writing. */
import {
  type FormEvent,
  type KeyboardEvent,
  type ReactNode,
  useEffect,
  useLayoutEffect,
  useRef,
  useState,
} from "react";
import type { Bot } from "../generated.js";
import { Bubble } from "./bubble.js";
import { Icon } from "./icons.js";
import { useServerNow } from "./live.js";
import { Avatar, Button } from "./parts/ui.js";
import { ofAddress, shortened } from "./phone.js";
import { dayName, fill, midnight } from "./say.js";
import { BOT } from "./texts/bot.js";
import type { ChatView, Item } from "./view/conversation.js";

const words = BOT.talks;
const PAGE_SIZE = 50;

interface ThreadProps {
  readonly bot: Bot;
  readonly chat: ChatView;
  readonly name: string;
  /** Why nothing can be sent now. */
  readonly wait: string | null;
  readonly onBack: () => void;
  readonly send: (text: string) => Promise<boolean>;
}

export function Thread({ bot, chat, name, wait, onBack, send }: ThreadProps): ReactNode {
  const [pages, setPages] = useState(1);
  const shown = chat.items.slice(-pages * PAGE_SIZE);
  const box = useAnchored(shown.length, chat.last.key);
  const phone = ofAddress(chat.chat);
  return (
    <div className="thread">
      <div className="thread-head">
        <Button kind="ghost" square icon="left" className="only-n" label={words.back} onClick={onBack} />
        <Avatar name={name} className="round small" />
        <h3>{name}</h3>
        {phone !== null && chat.name && <span className="meta num">{shortened(phone)}</span>}
      </div>
      <div
        className="msgs"
        role="log"
        aria-live="off"
        aria-label={fill(words.messages, { name })}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls can be scrolled with keys
        tabIndex={0}
        ref={box}
      >
        {shown.length < chat.items.length && (
          <Button kind="ghost" className="older" onClick={() => setPages(pages + 1)}>
            {words.older}
          </Button>
        )}
        <Messages
          items={shown}
          group={chat.group}
          connected={bot.status === "connected"}
          onAgain={(text) => void send(text)}
        />
      </div>
      <Composer connected={bot.status === "connected"} wait={wait} send={send} />
    </div>
  );
}

interface MessagesProps {
  readonly items: ReadonlyArray<Item>;
  readonly group: boolean;
  readonly connected: boolean;
  readonly onAgain: (text: string) => void;
}

function Messages({ items, group, connected, onAgain }: MessagesProps): ReactNode {
  const now = useServerNow(60_000);
  return items.map((item, index) => {
    const before = items[index - 1];
    const newDay = before === undefined || midnight(before.at) !== midnight(item.at);
    const gap = before !== undefined && (before.fromMe !== item.fromMe || before.sender !== item.sender);
    return (
      <div key={item.key} className="msg">
        {newDay && <div className="day">{dayName(item.at, now)}</div>}
        <Bubble
          item={item}
          gap={gap && !newDay}
          named={group && (gap || newDay)}
          connected={connected}
          onAgain={onAgain}
        />
      </div>
    );
  });
}

/** Stays at the newest message while the reader is there. */
function useAnchored(count: number, last: string) {
  const box = useRef<HTMLDivElement>(null);
  const atEnd = useRef(true);
  useEffect(() => {
    const element = box.current;
    if (element === null) return;
    const onScroll = () => {
      atEnd.current = element.scrollHeight - element.scrollTop - element.clientHeight < 60;
    };
    element.addEventListener("scroll", onScroll, { passive: true });
    return () => element.removeEventListener("scroll", onScroll);
  }, []);
  useLayoutEffect(() => {
    void count;
    void last;
    const element = box.current;
    if (element !== null && atEnd.current) element.scrollTop = element.scrollHeight;
  }, [count, last]);
  return box;
}

interface ComposerProps {
  readonly connected: boolean;
  readonly wait: string | null;
  readonly send: (text: string) => Promise<boolean>;
}

/** Enter sends, Shift and Enter breaks the line. */
function Composer({ connected, wait, send }: ComposerProps): ReactNode {
  const [text, setText] = useState("");
  const [busy, setBusy] = useState(false);
  const field = useRef<HTMLTextAreaElement>(null);
  useFocusKey(field);
  const submit = async (event?: FormEvent) => {
    event?.preventDefault();
    const plain = text.trim();
    if (plain === "" || busy || wait !== null) return;
    setBusy(true);
    if (await send(plain)) setText("");
    setBusy(false);
    field.current?.focus();
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
          onChange={(event) => setText(event.target.value)}
          onKeyDown={onKey}
        />
      </div>
      <button
        type="submit"
        className="btn pri sq send"
        aria-label={words.send}
        aria-disabled={wait !== null || undefined}
      >
        <Icon name="send" />
      </button>
    </form>
  );
}

function useFocusKey(field: { readonly current: HTMLTextAreaElement | null }): void {
  useEffect(() => {
    const onKey = (event: Event) => {
      if ((event as CustomEvent<string>).detail === "c") field.current?.focus();
    };
    document.addEventListener("page:key", onKey);
    return () => document.removeEventListener("page:key", onKey);
  }, [field]);
}
