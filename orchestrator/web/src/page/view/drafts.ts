/** What is written and not yet answered: which command it is sent as, and what stays in the field. Pure. */
import type { SendRequest } from "../../generated.js";
import type { Item } from "./conversation.js";

/** A send somebody asked for. The server carries its id out once, however often it is asked. */
export interface Attempt {
  readonly id: string;
  readonly request: SendRequest;
}

/** The attempt to send this: the one before, as long as it was for the same words and nobody has answered it. */
export function attemptFor(before: Attempt | undefined, request: SendRequest, newId: () => string): Attempt {
  return before !== undefined && wordsOf(before.request) === wordsOf(request) ? before : { id: newId(), request };
}

/** Another form of the same address is no other message. */
function wordsOf({ to: _, ...words }: SendRequest): string {
  return JSON.stringify(words);
}

/** What stays in the field once `sent` has been taken: what was typed meanwhile. */
export function leftOver(text: string, sent: string): string {
  return text.startsWith(sent) ? text.slice(sent.length).trimStart() : text;
}

/** How a message that was not sent is sent again; null where its content is not here, as of a file. */
export function againOf(item: Item, to: string): SendRequest | null {
  if (item.kind !== "text" || item.text === null || item.media !== null) return null;
  const { text, quoted, mentions } = item;
  return {
    to,
    text,
    ...(quoted === null
      ? {}
      : { quoted: { messageId: quoted.messageId, ...(quoted.sender === null ? {} : { sender: quoted.sender }) } }),
    ...(mentions === null ? {} : { mentions }),
  };
}
