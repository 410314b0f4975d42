/** Addresses of the page and going to them. Pure table, thin shell over the History API. Nothing secret is in an address. */
import { type MouseEvent, type ReactNode, type Ref, useSyncExternalStore } from "react";

export type Route =
  | { readonly page: "bots" }
  | { readonly page: "new"; readonly step: "name" | "options" }
  | { readonly page: "bot"; readonly bot: string }
  | { readonly page: "link" | "ready"; readonly bot: string }
  | { readonly page: "fleet" }
  | { readonly page: "nowhere" };

const BOT = /^\/bots\/([A-Za-z0-9_-]{1,64})(?:\/(link|ready))?$/;

/** The route of a path. */
export function routeOf(path: string): Route {
  if (path === "/" || path === "/bots") return { page: "bots" };
  if (path === "/new") return { page: "new", step: "name" };
  if (path === "/new/options") return { page: "new", step: "options" };
  if (path === "/fleet") return { page: "fleet" };
  const match = BOT.exec(path);
  const bot = match?.[1];
  if (bot === undefined) return { page: "nowhere" };
  const step = match?.[2];
  return step === "link" || step === "ready" ? { page: step, bot } : { page: "bot", bot };
}

const listeners = new Set<() => void>();

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  addEventListener("popstate", listener);
  return () => {
    listeners.delete(listener);
    removeEventListener("popstate", listener);
  };
}

function tell(): void {
  for (const listener of listeners) listener();
}

/** Go to an address of this page; the old one stays behind the back button unless `replace`. */
export function go(path: string, options: { readonly replace?: boolean } = {}): void {
  if (path === location.pathname + location.search) return;
  history[options.replace === true ? "replaceState" : "pushState"](null, "", path);
  scrollTo(0, 0);
  tell();
}

/** Change what stands behind the ? without a step in the history. */
export function setQuery(name: string, value: string | null): void {
  const query = new URLSearchParams(location.search);
  if (value === null || value === "") query.delete(name);
  else query.set(name, value);
  const text = query.toString();
  history.replaceState(history.state, "", location.pathname + (text === "" ? "" : `?${text}`));
  tell();
}

/** Path and query now. */
export function usePlace(): { readonly path: string; readonly query: URLSearchParams } {
  const place = useSyncExternalStore(subscribe, () => location.pathname + location.search);
  const [path = "/", search = ""] = place.split("?", 2);
  return { path, query: new URLSearchParams(search) };
}

interface LinkProps {
  readonly to: string;
  readonly children: ReactNode;
  readonly className?: string;
  readonly current?: boolean;
  readonly label?: string;
  readonly innerRef?: Ref<HTMLAnchorElement>;
}

/** A link inside the page: a real one, that a plain click follows without loading. */
export function A({ to, children, className, current, label, innerRef }: LinkProps): ReactNode {
  const follow = (event: MouseEvent) => {
    if (
      event.defaultPrevented ||
      event.button !== 0 ||
      event.metaKey ||
      event.ctrlKey ||
      event.shiftKey ||
      event.altKey
    )
      return;
    event.preventDefault();
    go(to);
  };
  return (
    <a
      href={to}
      ref={innerRef}
      onClick={follow}
      className={className}
      aria-label={label}
      aria-current={current === true ? "page" : undefined}
    >
      {children}
    </a>
  );
}
