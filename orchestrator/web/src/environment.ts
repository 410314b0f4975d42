/**
 * What the client needs of its surroundings, so that it runs outside a browser and in tests. Types only.
 *
 * `browser.ts` has the real one, `socket.ts` the real wire.
 */

/** One connection attempt and what becomes of it. Callbacks come in order; none after `close()`. */
export interface WireEvents {
  /** Refused by the server's own word (`err.data`), or undefined data when it never answered. */
  refused(data: unknown): void;
  event(name: string, argument: unknown): void;
  /** A sign of life that is no event. */
  heard(): void;
  /** Closed; `final` when the server ended the session rather than the transport. */
  closed(final: boolean): void;
}

export interface Wire {
  emit(event: string, argument: unknown, answered?: (answer: unknown) => void): void;
  close(): void;
}

export interface WireOptions {
  readonly url: string;
  readonly auth: { readonly [member: string]: unknown };
}

/** Between tabs of one origin; what is posted arrives in the others, in order. */
export interface Channel {
  post(message: unknown): void;
  close(): void;
}

/** The browser's locks: `request` resolves when the lock is lost or let go of. */
export interface Locks {
  /**
   * Asks for the lock; `granted` is called when this tab has it, and gives how to let go of it.
   *
   * @returns How to withdraw the request. `lost` is called when another tab took the lock away.
   */
  request(name: string, how: "queue" | "steal", granted: (release: () => void) => void, lost: () => void): () => void;
}

/** `frozen`: the page stops or goes; `thawed`: it is back. */
export type PageEvent = "visible" | "hidden" | "frozen" | "thawed" | "online" | "offline";

export interface Page {
  readonly visible: boolean;
  readonly online: boolean;
  subscribe(listener: (event: PageEvent) => void): () => void;
}

/** A word to tabs that cannot be reached otherwise: that this browser has the connection. Never a secret. */
export interface Mark {
  set(at: number | null): void;
  get(): number | null;
}

export interface Environment {
  connect(options: WireOptions, events: WireEvents): Wire;
  /** Null where tabs cannot talk. */
  channel(name: string, heard: (message: unknown) => void): Channel | null;
  readonly locks: Locks | null;
  readonly page: Page;
  mark(name: string): Mark;
  random(): number;
  /** Letters and digits nobody else has. */
  newId(): string;
  /** A bug of a listener: told to whoever watches for errors. */
  report(error: unknown): void;
}
