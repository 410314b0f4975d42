/** A bot's messages as chats: which there are, which is meant by an address, what is unread. Pure. */
import { byTime, type Conversation, type Item } from "./conversation.js";

export interface ChatView {
  /** Its address, in the form that stands for all that are known of it. */
  readonly chat: string;
  readonly name: string | null;
  readonly group: boolean;
  readonly last: Item;
  readonly items: ReadonlyArray<Item>;
}

/** Chats, the one with the newest message first; messages oldest first. */
export function chats(known: Conversation): ReadonlyArray<ChatView> {
  const byChat = new Map<string, Item[]>();
  for (const item of known.items.values()) {
    // A person's older messages may stand under another form of their address.
    const chat = known.addresses.get(item.place.chat) ?? item.place.chat;
    const items = byChat.get(chat);
    if (items === undefined) byChat.set(chat, [item]);
    else items.push(item);
  }
  return [...byChat]
    .flatMap(([chat, items]) => {
      items.sort(byTime);
      const last = items.at(-1);
      return last === undefined
        ? []
        : [{ chat, name: known.names.get(chat) ?? null, group: chat.endsWith("@g.us"), last, items }];
    })
    .toSorted((one, other) => byTime(other.last, one.last));
}

/** The chat that was meant by an address, also after another form of it has come to stand for it. */
export function chatAt(
  all: ReadonlyArray<ChatView>,
  addresses: Conversation["addresses"],
  address: string,
): ChatView | undefined {
  return all.find(({ chat }) => chat === address) ?? all.find(({ chat }) => chat === addresses.get(address));
}

/** What is kept for a chat, under whatever form of its address it was kept. */
export function keptFor<Kept>(
  kept: ReadonlyMap<string, Kept>,
  addresses: Conversation["addresses"],
  chat: string,
): readonly [string, Kept] | undefined {
  return [...kept].find(([address]) => address === chat || addresses.get(address) === chat);
}

/** Messages of others that came to a chat since. */
export function unread(chat: ChatView, since: number): number {
  return chat.items.filter((item) => !item.fromMe && item.told > since).length;
}

/** Messages of a chat shown at once. */
export const PAGE_SIZE = 50;

/** From which of them on messages are shown: from the one the reader has gone back to, else the newest page. */
export function shownFrom(items: ReadonlyArray<Item>, first: string | null): number {
  const at = first === null ? -1 : items.findIndex((item) => item.key === first);
  return at >= 0 ? at : Math.max(0, items.length - PAGE_SIZE);
}
