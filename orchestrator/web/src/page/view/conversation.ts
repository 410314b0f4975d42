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
  readonly items: { readonly [key: string]: Item };
  /** Key of each message by WhatsApp's id and by the send's. */
  readonly keys: { readonly [id: string]: string };
  /** The form of an address that stands for all of its forms. */
  readonly addresses: { readonly [address: string]: string };
  /** Names of people and groups by their address. */
  readonly names: { readonly [address: string]: string };
}

export const EMPTY: Conversation = { items: {}, keys: {}, addresses: {}, names: {} };

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
  return page.reduce((known, one) => put(known, one.id, one.at, one.data), before);
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
  return onSend(put(before, job.id, job.at, data), job);
}

/** After a frame of `message_sync`; the same object when it changes nothing. */
export function withFrame(before: Conversation, frame: Frame): Conversation {
  switch (frame.type) {
    case "message":
      return put(before, frame.id, frame.at, frame.data as Stored);
    case "undecryptable":
      return waiting(before, frame);
    case "receipt":
      return onReceipt(before, frame.data as ReceiptData);
    case "reaction":
      return onTarget(before, frame.data as ChangeData, (item, change) => ({
        ...item,
        reactions: reacted(item.reactions, change),
      }));
    case "edited":
      return onTarget(before, frame.data as ChangeData, (item, change) =>
        item.revoked ? item : { ...item, text: change.text ?? item.text, edited: true },
      );
    case "revoked":
      return onTarget(before, frame.data as ChangeData, gone);
    case "send_result":
      return onSend(before, frame.data as SendJob);
    default:
      return before;
  }
}

function put(before: Conversation, id: string, at: number, data: Stored): Conversation {
  if (typeof data.chat !== "string") return before;
  const known = learned(before, data);
  const messageId = data.messageId ?? null;
  const key = known.keys[messageId ?? ""] ?? known.keys[data.jobId ?? ""] ?? messageId ?? data.jobId ?? id;
  const was = known.items[key];
  if (was !== undefined && !was.waiting && data.jobId === undefined && data.state === undefined) return known;
  const item = merged(was, itemOf(known, key, at, data));
  return withItem(known, item);
}

function itemOf(known: Conversation, key: string, at: number, data: Stored): Item {
  const chat = data.chat ?? "";
  return {
    key,
    messageId: data.messageId ?? null,
    jobId: data.jobId ?? null,
    chat: known.addresses[chat] ?? chat,
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
function learned(before: Conversation, data: Stored): Conversation {
  const chat = data.chat ?? "";
  const main = data.chatPn ?? before.addresses[chat] ?? chat;
  const name = data.chatName ?? (data.fromMe === true || chat.endsWith("@g.us") ? null : data.pushName);
  const knowsAddress = before.addresses[chat] === main;
  const knowsName = !name || before.names[main] === name;
  if (knowsAddress && knowsName) return before;
  return {
    ...before,
    addresses: knowsAddress ? before.addresses : { ...before.addresses, [chat]: main },
    names: knowsName ? before.names : { ...before.names, [main]: name },
  };
}

function withItem(before: Conversation, item: Item): Conversation {
  const ids = [item.messageId, item.jobId].filter((id) => id !== null);
  return {
    ...before,
    items: { ...before.items, [item.key]: item },
    keys: { ...before.keys, ...Object.fromEntries(ids.map((id) => [id, item.key])) },
  };
}

function waiting(before: Conversation, frame: Frame): Conversation {
  const data = frame.data as Stored;
  if (typeof data?.messageId !== "string" || before.keys[data.messageId] !== undefined) return before;
  const known = learned(before, data);
  return withItem(known, { ...itemOf(known, data.messageId, frame.at, data), at: frame.at, waiting: true });
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

function onReceipt(before: Conversation, data: ReceiptData): Conversation {
  if (data?.fromMe || !Array.isArray(data?.messageIds)) return before;
  const state: SendState | null =
    data.kind === "delivered" ? "delivered" : ["read", "played"].includes(data.kind) ? "read" : null;
  if (state === null) return before;
  return data.messageIds.reduce<Conversation>((known, id) => {
    const item = known.items[known.keys[id] ?? ""];
    const next = item?.fromMe ? further(item.state, state) : null;
    return item === undefined || next === null || next === item.state
      ? known
      : withItem(known, { ...item, state: next });
  }, before);
}

function onTarget(
  before: Conversation,
  data: ChangeData,
  change: (item: Item, data: ChangeData) => Item,
): Conversation {
  const item = before.items[before.keys[data?.targetId ?? ""] ?? ""];
  return item === undefined ? before : withItem(before, change(item, data));
}

function reacted(reactions: Item["reactions"], data: ChangeData): Item["reactions"] {
  const { [data.sender]: _, ...others } = reactions;
  return data.emoji ? { ...others, [data.sender]: data.emoji } : others;
}

function gone(item: Item): Item {
  return { ...item, text: null, media: null, extra: null, reactions: {}, revoked: true };
}

function onSend(before: Conversation, job: SendJob): Conversation {
  const item = before.items[before.keys[job?.id ?? ""] ?? before.keys[job?.messageId ?? ""] ?? ""];
  if (item === undefined) return before;
  const state = further(item.state === "sent" && item.jobId === null ? null : item.state, job.state);
  return withItem(before, {
    ...item,
    jobId: job.id,
    messageId: job.messageId ?? item.messageId,
    state,
    error: job.error,
  });
}

/** Whether a send is one nobody has told the words of: they are stored by now. */
export function isUnknownSend(known: Conversation, frame: Frame): boolean {
  if (frame.type !== "send_result") return false;
  const job = frame.data as SendJob;
  return known.keys[job.id] === undefined && known.keys[job.messageId ?? ""] === undefined;
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
  for (const item of Object.values(known.items)) {
    // A person's older messages may stand under another form of their address.
    const chat = known.addresses[item.chat] ?? item.chat;
    byChat.set(chat, [...(byChat.get(chat) ?? []), item]);
  }
  return [...byChat]
    .flatMap(([chat, items]) => {
      const sorted = items.toSorted((one, other) => one.at - other.at || (one.key < other.key ? -1 : 1));
      const last = sorted.at(-1);
      return last === undefined
        ? []
        : [{ chat, name: known.names[chat] ?? null, group: chat.endsWith("@g.us"), last, items: sorted }];
    })
    .toSorted((one, other) => other.last.at - one.last.at);
}
