"use client";

/**
 * The three former hooks by their names, over the one connection: to move a page step by step.
 *
 * Thin: each is `useUnifiedWebSocket` with a selector. Each says once, in development, how to migrate.
 */
import { useEffect, useMemo } from "react";
import type { Bot, Status } from "./generated.js";
import type { Code, CommandAnswer, Connection, HookOptions, LinkNotice, State } from "./types.js";
import { useUnifiedWebSocket } from "./useUnifiedWebSocket.js";

export interface BotHookOptions extends HookOptions {
  readonly botId: string | null | undefined;
}

export interface BotWebSocket {
  readonly isConnected: boolean;
  readonly connection: Connection;
  /** In the order they were created. */
  readonly bots: ReadonlyArray<Bot>;
  reconnect(): void;
  connectHere(): void;
}

export interface WhatsAppConnection {
  readonly connection: Connection;
  readonly status: Status | null;
  readonly isConnected: boolean;
  /** The code to scan or to type, while it may be shown. */
  readonly code: Code | null;
  readonly notice: LinkNotice | null;
  start(): Promise<CommandAnswer>;
  stop(): Promise<CommandAnswer>;
  link(): Promise<CommandAnswer>;
  logout(): Promise<CommandAnswer>;
}

export interface WhatsAppStatus {
  readonly connection: Connection;
  readonly bot: Bot | null;
  readonly status: Status | null;
  readonly reason: Bot["reason"];
  readonly userAction: string | null;
}

/**
 * The user's bots and whether the page is live.
 *
 * @deprecated `useUnifiedWebSocket(options, (state) => state.bots)` is the same over the same connection.
 */
export function useBotWebSocket(options: HookOptions): BotWebSocket {
  useAdvice("useBotWebSocket", "useUnifiedWebSocket(options, (state) => state.bots)");
  const { selected, connection, reconnectNow, connectHere } = useUnifiedWebSocket(options, botsOf);
  return useMemo(() => {
    const bots = Object.values(selected).sort((one, other) => one.createdAt - other.createdAt);
    return { isConnected: connection.state === "live", connection, bots, reconnect: reconnectNow, connectHere };
  }, [selected, connection, reconnectNow, connectHere]);
}

/**
 * One bot's link to WhatsApp: its status, the code on offer, and what can be done.
 *
 * @deprecated `useUnifiedWebSocket(options, (state) => state.links[botId])` and its `command` are the same.
 */
export function useWhatsAppConnection(options: BotHookOptions): WhatsAppConnection {
  useAdvice("useWhatsAppConnection", "useUnifiedWebSocket(options, (state) => state.links[botId])");
  const botId = options.botId ?? "";
  const { selected: link, connection, command } = useUnifiedWebSocket(options, (state) => state.links[botId]);
  const { selected: status } = useUnifiedWebSocket(options, (state) => state.bots[botId]?.status ?? null);
  return useMemo(
    () => ({
      connection,
      status,
      isConnected: status === "connected",
      code: link?.code ?? null,
      notice: link?.notice ?? null,
      start: () => command({ action: "start", botId }),
      stop: () => command({ action: "stop", botId }),
      link: () => command({ action: "link", botId }),
      logout: () => command({ action: "logout", botId }),
    }),
    [connection, status, link, command, botId],
  );
}

/**
 * One bot's status.
 *
 * @deprecated `useUnifiedWebSocket(options, (state) => state.bots[botId])` is the same over the same connection.
 */
export function useWhatsAppStatus(options: BotHookOptions): WhatsAppStatus {
  useAdvice("useWhatsAppStatus", "useUnifiedWebSocket(options, (state) => state.bots[botId])");
  const botId = options.botId ?? "";
  const { selected, connection } = useUnifiedWebSocket(options, (state) => state.bots[botId] ?? null);
  return useMemo(
    () => ({
      connection,
      bot: selected,
      status: selected?.status ?? null,
      reason: selected?.reason ?? null,
      userAction: selected?.userAction ?? null,
    }),
    [selected, connection],
  );
}

function botsOf(state: State): State["bots"] {
  return state.bots;
}

declare const process: { readonly env: { readonly NODE_ENV?: string } };

/** What bundlers put in place of the variable; a plain browser has none, and is no place to advise developers. */
function isDevelopment(): boolean {
  try {
    return process.env.NODE_ENV !== "production";
  } catch {
    return false;
  }
}

const advised = new Set<string>();

/** Says once how to migrate, in development only. */
function useAdvice(name: string, instead: string): void {
  useEffect(() => {
    if (advised.has(name) || !isDevelopment()) return;
    advised.add(name);
    // biome-ignore lint/suspicious/noConsole: the advice of a deprecated name is for the developer's console
    console.info(`${name} shares the one connection now. To migrate: ${instead}.`);
  }, [name, instead]);
}
