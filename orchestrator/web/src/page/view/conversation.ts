/**
 * One bot's messages: what REST has stored and what the socket brings since. Pure and idempotent: the same event twice,
 * or in both places, changes nothing. Owns no markup. Read `changes.ts` for what happens to a message, `chats.ts` for how
 * they are shown.
 */
import { type Canonical, isSameChat, mayEdit, mayRevoke, type Place } from "../../authors.js";
import type { ChangeData, Media, MessageData, Quoted, ReceiptData, SendError, SendJob } from "../../generated.js";
import type { Frame } from "../../types.js";
import { edited, merged, personOf, progressed, reacted, received, revoked } from "./changes.js";

export type SendState = SendJob["state"];

export interface Item {
  /** WhatsApp's id, or the send's while WhatsApp has not taken it. */
  readonly key: string;
  readonly messageId: string | null;
  readonly jobId: string | null;
  readonly place: Place;
  readonly sender: string | null;
  readonly senderName: string | null;
  readonly fromMe: boolean;
  readonly kind: string;
  readonly text: string | null;
  readonly media: (Media & { readonly thumbnail?: string | null }) | null;
  readonly extra: string | null;
  readonly quoted: Quoted | null;
  readonly mentions: ReadonlyArray<string> | null;
  /** When it was sent: WhatsApp tells whole seconds. */
  readonly at: number;
  /** When the server was told of it. */
  readonly told: number;
  readonly editedAt: number | null;
  readonly revoked: boolean;
  readonly reactions: { readonly [person: string]: string };
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
  /** Whether the newest stored messages are there. */
  readonly loaded: boolean;
  /** Where the stored messages begin that are older than these; null when there are none. */
  readonly next: string | null;
  /** How many are kept: more once somebody asked for older ones. */
  readonly most: number;
}

/** Messages kept of one bot, and how many more may come before the oldest go. */
const KEPT = 5_000;
const SLACK = 500;

const NO_ITEMS: ReadonlyMap<string, Item> = new Map();
const NO_WORDS: ReadonlyMap<string, string> = new Map();
export const EMPTY: Conversation = {
  items: NO_ITEMS,
  keys: NO_WORDS,
  addresses: NO_WORDS,
  names: NO_WORDS,
  loaded: false,
  next: null,
  most: KEPT,
};

type Table = "items" | "keys" | "addresses" | "names";

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

  readonly canonical: Canonical = (address) => this.#known.addresses.get(address) ?? address;

  item(item: Item): void {
    if (this.#known.items.get(item.key) === item) return;
    this.#part("items").set(item.key, item);
    for (const id of [item.messageId, item.jobId]) {
      if (id !== null && !this.#known.keys.has(id)) this.#part("keys").set(id, item.key);
    }
  }

  word(part: "addresses" | "names", address: string, word: string): void {
    if (this.#known[part].get(address) !== word) this.#part(part).set(address, word);
  }

  #part<Part extends Table>(part: Part): Map<string, Part extends "items" ? Item : string> {
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
export type Stored = Omit<Partial<MessageData>, "messageId"> & {
  readonly messageId?: string | null;
  readonly editedAt?: number;
  readonly revokedAt?: number;
  readonly reactions?: ReadonlyArray<{ readonly sender: string; readonly fromMe?: boolean; readonly emoji: string }>;
  readonly jobId?: string;
  readonly state?: SendState;
  readonly error?: SendError | null;
};

export interface StoredMessage {
  readonly id: string;
  readonly at: number;
  readonly data: Stored;
}

/** A page of stored messages, newest first. */
export interface Page {
  readonly messages: ReadonlyArray<StoredMessage>;
  readonly next: string | null;
}

/** `data` of `send_result`: beside the job its message once, when it is queued, or what it changed, when that was sent. */
type SendResult = SendJob & {
  readonly message?: Stored;
  readonly change?: ChangeData & { readonly type: string };
  readonly sentAt?: number;
};

/**
 * With the newest stored messages, as they were when they were asked for: frames that came since are to be told again.
 * Where they do not reach what was there, older ones are read from their end on.
 */
export function withNewest(before: Conversation, page: Page): Conversation {
  const oldest = page.messages.at(-1);
  const joined = before.loaded && oldest !== undefined && isKnown(before, oldest);
  const after = withStored(before, page.messages, false);
  return { ...after, loaded: true, next: joined ? before.next : page.next };
}

/** With the stored messages before a place: the next ones begin behind them, unless they are to begin elsewhere by now. */
export function withOlder(before: Conversation, page: Page, place: string | null): Conversation {
  const after = withStored(before, page.messages, true);
  const next = before.next === place ? page.next : before.next;
  return { ...after, next, most: Math.max(before.most, after.items.size) };
}

function withStored(before: Conversation, page: ReadonlyArray<StoredMessage>, past: boolean): Conversation {
  return changed(before, (draft) => {
    for (const { id, at, data } of page.toReversed()) {
      if (typeof data.chat !== "string") continue;
      learn(draft, data, past);
      put(draft, id, at, data);
    }
  });
}

function isKnown({ keys, items }: Conversation, { id, data }: StoredMessage): boolean {
  return keys.has(data.messageId ?? "") || keys.has(data.jobId ?? "") || items.has(id);
}

/** With what this page sent itself, before the server's frame repeats the words. */
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
    if (itemBy(draft.known, job.id) === undefined) put(draft, job.id, job.at, data);
    onSend(draft, job);
  });
}

