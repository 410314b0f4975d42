/**
 * Who may change a message: the server's rule, for everything that folds messages here. Pure.
 *
 * That a change is its author's is what its sender says, and anybody in a group can say it: who wrote the message decides.
 */

/** Whose a message or a change is, and in which chat; the forms of an address stand beside each other. */
export interface Place {
  readonly chat: string;
  readonly chatPn?: string | null;
  readonly sender?: string | null;
  readonly senderPn?: string | null;
  readonly fromMe?: boolean;
}

/** The form of an address that stands for all forms that are known of it. */
export type Canonical = (address: string) => string;

const asTold: Canonical = (address) => address;

/** An edit is its author's. */
export function mayEdit(message: Place, change: Place, canonical: Canonical = asTold): boolean {
  return isSameChat(message, change, canonical) && isTheirs(message, change, canonical);
}

/** A deletion is its author's or, in a group, an admin's: WhatsApp lets nobody else's through to a group. */
export function mayRevoke(message: Place, change: Place, canonical: Canonical = asTold): boolean {
  const allowed = message.chat.endsWith("@g.us") || isTheirs(message, change, canonical);
  return allowed && isSameChat(message, change, canonical);
}

export function isSameChat(message: Place, change: Place, canonical: Canonical = asTold): boolean {
  return met([message.chat, message.chatPn], [change.chat, change.chatPn], canonical);
}

function isTheirs(message: Place, change: Place, canonical: Canonical): boolean {
  if (message.fromMe || change.fromMe) return message.fromMe === change.fromMe;
  return met([message.sender, message.senderPn], [change.sender, change.senderPn], canonical);
}

type Forms = ReadonlyArray<string | null | undefined>;

function met(one: Forms, other: Forms, canonical: Canonical): boolean {
  const mine = new Set(one.filter((form) => form != null && form !== "").map((form) => canonical(form ?? "")));
  return other.some((form) => form != null && mine.has(canonical(form)));
}
