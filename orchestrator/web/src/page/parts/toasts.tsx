/** Short notices at the edge of the page: at most three, one per bot, newest on top. Owns when they go. */
import { type ReactNode, useSyncExternalStore } from "react";
import { Icon, type IconName } from "../icons.js";
import { PAGE } from "../texts/page.js";
import type { Tone } from "../view/status.js";
import { Button } from "./ui.js";

export interface Toast {
  /** The bot it is about, or anything else of which there is one. */
  readonly about: string;
  readonly tone: Tone;
  readonly icon: IconName;
  readonly title: string;
  readonly text?: string;
  readonly code?: string;
  readonly action?: { readonly label: string; readonly run: () => void };
}

const MOST = 3;
const DONE_MS = 4_000;

let shown: ReadonlyArray<Toast> = [];
const listeners = new Set<() => void>();

function show(next: ReadonlyArray<Toast>): void {
  shown = next;
  for (const listener of listeners) listener();
}

/** Show a notice. One without an action goes by itself. */
export function toast(made: Toast): void {
  show([made, ...shown.filter((other) => other.about !== made.about)].slice(0, MOST));
  if (made.action === undefined && made.code === undefined) setTimeout(() => dismiss(made), DONE_MS);
}

export function dismiss(gone: Toast): void {
  if (shown.includes(gone)) show(shown.filter((other) => other !== gone));
}

/** What was said about a bot that is all right again, or gone. */
export function dismissAbout(about: string): void {
  if (shown.some((one) => one.about === about)) show(shown.filter((other) => other.about !== about));
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function Toasts(): ReactNode {
  const all = useSyncExternalStore(subscribe, () => shown);
  return (
    <section className="toasts" aria-label={PAGE.notices}>
      {all.map((one) => (
        <div className={`toast tone-${one.tone}`} key={one.about}>
          <Icon name={one.icon} />
          <div className="grow">
            <b>{one.title}</b>
            {one.text && <p>{one.text}</p>}
            {one.code && <p className="mono meta">{one.code}</p>}
          </div>
          {one.action && (
            <Button
              onClick={() => {
                dismiss(one);
                one.action?.run();
              }}
            >
              {one.action.label}
            </Button>
          )}
          <Button kind="ghost" square icon="x" className="close" label={PAGE.close} onClick={() => dismiss(one)} />
        </div>
      ))}
    </section>
  );
}