/** After frames of `message_sync`, in their order; the same object when they change nothing. */
export function withFrames(before: Conversation, frames: ReadonlyArray<Frame>): Conversation {
  const after = changed(before, (draft) => {
    for (const frame of frames) onFrame(draft, frame);
  });
  return trimmed(after);
}

/** Whether words of a message were left out of a frame for its size: they are stored by now. */
export function isCut(frame: Frame): boolean {
  return frame.truncated === true && ["message", "edited", "send_result"].includes(frame.type);
}

function onFrame(draft: Draft, frame: Frame): void {
  switch (frame.type) {
    case "message":
      onMessage(draft, frame);
      return;
    case "undecryptable":
      onUnreadable(draft, frame);
      return;
    case "receipt":
      onReceipt(draft, frame.data as ReceiptData);
      return;
    case "reaction":
    case "edited":
    case "revoked":
      onChange(draft, frame.type, frame.data as ChangeData);
      return;
    case "identity": {
      const told = frame.data as { readonly lid?: unknown; readonly pn?: unknown };
      if (typeof told?.lid === "string" && typeof told.pn === "string") draft.word("addresses", told.lid, told.pn);
      return;
    }
    case "send_result":
      onResult(draft, frame);
  }
}

function onMessage(draft: Draft, frame: Frame): void {
  const data = frame.data as Stored;
  if (typeof data?.chat !== "string") return;
  learn(draft, data, false);
  // Told twice, or WhatsApp's copy of a send: what happened to it since is known already.
  const was = draft.known.items.get(keyOf(draft, frame.id, data));
  if (was === undefined || was.waiting) put(draft, frame.id, frame.at, data);
}

function onUnreadable(draft: Draft, frame: Frame): void {
  const data = frame.data as Stored;
  if (typeof data?.messageId !== "string" || typeof data.chat !== "string") return;
  if (draft.known.keys.has(data.messageId)) return;
  learn(draft, data, false);
  draft.item({ ...itemOf(data.messageId, frame.at, data), at: frame.at, waiting: true });
}

function put(draft: Draft, id: string, told: number, data: Stored): void {
  const key = keyOf(draft, id, data);
  draft.item(merged(draft.known.items.get(key), itemOf(key, told, data)));
}

/** Senders choose the ids of their messages: one that is taken in another chat names another message. */
function keyOf(draft: Draft, id: string, data: Stored): string {
  const { known, canonical } = draft;
  const item = itemBy(known, data.messageId) ?? itemBy(known, data.jobId) ?? known.items.get(id);
  if (item === undefined) return data.messageId ?? data.jobId ?? id;
  return data.jobId === item.jobId || isSameChat(item.place, placeOf(data), canonical) ? item.key : id;
}

function placeOf(data: Stored): Place {
  const { chat = "", chatPn = null, sender = null, senderPn = null, fromMe } = data;
  return { chat, chatPn, sender, senderPn, fromMe: fromMe === true };
}

