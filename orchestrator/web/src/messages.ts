/**
 * What one bot's people wrote, folded: messages with receipts, reactions, edits and revokes; sends. Pure.
 *
 * Types this version does not know change nothing here (they are in the log). Read `state.ts` for who asks.
 */
import { mayEdit, mayRevoke } from "./authors.js";
import type { ChangeData, MessageData, PresenceData, ReceiptData, SendJob } from "./generated.js";
import type { BotMessages, Chat, Frame, Message, State } from "./types.js";

/** How much is kept of one bot; the oldest goes first. */
export interface MessageLimits {
  readonly messagesPerChat: number;
  readonly chats: number;
  readonly sends: number;
}

const NOTHING: BotMessages = { chats: {}, sends: {}, presence: {} };

/** The server tells at most so many (chat, person) pairs of a bot. */
const PRESENT_MOST = 256;

/** The bot's messages after a `message_sync` frame; the same object when it changes nothing. */
export function onMessage(
  before: BotMessages | undefined,
  botId: string,
  frame: Frame,
  limits: MessageLimits,
): BotMessages | undefined {
  const known = before ?? NOTHING;
  const after = folded(known, botId, frame, limits);
  return after === known ? before : after;
}

function folded(known: BotMessages, botId: string, frame: Frame, limits: MessageLimits): BotMessages {
  switch (frame.type) {
    case "message":
      return arrived(known, botId, frame, limits);
    case "receipt":
      return onReceipt(known, frame.data as ReceiptData);
    case "reaction":
      return onTarget(known, frame.data as ChangeData, reacted);
    case "edited":
      return onTarget(known, frame.data as ChangeData, edited);
    case "revoked":
      return onTarget(known, frame.data as ChangeData, revoked);
    case "presence":
      return onPresence(known, frame.data as PresenceData);
    case "send_result":
      return onSend(known, frame.data as SendJob, limits.sends);
    default:
      return known;
  }
}

function arrived(known: BotMessages, botId: string, frame: Frame, limits: MessageLimits): BotMessages {
  const data = frame.data as MessageData;
  if (typeof data?.chat !== "string" || typeof data.messageId !== "string") return known;
  const chat = known.chats[data.chat];
  if (chat?.messages.some((message) => message.messageId === data.messageId)) return known;
  const message: Message = {
    ...data,
    id: frame.id,
    botId,
    receipt: "none",
    reactions: {},
    edited: false,
    revoked: false,
  };
  const messages = [...(chat?.messages ?? []), message].slice(-limits.messagesPerChat);
  const lastAt = Math.max(chat?.lastAt ?? 0, data.sentAt);
  const chats = { ...known.chats, [data.chat]: { chat: data.chat, messages, lastAt } };
  return { ...known, chats: newest(chats, limits.chats) };
}

function newest(chats: Record<string, Chat>, most: number): Record<string, Chat> {
  const all = Object.values(chats);
  if (all.length <= most) return chats;
  const kept = [...all].sort((one, other) => other.lastAt - one.lastAt || (one.chat < other.chat ? -1 : 1));
  return Object.fromEntries(kept.slice(0, most).map((chat) => [chat.chat, chat]));
}

const RECEIPTS: ReadonlyArray<Message["receipt"] | string> = ["none", "delivered", "read", "played"];

function onReceipt(known: BotMessages, data: ReceiptData): BotMessages {
  const rank = RECEIPTS.indexOf(data?.kind);
  if (rank < 1 || data.fromMe || !Array.isArray(data.messageIds)) return known;
  const ids = new Set(data.messageIds);
  return onChat(known, data.chat, (message) => {
    if (!ids.has(message.messageId) || RECEIPTS.indexOf(message.receipt) >= rank) return message;
    return { ...message, receipt: data.kind as Message["receipt"] };
  });
}

function onTarget(
  known: BotMessages,
  data: ChangeData,
  change: (message: Message, data: ChangeData) => Message,
): BotMessages {
  if (typeof data?.targetId !== "string") return known;
  return onChat(known, data.chat, (message) => (message.messageId === data.targetId ? change(message, data) : message));
}

function reacted(message: Message, data: ChangeData): Message {
  if (message.revoked) return message;
  const { [data.sender]: _, ...others } = message.reactions;
  return { ...message, reactions: data.emoji ? { ...others, [data.sender]: data.emoji } : others };
}

function edited(message: Message, data: ChangeData): Message {
  if (!mayEdit(message, data) || message.revoked) return message;
  return { ...message, text: data.text ?? "", edited: true };
}

function revoked(message: Message, data: ChangeData): Message {
  if (!mayRevoke(message, data)) return message;
  const { text: _, media: __, mentions: ___, location: ____, contacts: _____, poll: ______, ...rest } = message;
  return { ...rest, reactions: {}, revoked: true };
}

function onChat(known: BotMessages, name: string, change: (message: Message) => Message): BotMessages {
  const chat = known.chats[name];
  if (chat === undefined) return known;
  const messages = chat.messages.map(change);
  if (messages.every((message, index) => message === chat.messages[index])) return known;
  return { ...known, chats: { ...known.chats, [name]: { ...chat, messages } } };
}

function onSend(known: BotMessages, job: SendJob, most: number): BotMessages {
  if (typeof job?.id !== "string") return known;
  const { [job.id]: _, ...others } = known.sends;
  const all = Object.entries({ ...others, [job.id]: job });
  return { ...known, sends: Object.fromEntries(all.slice(-most)) };
}

function onPresence(known: BotMessages, data: PresenceData): BotMessages {
  if (typeof data?.chat !== "string" || typeof data.sender !== "string") return known;
  const people = { ...known.presence[data.chat], [data.sender]: data };
  const { [data.chat]: _, ...others } = known.presence;
  const chats = Object.entries({ ...others, [data.chat]: people });
  return { ...known, presence: Object.fromEntries(chats.slice(-PRESENT_MOST)) };
}

/** Nobody knows any more who is there: what is still so is told again. */
export function withoutPresence(messages: State["messages"]): State["messages"] {
  const known = Object.entries(messages).filter(([, one]) => Object.keys(one.presence).length > 0);
  if (known.length === 0) return messages;
  return { ...messages, ...Object.fromEntries(known.map(([bot, one]) => [bot, { ...one, presence: {} }])) };
}
