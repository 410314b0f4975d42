/**
 * Frames → state. Pure: any split of the same frames into snapshot, replay and live gives the same state.
 *
 * Owns what a frame changes; what did not change keeps its identity. Times go in. It must never know where frames come
 * from. Read `links.ts` and `messages.ts` for the parts, `store.ts` for who keeps the state.
 */
import type { Bot, Position } from "./generated.js";
import { onBot, onCode, onNotice, withoutCodes } from "./links.js";
import { append, EMPTY_LOG } from "./log.js";
import { type MessageLimits, onMessage, withoutPresence } from "./messages.js";
import type { Connection, Frame, LinkAttempt, State } from "./types.js";
import { isBot, isDurable, type Snapshot } from "./wire.js";

/** How much is kept. */
export interface Limits extends MessageLimits {
  /** Frames in `state.log`. */
  readonly log: number;
}

export const DEFAULT_LIMITS: Limits = { log: 10_000, messagesPerChat: 500, chats: 1_000, sends: 500 };

export const IDLE: Connection = {
  state: "idle",
  code: null,
  since: 0,
  asOf: null,
  retryAt: null,
  elsewhereSince: null,
  offset: 0,
  holder: null,
  away: null,
};

/** The state before anything has come, and on a server. */
export const INITIAL: State = {
  connection: IDLE,
  position: null,
  loaded: false,
  jumps: 0,
  bots: {},
  links: {},
  messages: {},
  log: EMPTY_LOG,
};

/** Something that changes the state. */
export type Change =
  | { readonly kind: "frame"; readonly frame: Frame; readonly serverNow: number }
  | { readonly kind: "snapshot"; readonly snapshot: Snapshot }
  | { readonly kind: "connection"; readonly connection: Connection }
  /** The state of another tab, which has everything this one has. */
  | { readonly kind: "adopt"; readonly state: State }
  /** Codes that have expired by the server's clock go. */
  | { readonly kind: "expire"; readonly at: number }
  /** Not live: what is only true now goes, all codes first. */
  | { readonly kind: "lost" };

/** The state after a change. */
export function reduce(state: State, change: Change, limits: Limits): State {
  switch (change.kind) {
    case "frame":
      return onFrame(state, change.frame, change.serverNow, limits);
    case "snapshot":
      return onSnapshot(state, change.snapshot);
    case "connection":
      return { ...state, connection: change.connection };
    case "adopt":
      return { ...change.state, connection: state.connection, jumps: jumped(state, change.state.position) };
    case "expire":
      return withLinks(state, withoutCodes(state.links, change.at));
    case "lost": {
      const messages = withoutPresence(state.messages);
      return withLinks(messages === state.messages ? state : { ...state, messages }, withoutCodes(state.links, null));
    }
  }
}

function onFrame(state: State, frame: Frame, serverNow: number, limits: Limits): State {
  let next = changed(state, frame, serverNow, limits);
  if (isDurable(frame)) {
    // Whether it was replayed says how it came, not what is.
    const { replayed: _, ...kept } = frame;
    next = {
      ...next,
      position: { epoch: frame.epoch, seq: frame.seq },
      log: append(next.log, kept, limits.log),
    };
  }
  return next;
}

function changed(state: State, frame: Frame, serverNow: number, limits: Limits): State {
  const bot = frame.botId;
  if (bot === null) return state;
  switch (frame.event) {
    case "bot_status_update":
      return frame.type === "deleted" ? withoutBot(state, bot) : isBot(frame.data) ? withBot(state, frame.data) : state;
    case "whatsapp_connection_event": {
      const record = state.bots[bot];
      const code = onCode(state.links[bot], record, frame, serverNow);
      const attempt = code ?? onNotice(state.links[bot], record, frame);
      return withLinks(state, withAttempt(state.links, bot, attempt));
    }
    case "message_sync": {
      const before = state.messages[bot];
      const after = onMessage(before, bot, frame, limits);
      return after === before || after === undefined
        ? state
        : { ...state, messages: { ...state.messages, [bot]: after } };
    }
    default:
      return state;
  }
}

function withBot(state: State, bot: Bot): State {
  const next = { ...state, bots: { ...state.bots, [bot.id]: bot } };
  return withLinks(next, withAttempt(state.links, bot.id, onBot(state.links[bot.id], bot)));
}

function withoutBot(state: State, id: string): State {
  return {
    ...state,
    bots: without(state.bots, id),
    links: without(state.links, id),
    messages: without(state.messages, id),
  };
}

function onSnapshot(state: State, { position, bots }: Snapshot): State {
  const links: Record<string, LinkAttempt> = {};
  for (const bot of bots) {
    // Codes on offer are announced again after a snapshot; one that is not was withdrawn.
    const before = state.links[bot.id];
    const attempt = onBot(before === undefined ? undefined : { ...before, code: null }, bot);
    if (attempt !== undefined) links[bot.id] = attempt;
  }
  const known = new Set(bots.map((bot) => bot.id));
  return {
    ...state,
    position,
    loaded: true,
    jumps: jumped(state, position),
    bots: Object.fromEntries(bots.map((bot) => [bot.id, bot])),
    links,
    messages: Object.fromEntries(Object.entries(state.messages).filter(([bot]) => known.has(bot))),
  };
}

function jumped({ position, jumps }: State, to: Position | null): number {
  return position?.epoch === to?.epoch && position?.seq === to?.seq ? jumps : jumps + 1;
}

function withLinks(state: State, links: State["links"]): State {
  return links === state.links ? state : { ...state, links };
}

function withAttempt(links: State["links"], bot: string, attempt: LinkAttempt | undefined): State["links"] {
  if (links[bot] === attempt) return links;
  return attempt === undefined ? without(links, bot) : { ...links, [bot]: attempt };
}

function without<Value>(table: { readonly [key: string]: Value }, key: string): { readonly [key: string]: Value } {
  if (!(key in table)) return table;
  const { [key]: _, ...rest } = table;
  return rest;
}
