"use client";

/**
 * The one hook: the user's connection and what it brings, in any number of components over one socket.
 *
 * Owns the binding to React and nothing else: `registry.ts` shares the client, `client.ts` is the client. Renders on a
 * server as a page that has not connected yet. Read `aliases.ts` for the names of former hooks.
 */
import { useCallback, useEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";
import { acquireUnifiedClient } from "./registry.js";
import { INITIAL } from "./state.js";
import type {
  Command,
  CommandAnswer,
  Connection,
  HookOptions,
  State,
  TokenReason,
  UnifiedClient,
  UnifiedWebSocket,
} from "./types.js";
import { unanswered } from "./wire.js";

/** The whole state as `selected`: renders with every change. */
export function useUnifiedWebSocket(options: HookOptions): UnifiedWebSocket<State>;
/**
 * What a selector picks as `selected`: renders again only when that, or the connection, changes.
 *
 * @param select Pure; may be a new function in every render.
 * @param isEqual Tells whether two picks are the same; default `Object.is`.
 */
export function useUnifiedWebSocket<Selected>(
  options: HookOptions,
  select: (state: State) => Selected,
  isEqual?: (before: Selected, after: Selected) => boolean,
): UnifiedWebSocket<Selected>;
export function useUnifiedWebSocket<Selected>(
  options: HookOptions,
  select: (state: State) => Selected | State = whole,
  isEqual: (before: Selected | State, after: Selected | State) => boolean = Object.is,
): UnifiedWebSocket<Selected | State> {
  const client = useClient(options);
  const selected = useSelected(client, select, isEqual);
  const connection = useSelected<Connection>(client, connectionOf, Object.is);
  const command = useCallback(
    (asked: Command): Promise<CommandAnswer> =>
      client?.command(asked) ?? Promise.resolve(unanswered("Not connected yet: nobody is signed in.")),
    [client],
  );
  const reconnectNow = useCallback(() => client?.reconnectNow(), [client]);
  const connectHere = useCallback(() => client?.connectHere(), [client]);
  return useMemo(
    () => ({ selected, connection, command, reconnectNow, connectHere }),
    [selected, connection, command, reconnectNow, connectHere],
  );
}

function whole(state: State): State {
  return state;
}

function connectionOf(state: State): Connection {
  return state.connection;
}

/** The page's client while this component is mounted; null before that, on a server, and while nobody is signed in. */
export function useClient({ url = defaultUrl(), userId, getToken }: HookOptions): UnifiedClient | null {
  const [client, setClient] = useState<UnifiedClient | null>(null);
  const source = useRef(getToken);
  useEffect(() => {
    source.current = getToken;
  }, [getToken]);
  useEffect(() => {
    if (!url || !userId) return;
    const lease = acquireUnifiedClient({ url, userId, getToken: (reason: TokenReason) => source.current(reason) });
    setClient(lease.client);
    return () => {
      setClient(null);
      lease.release();
    };
  }, [url, userId]);
  return client;
}

declare const process: { readonly env: { readonly NEXT_PUBLIC_BOT_WEBSOCKET_URL?: string } };

/** What bundlers put in place of the variable; a plain browser has no `process` to ask. */
function defaultUrl(): string {
  try {
    return process.env.NEXT_PUBLIC_BOT_WEBSOCKET_URL ?? "";
  } catch {
    return "";
  }
}

interface Pick<Selected> {
  readonly state: State;
  readonly select: (state: State) => Selected;
  readonly value: Selected;
}

function useSelected<Selected>(
  client: UnifiedClient | null,
  select: (state: State) => Selected,
  isEqual: (before: Selected, after: Selected) => boolean,
): Selected {
  const last = useRef<Pick<Selected> | null>(null);
  const subscribe = useCallback((told: () => void) => client?.subscribe(told) ?? (() => {}), [client]);
  const pick = (state: State): Selected => {
    const before = last.current;
    if (before !== null && before.state === state && before.select === select) return before.value;
    const picked = select(state);
    const value = before !== null && isEqual(before.value, picked) ? before.value : picked;
    last.current = { state, select, value };
    return value;
  };
  return useSyncExternalStore(
    subscribe,
    () => pick(client?.getState() ?? INITIAL),
    () => pick(INITIAL),
  );
}
