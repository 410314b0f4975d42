/**
 * One bot's messages: what REST has stored and what the socket brings since, folded into chats. Pure and idempotent: the
 * same event twice, or in both places, changes nothing. Owns no markup.
 */
import type { ChangeData, Media, MessageData, ReceiptData, SendError, SendJob } from "../../generated.js";
import type { Frame } from "../../types.js";

export type SendState = SendJob["state"];

export interface Item {
  /** WhatsApp's id, or the send's while WhatsApp has not taken it. */
  readonly key: string;
  readonly messageId: string | null;
  readonly jobId: string | null;
  readonly chat: string;
  readonly sender: string | null;
  readonly senderName: string | null;
  readonly fromMe: boolean;
  readonly kind: string;
  readonly text: string | null;
  readonly media: (Media & { readonly thumbnail?: string | null }) | null;
  readonly extra: string | null;
  readonly at: number;
  readonly edited: boolean;
  readonly revoked: boolean;
  readonly reactions: { readonly [sender: string]: string };
  readonly state: SendState | null;
  readonly error: SendError | null;
  /** It is there and cannot be read yet. */
  readonly waiting: boolean;
}

export interface Conversation {
  readonly items: ReadonlyMap<string, Item>;
  /** Key of each message by WhatsApp's id and by the send's. */
  readonly keys: ReadonlyMap<string, string>;
  /** The form of an address that stands for all of its forms. */
  readonly addresses: ReadonlyMap<string, string>;
  /** Names of people and groups by their address. */
  readonly names: ReadonlyMap<string, string>;
}

const NO_ITEMS: ReadonlyMap<string, Item> = new Map();
const NO_WORDS: ReadonlyMap<string, string> = new Map();
export const EMPTY: Conversation = { items: NO_ITEMS, keys: NO_WORDS, addresses: NO_WORDS, names: NO_WORDS };

/** A conversation under change: a part of it is copied with its first change, however many follow. */
class Draft {
  #known: Conversation;
  readonly #copied = new Set<string>();

  constructor(before: Conversation) {
    this.#known = before;
  }

  get known(): Conversation {
    return this.#known;
  }

