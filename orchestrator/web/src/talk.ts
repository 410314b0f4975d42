/** What tabs say to each other beyond the election. Types, and reading them. Pure. Never a token. */
import type { SentCommand } from "./commands.js";
import type { Position } from "./generated.js";
import type { CommandAnswer, Connection, Frame, State } from "./types.js";
import type { Snapshot } from "./wire.js";

/** What the holder has: a successor continues its connection with it. */
export interface HolderNote {
  readonly connection: Connection;
  readonly connectionId: string | null;
}

/** Said by the holder. */
export type HolderWord =
  | { readonly kind: "frame"; readonly frame: Frame }
  | { readonly kind: "frames"; readonly frames: ReadonlyArray<Frame> }
  | { readonly kind: "snapshot"; readonly snapshot: Snapshot }
  /** What follows begins at an earlier position: of what this tab has, nothing is told again. */
  | { readonly kind: "replaying" }
  | { readonly kind: "state"; readonly state: State }
  | ({ readonly kind: "note" } & HolderNote)
  | { readonly kind: "answer"; readonly id: string; readonly answer: CommandAnswer };

/** Said to the holder. */
export type FollowerWord =
  /** What came after this position, or everything. */
  | { readonly kind: "want"; readonly position: Position | null }
  | { readonly kind: "command"; readonly command: SentCommand }
  | { readonly kind: "ask"; readonly what: "reconnect" | "use_here" };

export type Word = HolderWord | FollowerWord;

/** Reads what another tab said; null when it is nothing of this kind. */
export function readWord(raw: unknown): Word | null {
  return typeof raw === "object" && raw !== null && "kind" in raw ? (raw as Word) : null;
}
