/**
 * Parts of the page in files of their own: asked for when their address is met, drawn when they have come. Owns the
 * waiting and the one way out when a file is gone; it must never know what a part shows.
 */
import { type ComponentType, type ReactNode, useEffect, useSyncExternalStore } from "react";
import { ask } from "./rest.js";

const AGAIN_MS = 1_000;

/** A part, in the file that holds it. */
export class Part<Props extends object> {
  readonly #load: () => Promise<ComponentType<Props>>;
  readonly #listeners = new Set<() => void>();
  #asked = false;
  #component: ComponentType<Props> | null = null;

  /** @param load Imports it. */
  constructor(load: () => Promise<ComponentType<Props>>) {
    this.#load = load;
  }

  /** Null until it has come. */
  readonly component = (): ComponentType<Props> | null => this.#component;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Begins to fetch it; what has been asked for is not asked for again. */
  ask(): void {
    if (this.#asked) return;
    this.#asked = true;
    this.#load().then(
      (component) => {
        this.#component = component;
        for (const listener of this.#listeners) listener();
      },
      () => void startAnew(),
    );
  }
}

interface ShownProps<Props extends object> {
  readonly part: Part<Props>;
  readonly of: Props;
}

/** Draws a part, and nothing until it has come. */
export function Shown<Props extends object>({ part, of }: ShownProps<Props>): ReactNode {
  useEffect(() => part.ask(), [part]);
  const Component = useSyncExternalStore(part.subscribe, part.component);
  return Component === null ? null : <Component {...of} />;
}

/**
 * The files of this page are no longer there, as after an upgrade: those of the server that answers next are taken. Not
 * at once: what stays gone must not make the page load without end.
 */
async function startAnew(): Promise<void> {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    try {
      await ask("GET", "/version");
      location.reload();
      return;
    } catch {
      // It is asked again.
    }
  }
}