  item(item: Item): void {
    this.#part("items").set(item.key, item);
    for (const id of [item.messageId, item.jobId]) {
      if (id !== null && this.#known.keys.get(id) !== item.key) this.#part("keys").set(id, item.key);
    }
  }

  word(part: "addresses" | "names", address: string, word: string): void {
    if (this.#known[part].get(address) !== word) this.#part(part).set(address, word);
  }

  #part<Part extends keyof Conversation>(part: Part): Map<string, Part extends "items" ? Item : string> {
    if (!this.#copied.has(part)) {
      this.#copied.add(part);
      this.#known = { ...this.#known, [part]: new Map<string, Item | string>(this.#known[part]) };
    }
    return this.#known[part] as Map<string, Part extends "items" ? Item : string>;
  }
}

/** What a change makes of a conversation; the same object when it changes nothing. */
function changed(before: Conversation, change: (draft: Draft) => void): Conversation {
  const draft = new Draft(before);
  change(draft);
  return draft.known;
}

/** `data` of a stored message, as far as it is read here. */
export type Stored = Partial<MessageData> & {
  readonly chatName?: string | null;
  readonly editedAt?: number;
  readonly revokedAt?: number;
  readonly reactions?: ReadonlyArray<{ readonly sender: string; readonly emoji: string }>;
  readonly jobId?: string;
  readonly state?: SendState;
  readonly error?: SendError | null;
};

export interface StoredMessage {
  readonly id: string;
  readonly at: number;
  readonly data: Stored;
}

/** With a page of stored messages, in any order. */
export function withStored(before: Conversation, page: ReadonlyArray<StoredMessage>): Conversation {
  return changed(before, (draft) => {
    for (const one of page) put(draft, one.id, one.at, one.data);
  });
}

/** With what this page sent itself: the server's answer does not repeat the words. */
export function withSent(before: Conversation, job: SendJob, text: string): Conversation {
  const data: Stored = {
    chat: job.to,
    fromMe: true,
    kind: "text",
    text,
    sentAt: job.at,
    jobId: job.id,
    state: job.state,
  };
  return changed(before, (draft) => {
    put(draft, job.id, job.at, data);
    onSend(draft, job);
  });
}

/** After frames of `message_sync`, in their order; the same object when they change nothing. */
export function withFrames(before: Conversation, frames: ReadonlyArray<Frame>): Conversation {
  return changed(before, (draft) => {
    for (const frame of frames) onFrame(draft, frame);
  });
}

function onFrame(draft: Draft, frame: Frame): void {
  switch (frame.type) {
    case "message":
      put(draft, frame.id, frame.at, frame.data as Stored);
      return;
    case "undecryptable":
      waiting(draft, frame);
      return;
    case "receipt":
      onReceipt(draft, frame.data as ReceiptData);
      return;
    case "reaction":
      onTarget(draft, frame.data as ChangeData, (item, change) => ({
        ...item,
        reactions: reacted(item.reactions, change),
      }));
      return;
    case "edited":
      onTarget(draft, frame.data as ChangeData, (item, change) =>
        item.revoked ? item : { ...item, text: change.text ?? item.text, edited: true },
      );
      return;
    case "revoked":
      onTarget(draft, frame.data as ChangeData, gone);
      return;
    case "send_result":
      onSend(draft, frame.data as SendJob);
  }
}

function put(draft: Draft, id: string, at: number, data: Stored): void {
  if (typeof data.chat !== "string") return;
  learn(draft, data);
  const { keys, items } = draft.known;
  const messageId = data.messageId ?? null;
  const key = keys.get(messageId ?? "") ?? keys.get(data.jobId ?? "") ?? messageId ?? data.jobId ?? id;
  const was = items.get(key);
  if (was !== undefined && !was.waiting && data.jobId === undefined && data.state === undefined) return;
  draft.item(merged(was, itemOf(draft.known, key, at, data)));
}

function itemOf(known: Conversation, key: string, at: number, data: Stored): Item {
  const chat = data.chat ?? "";
  return {
    key,
    messageId: data.messageId ?? null,
    jobId: data.jobId ?? null,
    chat: known.addresses.get(chat) ?? chat,
    sender: data.senderPn ?? data.sender ?? null,
    senderName: data.pushName ?? null,
    fromMe: data.fromMe === true,
    kind: data.kind ?? "text",
    text: data.text ?? null,
    media: data.media ?? null,
    extra: extraOf(data),
    at: data.sentAt ?? at,
    edited: data.editedAt !== undefined,
    revoked: data.revokedAt !== undefined,
    reactions: Object.fromEntries((data.reactions ?? []).map((one) => [one.sender, one.emoji])),
    state: data.state ?? (data.fromMe === true ? "sent" : null),
    error: data.error ?? null,
    waiting: false,
  };
}

function extraOf(data: Stored): string | null {
  if (data.poll) return data.poll.question;
  if (data.location) return data.location.name ?? `${data.location.latitude}, ${data.location.longitude}`;
  return data.contacts?.map((card) => card.name).join(", ") ?? null;
}

function merged(was: Item | undefined, now: Item): Item {
  if (was === undefined || was.waiting) return now;
  return {
    ...now,
    text: now.text ?? was.text,
    jobId: now.jobId ?? was.jobId,
    messageId: now.messageId ?? was.messageId,
    state: further(was.state, now.state),
    error: now.error ?? was.error,
    edited: was.edited || now.edited,
    reactions: { ...was.reactions, ...now.reactions },
  };
}

/** Addresses and names a message tells. */
function learn(draft: Draft, data: Stored): void {
  const chat = data.chat ?? "";
  const main = data.chatPn ?? draft.known.addresses.get(chat) ?? chat;
  const name = data.chatName ?? (data.fromMe === true || chat.endsWith("@g.us") ? null : data.pushName);
  draft.word("addresses", chat, main);
  if (name) draft.word("names", main, name);
}

function waiting(draft: Draft, frame: Frame): void {
  const data = frame.data as Stored;
  if (typeof data?.messageId !== "string" || draft.known.keys.has(data.messageId)) return;
  learn(draft, data);
  draft.item({ ...itemOf(draft.known, data.messageId, frame.at, data), at: frame.at, waiting: true });
}

const RANK: { readonly [state in SendState]: number } = {
  queued: 0,
  unknown: 1,
  failed: 1,
  sent: 2,
  delivered: 3,
  read: 4,
};

function further(was: SendState | null, now: SendState | null): SendState | null {
  if (was === null || now === null) return now ?? was;
  return RANK[now] >= RANK[was] ? now : was;
}

function itemBy(known: Conversation, id: string | null | undefined): Item | undefined {
  return known.items.get(known.keys.get(id ?? "") ?? "");
}

function onReceipt(draft: Draft, data: ReceiptData): void {
  if (data?.fromMe || !Array.isArray(data?.messageIds)) return;
  const state: SendState | null =
    data.kind === "delivered" ? "delivered" : ["read", "played"].includes(data.kind) ? "read" : null;
  if (state === null) return;
  for (const id of data.messageIds) {
    const item = itemBy(draft.known, id);
    const next = item?.fromMe ? further(item.state, state) : null;
    if (item !== undefined && next !== null && next !== item.state) draft.item({ ...item, state: next });
  }
}

function onTarget(draft: Draft, data: ChangeData, change: (item: Item, data: ChangeData) => Item): void {
  const item = itemBy(draft.known, data?.targetId);
  if (item !== undefined) draft.item(change(item, data));
}

function reacted(reactions: Item["reactions"], data: ChangeData): Item["reactions"] {
  const { [data.sender]: _, ...others } = reactions;
  return data.emoji ? { ...others, [data.sender]: data.emoji } : others;
}

function gone(item: Item): Item {
  return { ...item, text: null, media: null, extra: null, reactions: {}, revoked: true };
}

function onSend(draft: Draft, job: SendJob): void {
  const item = itemBy(draft.known, job?.id) ?? itemBy(draft.known, job?.messageId);
  if (item === undefined) return;
  const state = further(item.state === "sent" && item.jobId === null ? null : item.state, job.state);
  draft.item({ ...item, jobId: job.id, messageId: job.messageId ?? item.messageId, state, error: job.error });
}

/** Whether a send is one nobody has told the words of: they are stored by now. */
export function isUnknownSend(known: Conversation, frame: Frame): boolean {
  if (frame.type !== "send_result") return false;
  const job = frame.data as SendJob;
  return !known.keys.has(job.id) && !known.keys.has(job.messageId ?? "");
}

export interface ChatView {
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
    const chat = known.addresses.get(item.chat) ?? item.chat;
    const items = byChat.get(chat);
    if (items === undefined) byChat.set(chat, [item]);
    else items.push(item);
  }
  return [...byChat]
    .flatMap(([chat, items]) => {
      items.sort((one, other) => one.at - other.at || (one.key < other.key ? -1 : 1));
      const last = items.at(-1);
      return last === undefined
        ? []
        : [{ chat, name: known.names.get(chat) ?? null, group: chat.endsWith("@g.us"), last, items }];
    })
    .toSorted((one, other) => other.last.at - one.last.at);
}