function itemOf(key: string, told: number, data: Stored): Item {
  return {
    key,
    messageId: data.messageId ?? null,
    jobId: data.jobId ?? null,
    place: placeOf(data),
    sender: data.senderPn ?? data.sender ?? null,
    senderName: data.pushName ?? null,
    fromMe: data.fromMe === true,
    kind: data.kind ?? "text",
    text: data.text ?? null,
    media: data.media ?? null,
    extra: extraOf(data),
    quoted: data.quoted ?? null,
    mentions: data.mentions ?? null,
    at: data.sentAt ?? told,
    told,
    editedAt: data.editedAt ?? null,
    revoked: data.revokedAt !== undefined,
    reactions: Object.fromEntries((data.reactions ?? []).map((one) => [personOf(one), one.emoji])),
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

/** Addresses and names a message or a change tells; what is older than these (`past`) takes no name back. */
function learn(draft: Draft, data: Stored, past: boolean): void {
  const { chat = "", sender, senderPn } = data;
  const main = data.chatPn ?? draft.canonical(chat);
  draft.word("addresses", chat, main);
  if (senderPn && sender?.endsWith("@lid")) draft.word("addresses", sender, senderPn);
  const { names } = draft.known;
  const before = names.get(main) ?? names.get(chat);
  const told = data.chatName ?? (data.fromMe === true || chat.endsWith("@g.us") ? null : data.pushName);
  const name = past ? (before ?? told) : told || before;
  if (name) draft.word("names", main, name);
}

function itemBy(known: Conversation, id: string | null | undefined): Item | undefined {
  return known.items.get(known.keys.get(id ?? "") ?? "");
}

function onReceipt(draft: Draft, data: ReceiptData): void {
  if (data?.fromMe || !Array.isArray(data?.messageIds)) return;
  for (const id of data.messageIds) {
    const item = itemBy(draft.known, id);
    if (item !== undefined && isSameChat(item.place, data, draft.canonical)) draft.item(received(item, data.kind));
  }
}

function onChange(draft: Draft, type: string, change: ChangeData): void {
  if (typeof change?.chat !== "string") return;
  learn(draft, { chat: change.chat, chatPn: change.chatPn, sender: change.sender, senderPn: change.senderPn }, false);
  const item = itemBy(draft.known, change.targetId);
  if (item === undefined || item.waiting || item.revoked) return;
  const { canonical } = draft;
  if (type === "edited" && mayEdit(item.place, change, canonical)) draft.item(edited(item, change));
  if (type === "revoked" && mayRevoke(item.place, change, canonical)) draft.item(revoked(item));
  if (type === "reaction" && isSameChat(item.place, change, canonical)) draft.item(reacted(item, change));
}

function onResult(draft: Draft, frame: Frame): void {
  const result = frame.data as SendResult;
  if (typeof result?.id !== "string") return;
  if (typeof result.message?.chat === "string") {
    const { messageId, id: jobId, state, error } = result;
    learn(draft, result.message, false);
    put(draft, frame.id, frame.at, { ...result.message, messageId, jobId, state, error });
  }
  onSend(draft, result);
  if (result.change) onChange(draft, result.change.type, result.change);
}

function onSend(draft: Draft, job: SendResult): void {
  const item = itemBy(draft.known, job.id) ?? itemBy(draft.known, job.messageId);
  if (item !== undefined) draft.item(progressed(item, job, job.sentAt));
}

/** Oldest first; of two in the same second the one the server was told first. */
export function byTime(one: Item, other: Item): number {
  return one.at - other.at || one.told - other.told;
}

/** Without the oldest, once there are too many; the newest of each chat stays. They are stored, and can be read again. */
function trimmed(known: Conversation): Conversation {
  if (known.items.size < known.most + SLACK) return known;
  const all = [...known.items.values()].sort(byTime);
  const newest = new Map(all.map((item) => [known.addresses.get(item.place.chat) ?? item.place.chat, item.key]));
  const stay = new Set(newest.values());
  const gone = all.slice(0, -known.most).filter((item) => !stay.has(item.key));
  const last = gone.at(-1);
  if (last === undefined) return known;
  const keys = new Set(gone.map((item) => item.key));
  return {
    ...known,
    items: new Map([...known.items].filter(([key]) => !keys.has(key))),
    keys: new Map([...known.keys].filter(([, key]) => !keys.has(key))),
    next: String(last.at + 1),
  };
}
