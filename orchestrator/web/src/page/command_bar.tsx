/** Search and commands in one field: bots by name or number, places, and what the found bot can do next. */
import { type KeyboardEvent, type ReactNode, useId, useMemo, useState } from "react";
import type { Bot } from "../generated.js";
import type { UnifiedClient } from "../types.js";
import { perform, steer } from "./commands.js";
import { Icon, type IconName } from "./icons.js";
import { useBots, useShared } from "./live.js";
import { Dialog } from "./parts/dialog.js";
import { go } from "./router.js";
import { fill } from "./say.js";
import { BOT } from "./texts/bot.js";
import { KEYS } from "./texts/keys.js";
import { PAGE } from "./texts/page.js";
import { found } from "./view/groups.js";
import { statusView } from "./view/status.js";

interface Entry {
  readonly id: string;
  readonly group: string;
  readonly label: string;
  readonly side: string;
  readonly icon: IconName;
  readonly run: () => void;
}

const MOST_BOTS = 7;
const words = KEYS.bar;

export default function CommandBar({ onClose }: { readonly onClose: () => void }): ReactNode {
  const { client, session } = useShared();
  const bots = useBots();
  const id = useId();
  const [query, setQuery] = useState("");
  const [chosen, setChosen] = useState<string | null>(null);
  const entries = useMemo(
    () => entriesOf(client, Object.values(bots), query, session.me.operator),
    [client, bots, query, session],
  );
  // By name: commands come and go while somebody reads them, and Enter runs what was read or nothing.
  if (chosen === null && entries[0] !== undefined) setChosen(entries[0].id);
  const at = entries.findIndex((entry) => entry.id === chosen);
  const run = (entry: Entry | undefined) => {
    if (entry === undefined) return;
    onClose();
    entry.run();
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
        <span className="r">{entry.side}</span>
      </div>
    </>
  );
}

function entriesOf(
  client: UnifiedClient,
  bots: ReadonlyArray<Bot>,
  query: string,
  operator: boolean,
): ReadonlyArray<Entry> {
  const hits = query.trim() === "" ? [] : found(bots, query).slice(0, MOST_BOTS);
  const first = hits[0];
  return [
    ...(first === undefined ? [] : commandsOf(client, first, operator)),
    ...hits.map((bot) => entryOf(bot, operator)),
    ...places(operator).filter((place) => place.label.toLowerCase().includes(query.trim().toLowerCase())),
  ];
}

function commandsOf(client: UnifiedClient, bot: Bot, operator: boolean): ReadonlyArray<Entry> {
  const group = fill(words.commands, { bot: bot.name });
  const { action } = statusView(bot, Date.now(), operator);
  const running = bot.desired === "running";
  const make = (id: string, label: string, icon: IconName, run: () => void): Entry => ({
    id: `${bot.id} ${id}`,
    group,
    label,
    side: "",
    icon,
    run,
  });
  return [
    ...(action === null ? [] : [make(action.id, action.label, "right", () => void perform(client, bot, action.id))]),
    ...(bot.account === null
      ? []
      : [make("restart", BOT.restart, "reconnecting", () => void steer(client, bot, "restart"))]),
    ...(running ? [make("stop", BOT.stop, "pause", () => void steer(client, bot, "stop"))] : []),
  ];
}

function entryOf(bot: Bot, operator: boolean): Entry {
  const view = statusView(bot, Date.now(), operator);
  return {
    id: bot.id,
    group: words.bots,
    label: bot.name,
    side: view.label,
    icon: view.icon,
    run: () => go(`/bots/${bot.id}`),
  };
}

function places(operator: boolean): ReadonlyArray<Entry> {
  const place = (label: string, icon: IconName, run: () => void): Entry => ({
    id: label,
    group: words.places,
    label,
    side: "",
    icon,
    run,
  });
  return [
    place(PAGE.bots, "bots", () => go("/")),
    place(words.needYou, "right", () => go("/?show=you")),
    place(PAGE.newBot, "plus", () => go("/new")),
    ...(operator ? [place(words.incidents, "fleet", () => go("/fleet"))] : []),
    place(words.help, "info", () => document.dispatchEvent(new CustomEvent("page:help"))),
  ];
}
