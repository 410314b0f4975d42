/** A bot's conversations in this page: stored messages by REST, then everything the socket brings. Owns asking and folding. */
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import type { SendJob } from "../generated.js";
import { beforePaint } from "../painting.js";
import type { Frame, State, UnifiedClient } from "../types.js";
import { useLive, useShared } from "./live.js";
import { ask } from "./rest.js";
import { type ChatView, chats } from "./view/chats.js";
import {
  type Conversation,
  EMPTY,
  isCut,
  type Page,
  withFrames,
  withNewest,
  withOlder,
  withSent,
} from "./view/conversation.js";

export interface Talks {
  readonly chats: ReadonlyArray<ChatView>;
  readonly addresses: Conversation["addresses"];
  /** Whether the newest stored messages are there. */
  readonly loaded: boolean;
  /** What could not be read, until it can. */
  readonly failed: Part | null;
  readonly busy: boolean;
  /** Whether there are older messages than those shown. */
  readonly more: boolean;
  load(part: Part): void;
  sent(job: SendJob, text: string): void;
}

/** Stored messages: the newest, or those before what is there. */
export type Part = "newest" | "older";

const NEWEST = 200;
const AGAIN_MS = 1_500;

/** Frames that came since stored messages were asked for. */
type Since = ReadonlyMap<Part, Frame[]>;
type Change = (change: (had: Conversation) => Conversation) => void;

const jumpsOf = (state: State): number => state.jumps;

export function useTalks(bot: string): Talks {
  const { client } = useShared();
  const [known, setKnown] = useState<Conversation>(EMPTY);
  const [busy, setBusy] = useState(false);
  const [failed, setFailed] = useState<Part | null>(null);
  // What comes while an answer is under way may not be in it, and is told again after it.
  const [since] = useState(() => new Map<Part, Frame[]>());
  const read = useCallback(
    async (part: Part, before: string | null) => {
      const came: Frame[] = [];
      since.set(part, came);
      if (part === "older") setBusy(true);
      const from = before === null ? "" : `&before=${before}`;
      const page = await ask<Page>("GET", `/bots/${bot}/messages?limit=${NEWEST}${from}`).catch(() => null);
      // Of two that were asked for, the later one has what the earlier may lack.
      if (since.get(part) !== came) return;
      since.delete(part);
      if (part === "older") setBusy(false);
      if (page === null) {
        setFailed(part);
        return;
      }
      const withPage = part === "newest" ? withNewest : withOlder;
      setKnown((had) => withFrames(withPage(had, page, before), came));
      setFailed((was) => (was === part ? null : was));
    },
    [bot, since],
  );
  const newest = useCallback(() => void read("newest", null), [read]);
  useFrames(client, bot, setKnown, newest, since);
  // After a jump what was missed is stored, and nowhere else.
  const jumps = useLive(jumpsOf);
  useEffect(() => {
    void jumps;
    newest();
  }, [newest, jumps]);
  const sent = useCallback((job: SendJob, text: string) => setKnown((had) => withSent(had, job, text)), []);
  const all = useMemo(() => chats(known), [known]);
  return {
    chats: all,
    addresses: known.addresses,
    loaded: known.loaded,
    failed,
    busy,
    more: known.next !== null,
    load: (part) => {
      if (part === "newest") newest();
      else if (!busy) void read("older", known.next);
    },
    sent,
  };
}

/** Folds frames as they come, and keeps them for the answers that are under way. */
function useFrames(client: UnifiedClient, bot: string, setKnown: Change, newest: () => void, since: Since): void {
  const again = useRef<ReturnType<typeof setTimeout> | null>(null);
  useEffect(() => {
    let came: Frame[] = [];
    let off: (() => void) | null = null;
    // A burst is folded at once: what it costs does not grow with how many came.
    const take = () => {
      const frames = came;
      came = [];
      off = null;
      setKnown((had) => withFrames(had, frames));
    };
    const askAgain = () => {
      again.current = null;
      newest();
    };
    const stop = client.onFrame((frame) => {
      if (frame.event !== "message_sync" || frame.botId !== bot) return;
      came.push(frame);
      for (const frames of since.values()) frames.push(frame);
      off ??= beforePaint(take);
      // Stored whole: asked for once for a burst of them.
      if (isCut(frame)) again.current ??= setTimeout(askAgain, AGAIN_MS);
    });
    return () => {
      stop();
      off?.();
      if (again.current !== null) clearTimeout(again.current);
      again.current = null;
    };
  }, [client, bot, setKnown, newest, since]);
}
