/** One timer for every countdown of the page, on whole quarter seconds; a hidden tab does not tick. */
import { useSyncExternalStore } from "react";

const TICK_MS = 250;

const listeners = new Set<() => void>();
let now = Date.now();
let timer: ReturnType<typeof setInterval> | null = null;

function tick(): void {
  now = Date.now();
  for (const listener of listeners) listener();
}

function run(): void {
  const wanted = listeners.size > 0 && !document.hidden;
  if (wanted && timer === null) {
    timer = setInterval(tick, TICK_MS);
    tick();
  } else if (!wanted && timer !== null) {
    clearInterval(timer);
    timer = null;
  }
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  if (listeners.size === 1) document.addEventListener("visibilitychange", run);
  run();
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) document.removeEventListener("visibilitychange", run);
    run();
  };
}

/** This machine's time, ms, rounded down to `step`: the component renders again when that changes. */
export function useNow(step = 1000): number {
  return useSyncExternalStore(subscribe, () => now - (now % step));
}
