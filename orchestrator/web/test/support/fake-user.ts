/** What the fake server keeps of a user and of a socket; see `fake-server.ts`. */
import type { WireEvents } from "../../src/environment.js";
import type { Bot } from "../../src/generated.js";
import type { Frame } from "../../src/types.js";

export const LATENCY_MS = 2;

export type Auth = {
  token?: string;
  userId?: string;
  acks?: boolean;
  takeover?: boolean;
  resume?: { epoch?: string; seq?: number; connectionId?: string };
};

export interface Token {
  readonly user: string;
  readonly expiresAt: number;
}

export interface Socket {
  readonly user: string;
  readonly auth: Auth;
  readonly events: WireEvents;
  readonly connectionId: string;
  readonly since: number;
  /** A client that answers nothing: a frozen tab. */
  stuck: () => boolean;
  sent: number;
  acknowledged: number;
  ended: boolean;
  /** The transport is dead and nobody has noticed: nothing arrives in either direction. */
  dead: boolean;
  /** Up to here it was missed. */
  replayed: number;
  timers: ReturnType<typeof setTimeout>[];
}

/** One user's log, bots and socket. */
export class User {
  epoch = `e${Math.floor(Math.random() * 1e9)}`;
  log: Frame[] = [];
  floor = 0;
  bots = new Map<string, Bot>();
  announced = new Map<string, Frame>();
  present: Socket | null = null;
  probing = false;
  connects: number[] = [];
  takeovers: number[] = [];
  answers = new Map<string, unknown>();
  get head(): number {
    return this.log.length;
  }
}

/** After the network's delay; what is handed over in order arrives in order. */
export function later(work: () => unknown, ms = LATENCY_MS): void {
  setTimeout(work, ms);
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
