/**
 * The browser as the client's environment: locks, channel, page, marks. Owns every use of browser globals.
 *
 * Each is optional: locks and randomUUID are missing on plain-http addresses, all of it on a server.
 */
import type { Channel, Environment, Locks, Mark, Page, PageEvent } from "./environment.js";
import { connect } from "./socket.js";

const locks: Locks | null =
  typeof navigator !== "undefined" && navigator.locks !== undefined
    ? {
        request(name, how, granted, lost) {
          const withdraw = new AbortController();
          let held = false;
          const options = how === "steal" ? { steal: true } : { signal: withdraw.signal };
          const hold = () =>
            new Promise<void>((release) => {
              held = true;
              granted(() => {
                held = false;
                release();
              });
            });
          navigator.locks.request(name, options, hold).catch(() => {
            if (held) lost();
            held = false;
          });
          return () => withdraw.abort();
        },
      }
    : null;

function channel(name: string, heard: (message: unknown) => void): Channel | null {
  if (typeof BroadcastChannel === "undefined") return null;
  const opened = new BroadcastChannel(name);
  opened.onmessage = (event: MessageEvent<unknown>) => heard(event.data);
  return { post: (message) => opened.postMessage(message), close: () => opened.close() };
}

const page: Page = {
  get visible() {
    return typeof document === "undefined" || document.visibilityState === "visible";
  },
  get online() {
    return typeof navigator === "undefined" || navigator.onLine !== false;
  },
  subscribe(listener) {
    if (typeof window === "undefined") return () => {};
    const stops = [
      on(window, "online", () => listener("online")),
      on(window, "offline", () => listener("offline")),
      on(window, "pagehide", () => listener("frozen")),
      on(window, "pageshow", (event) => (event as PageTransitionEvent).persisted && listener("thawed")),
      on(document, "freeze", () => listener("frozen")),
      on(document, "resume", () => listener("thawed")),
      on(document, "visibilitychange", () => listener(page.visible ? "visible" : "hidden")),
    ];
    return () => {
      for (const stop of stops) stop();
    };
  },
};

function on(target: EventTarget, name: string, listener: (event: Event) => void): () => void {
  target.addEventListener(name, listener);
  return () => target.removeEventListener(name, listener);
}

function mark(name: string): Mark {
  return {
    set(at) {
      attempt(() => (at === null ? localStorage.removeItem(name) : localStorage.setItem(name, String(at))));
    },
    get() {
      const found = Number(attempt(() => localStorage.getItem(name)) ?? Number.NaN);
      return Number.isFinite(found) ? found : null;
    },
  };
}

/** Storage may be forbidden: then there is no mark. */
function attempt<Result>(work: () => Result): Result | null {
  try {
    return work();
  } catch {
    return null;
  }
}

function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(15));
  return Array.from(bytes, (byte) => (byte % 36).toString(36)).join("");
}

function report(error: unknown): void {
  if (typeof reportError === "function") reportError(error);
  else
    setTimeout(() => {
      throw error;
    });
}

export const BROWSER: Environment = { connect, channel, locks, page, mark, random: Math.random, newId, report };

export type { PageEvent };
