/**
 * What somebody has under way in a bot's conversations: drafts, sends without an answer, what has been seen. In memory
 * only, and for as long as the page: leaving a chat or the bot loses nothing.
 */
import { useSyncExternalStore } from "react";
import type { UnifiedClient } from "../types.js";
import type { Attempt } from "./view/drafts.js";

export class Desk {
  /** When it was opened, by the server's clock: what came later is unread until its chat is open. */
  readonly since: number;
  /** Sends nobody has answered yet, by what they were made from. */
  readonly attempts = new Map<string, Attempt>();
  /** When the newest message was told that was seen of a chat. */
  readonly seen = new Map<string, number>();
  #drafts: ReadonlyMap<string, string> = new Map();
  #again: ReadonlySet<string> = new Set();
  readonly #listeners = new Set<() => void>();

  constructor(since: number) {
    this.since = since;
  }

  /** Texts in the fields of chats. */
  readonly drafts = (): ReadonlyMap<string, string> => this.#drafts;

  /** Keys of messages that were sent again. */
  readonly again = (): ReadonlySet<string> => this.#again;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  write(chat: string, text: string): void {
    const drafts = new Map(this.#drafts);
    drafts.set(chat, text);
    if (text === "") {
      // Given up: the same words are another message from now on.
      drafts.delete(chat);
      this.attempts.delete(fieldOf(chat));
    }
    this.#drafts = drafts;
    this.#tell();
  }

  sentAgain(key: string): void {
    this.#again = new Set([...this.#again, key]);
    this.#tell();
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}

/** Names what is sent from a chat's field. */
export function fieldOf(chat: string): string {
  return `write ${chat}`;
}

const desks = new WeakMap<UnifiedClient, Map<string, Desk>>();

/** The desk of a bot: one for as long as its user is signed in on this page. */
export function deskOf(client: UnifiedClient, bot: string): Desk {
  const all = desks.get(client) ?? new Map<string, Desk>();
  desks.set(client, all);
  const desk = all.get(bot) ?? new Desk(Date.now() + client.getState().connection.offset);
  all.set(bot, desk);
  return desk;
}

export function useDrafts(desk: Desk): ReadonlyMap<string, string> {
  return useSyncExternalStore(desk.subscribe, desk.drafts);
}

export function useSentAgain(desk: Desk): ReadonlySet<string> {
  return useSyncExternalStore(desk.subscribe, desk.again);
}
