/** What happens to a message once it is there: receipts, the steps of a send, edits, deletions, reactions. Pure. */
import type { ChangeData, SendJob } from "../../generated.js";
import type { Item, SendState } from "./conversation.js";

const RANK: { readonly [state in SendState]: number } = {
  queued: 0,
  unknown: 1,
  failed: 1,
  sent: 2,
  delivered: 3,
  read: 4,
};

/** The one of two states that comes later: what is told late takes nothing back. */
export function further(was: SendState | null, now: SendState | null): SendState | null {
  if (was === null || now === null) return now ?? was;
  return RANK[now] >= RANK[was] ? now : was;
}

const TELLS: { readonly [receipt: string]: SendState } = { delivered: "delivered", read: "read", played: "read" };

export function received(item: Item, receipt: string): Item {
  const state = item.fromMe ? further(item.state, TELLS[receipt] ?? null) : item.state;
  return state === item.state ? item : { ...item, state };
}

/** A send has come further; `sentAt` is when WhatsApp took it. */
export function progressed(item: Item, job: SendJob, sentAt: number | undefined): Item {
  // A message that was only known as sent is one of a send whose steps are told late.
  const was = item.state === "sent" && item.jobId === null ? null : item.state;
  const state = further(was, job.state);
  return {
    ...item,
    jobId: job.id,
    messageId: job.messageId ?? item.messageId,
    at: sentAt ?? item.at,
    state,
    error: state === job.state ? job.error : item.error,
  };
}

/** The newest edit counts, in whatever order they come. */
export function edited(item: Item, change: ChangeData): Item {
  if ((item.editedAt ?? 0) > change.at) return item;
  return { ...item, text: change.text ?? "", editedAt: change.at };
}

/** Nothing of what was said stays. */
export function revoked(item: Item): Item {
  return { ...item, text: null, media: null, extra: null, quoted: null, mentions: null, reactions: {}, revoked: true };
}

export function reacted(item: Item, change: ChangeData): Item {
  const { [personOf(change)]: _, ...others } = item.reactions;
  return { ...item, reactions: change.emoji ? { ...others, [personOf(change)]: change.emoji } : others };
}

/** Whose a reaction is: each has one. The account's own is one, whatever device it comes from. */
export function personOf(reaction: { readonly sender: string; readonly fromMe?: boolean }): string {
  return reaction.fromMe ? "" : reaction.sender;
}

/** What is known of a message, and the same told whole by the server: nothing newer is lost. */
export function merged(was: Item | undefined, now: Item): Item {
  if (was === undefined || was.waiting) return now;
  const state = further(was.state, now.state);
  if (was.revoked && !now.revoked) return { ...was, state };
  const editedLater = (was.editedAt ?? 0) > (now.editedAt ?? 0);
  return {
    ...now,
    ...(editedLater ? { text: was.text, editedAt: was.editedAt } : {}),
    jobId: now.jobId ?? was.jobId,
    messageId: now.messageId ?? was.messageId,
    state,
    error: now.error ?? was.error,
  };
}
