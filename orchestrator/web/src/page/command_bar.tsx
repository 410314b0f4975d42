/** Search and commands in one field. Owns choosing and running; `view/palette.ts` decides what is offered. */
import { type KeyboardEvent, type ReactNode, useId, useMemo, useState } from "react";
import type { UnifiedClient } from "../types.js";
import { perform, steer } from "./commands.js";
import { Icon } from "./icons.js";
import { useBots, useShared } from "./live.js";
import { Dialog } from "./parts/dialog.js";
import { Kbd } from "./parts/ui.js";
import { go } from "./router.js";
import { fill, plural } from "./say.js";
import { KEYS } from "./texts/keys.js";
import { type Deed, type Entry, entriesOf } from "./view/palette.js";

const words = KEYS.bar;

interface CommandBarProps {
  /** Id of the bot somebody is at. */
  readonly subject: string | null;
  /** Whether that bot is one of the list. */
  readonly inList: boolean;
  readonly onClose: () => void;
}

export default function CommandBar({ subject, inList, onClose }: CommandBarProps): ReactNode {
  const { client, session } = useShared();
  const bots = useBots();
  const id = useId();
  const [query, setQuery] = useState("");
  const [chosen, setChosen] = useState<string | null>(null);
  const entries = useMemo(() => {
    const at = subject === null ? null : (bots[subject] ?? null);
    const { operator } = session.me;
    return entriesOf({ bots: Object.values(bots), subject: at, inList, query, operator, now: Date.now() });
  }, [bots, subject, inList, query, session]);
  // By name: commands come and go while somebody reads them, and Enter runs what was read or nothing.
  if (chosen === null && entries[0] !== undefined) setChosen(entries[0].id);
  const at = entries.findIndex((entry) => entry.id === chosen);
  const run = (entry: Entry | undefined) => {
    if (entry === undefined) return;
    onClose();
    carryOut(client, entry.deed);
  };
  const onKey = (event: KeyboardEvent) => {
    const by = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (by !== 0) {
      event.preventDefault();
      setChosen(entries.at(next(at, by, entries.length))?.id ?? null);
    } else if (event.key === "Enter") {
      event.preventDefault();
      run(entries[at]);
    }
  };
  return (
    <Dialog label={words.title} onClose={onClose}>
      <div className="cmdin">
        <Icon name="search" />
        <input
          autoFocus
          role="combobox"
          aria-label={words.title}
          aria-expanded="true"
          aria-controls={`${id}-list`}
          aria-activedescendant={entries[at] === undefined ? undefined : `${id}-${at}`}
          placeholder={words.placeholder}
          value={query}
          onKeyDown={onKey}
          onChange={(event) => {
            setQuery(event.target.value);
            setChosen(null);
          }}
        />
        <kbd className="kbd">Esc</kbd>
      </div>
      <div className="cmd-list" role="listbox" id={`${id}-list`} aria-label={words.title}>
        {entries.map((entry, index) => (
          <Option
            key={entry.id}
            id={`${id}-${index}`}
            entry={entry}
            head={entries[index - 1]?.group !== entry.group}
            current={index === at}
            onRun={() => run(entry)}
          />
        ))}
      </div>
      {entries.length === 0 && <p className="cmd-none">{fill(words.none, { q: query })}</p>}
      <div className="cf">
        <span className="only-w" aria-hidden="true">
          <Kbd>↑</Kbd>
          <Kbd>↓</Kbd>
          {words.move}
        </span>
        <span className="only-w" aria-hidden="true">
          <Kbd>↵</Kbd>
          {words.run}
        </span>
        <span className="grow" />
        <span role="status">{plural(entries.length, words.results)}</span>
      </div>
    </Dialog>
  );
}

/** The place after this one, or before; from none it is the first or the last. */
function next(at: number, by: number, count: number): number {
  return at < 0 ? Math.min(0, by) : (at + by) % count;
}

interface OptionProps {
  readonly id: string;
  readonly entry: Entry;
  readonly head: boolean;
  readonly current: boolean;
  readonly onRun: () => void;
}

function Option({ id, entry, head, current, onRun }: OptionProps): ReactNode {
  return (
    <>
      {head && (
        <div className="cgh" role="presentation">
          {entry.group}
        </div>
      )}
      <div
        className="ci"
        id={id}
        role="option"
        tabIndex={-1}
        aria-selected={current}
        onClick={onRun}
        onKeyDown={(event) => event.key === "Enter" && onRun()}
      >
        <Icon name={entry.icon} />
        <span className="ell">{entry.label}</span>
        <span className="r">
          {entry.side}
          {entry.keys.map((key) => (
            <Kbd key={key}>{key}</Kbd>
          ))}
        </span>
      </div>
    </>
  );
}

function carryOut(client: UnifiedClient, deed: Deed): void {
  if (deed.kind === "go") go(deed.to);
  else if (deed.kind === "help") document.dispatchEvent(new CustomEvent("page:help"));
  else if (deed.kind === "next") void perform(client, deed.bot, deed.action);
  else void steer(client, deed.bot, deed.action);
}
