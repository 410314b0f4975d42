/** A bot's conversations in this page: stored messages by REST, then everything the socket brings. Owns asking and folding. */
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import type { SendJob } from "../generated.js";
import { beforePaint } from "../painting.js";
import type { Frame, UnifiedClient } from "../types.js";
import { useConnection, useShared } from "./live.js";
import { ask } from "./rest.js";
import {
  type ChatView,
  type Conversation,
  chats,
  EMPTY,
  isUnknownSend,
  type StoredMessage,
  withFrames,
  withSent,
  withStored,
} from "./view/conversation.js";

interface Page {
  readonly messages: ReadonlyArray<StoredMessage>;
  readonly next: string | null;
}

export interface Talks {
  readonly chats: ReadonlyArray<ChatView>;
  readonly loaded: boolean;
  readonly failed: boolean;
  /** Whether there are older messages than those shown. */
  readonly more: boolean;
  older(): void;
  reload(): void;
  sent(job: SendJob, text: string): void;
}

const NEWEST = 200;
const AGAIN_MS = 1_500;

export function useTalks(bot: string): Talks {
  const { client } = useShared();
  const away = useConnection().away;
  const [known, setKnown] = useState<Conversation>(EMPTY);
  const [next, setNext] = useState<string | null>(null);
  const [state, setState] = useState<"loading" | "loaded" | "failed">("loading");
  const load = useCallback(
    async (before: string | null) => {
      try {
        const page = await ask<Page>(
          "GET",
          `/bots/${bot}/messages?limit=${NEWEST}${before === null ? "" : `&before=${before}`}`,
        );
        setKnown((had) => withStored(had, page.messages));
        setNext(page.next);
        setState("loaded");
      } catch {
        setState((was) => (was === "loaded" ? was : "failed"));
      }
    },
    [bot],
  );
  useFrames(client, bot, setKnown, load);
  // After a snapshot what was missed is stored, and nowhere else.
  const missedAt = away?.snapshot === true ? away.to : null;
  useEffect(() => {
    void missedAt;
    void load(null);
  }, [load, missedAt]);
  const all = useMemo(() => chats(known), [known]);
  return {
    chats: all,
    loaded: state !== "loading",
    failed: state === "failed",
    more: next !== null,
    older: () => void load(next),
    reload: () => void load(null),
    sent: (job, text) => setKnown((had) => withSent(had, job, text)),
  };
}

function useFrames(
  client: UnifiedClient,
  bot: string,
  setKnown: (change: (had: Conversation) => Conversation) => void,
  load: (before: string | null) => Promise<void>,
): void {
  const again = useRef<ReturnType<typeof setTimeout> | null>(null);
  useEffect(() => {
    let came: Frame[] = [];
    let off: (() => void) | null = null;
    // A burst is folded at once: what it costs does not grow with how many came.
    const take = () => {
      const frames = came;
      came = [];
      off = null;
      setKnown((had) => {
        const now = withFrames(had, frames);
        // Sent by somebody else: the words are stored, and asked for once for a burst of them.
        if (again.current === null && frames.some((frame) => isUnknownSend(now, frame))) {
          again.current = setTimeout(() => {
            again.current = null;
            void load(null);
          }, AGAIN_MS);
        }
        return now;
      });
    };
    const stop = client.onFrame((frame) => {
      if (frame.event !== "message_sync" || frame.botId !== bot) return;
      came.push(frame);
      off ??= beforePaint(take);
    });
    return () => {
      stop();
      off?.();
      if (again.current !== null) clearTimeout(again.current);
      again.current = null;
    };
  }, [client, bot, setKnown, load]);
}
