/** What every part of the page shares: the client, who is signed in, how to look at the state. Owns contexts only. */
import { createContext, useCallback, useContext, useRef, useSyncExternalStore } from "react";
import type { Bot } from "../generated.js";
import type { Connection, State, UnifiedClient } from "../types.js";
import { useNow } from "./clock.js";
import type { Session } from "./session.js";

export interface Shared {
  readonly client: UnifiedClient;
  readonly session: Session;
}

export const SharedContext = createContext<Shared | null>(null);

export function useShared(): Shared {
  const shared = useContext(SharedContext);
  if (shared === null) throw new Error("outside of the signed-in page");
  return shared;
}

/** What `select` picks of the state; the component renders again when that is another object or value. */
export function useLive<Selected>(select: (state: State) => Selected): Selected {
  const { client } = useShared();
  const last = useRef<{ readonly state: State; readonly select: unknown; readonly selected: Selected } | null>(null);
  const subscribe = useCallback((listener: () => void) => client.subscribe(listener), [client]);
  return useSyncExternalStore(subscribe, () => {
    const state = client.getState();
    const before = last.current;
    if (before !== null && before.state === state && before.select === select) return before.selected;
    const selected = select(state);
    last.current = { state, select, selected };
    return selected;
  });
}

const connectionOf = (state: State): Connection => state.connection;
const botsOf = (state: State): State["bots"] => state.bots;
const loadedOf = (state: State): boolean => state.loaded;

export const useConnection = (): Connection => useLive(connectionOf);
export const useBots = (): State["bots"] => useLive(botsOf);
export const useLoaded = (): boolean => useLive(loadedOf);

export function useBot(id: string): Bot | undefined {
  return useLive(useCallback((state: State) => state.bots[id], [id]));
}

/** The server's time, for countdowns and ages of what the server said. */
export function useServerNow(step = 1000): number {
  return useNow(step) + useLive(offsetOf);
}

const offsetOf = (state: State): number => state.connection.offset;
