/** Key presses → what they mean here. Pure. Single keys only outside of fields; G waits for its second key. */

export interface Press {
  readonly key: string;
  readonly ctrl: boolean;
  readonly alt: boolean;
  readonly shift: boolean;
  /** It is held down, and was told before. */
  readonly repeat: boolean;
  /** A field has the focus, or a dialog is open. */
  readonly typing: boolean;
  /** The key before this one was a lone G, less than a second ago. */
  readonly afterG: boolean;
  /** Single keys are switched off. */
  readonly off: boolean;
}

export type Meaning =
  | { readonly kind: "search" | "help" | "new" | "filter" | "g" }
  | { readonly kind: "go"; readonly to: string }
  | { readonly kind: "move"; readonly by: 1 | -1 }
  | { readonly kind: "row"; readonly action: "next" | "restart" | "toggle" }
  | { readonly kind: "page"; readonly key: string };

const PLACES: { readonly [key: string]: string } = { b: "/", y: "/?show=you", f: "/fleet" };
const LISTED: { readonly [key: string]: Meaning } = {
  j: { kind: "move", by: 1 },
  k: { kind: "move", by: -1 },
  ArrowDown: { kind: "move", by: 1 },
  ArrowUp: { kind: "move", by: -1 },
  a: { kind: "row", action: "next" },
  r: { kind: "row", action: "restart" },
  s: { kind: "row", action: "toggle" },
  "/": { kind: "filter" },
};
const OWN: { readonly [page: string]: ReadonlySet<string> } = {
  bot: new Set(["p", "c", "1", "2"]),
  link: new Set(["c", "ArrowLeft", "ArrowRight"]),
  // The log of the only bot stands under the list.
  bots: new Set(["p"]),
};

/** What a press means on a page; null when nothing. A key that is held down goes on moving, and does nothing else again. */
export function meaning(press: Press, page: string): Meaning | null {
  const meant = pressed(press, page);
  return press.repeat && meant?.kind !== "move" ? null : meant;
}

function pressed(press: Press, page: string): Meaning | null {
  const key = press.key.length === 1 ? press.key.toLowerCase() : press.key;
  if (press.ctrl) return key === "k" && !press.shift && !press.alt ? { kind: "search" } : null;
  if (press.typing || press.alt || press.off) return null;
  if (press.afterG) {
    const to = PLACES[key];
    return to === undefined ? null : { kind: "go", to };
  }
  if (key === "?") return { kind: "help" };
  if (key === "n") return { kind: "new" };
  if (key === "g") return { kind: "g" };
  if (page === "bots" && LISTED[key] !== undefined) return LISTED[key];
  return OWN[page]?.has(key) === true ? { kind: "page", key } : null;
}
