/** The list of bots: who acts is the first sorting; what is on the screen is in the document. Owns filter and groups. */
import { type ReactNode, useDeferredValue, useMemo, useState } from "react";
import type { Bot } from "../generated.js";
import "./css/parts.css";
import { BotList } from "./bot_list.js";
import { EventLog } from "./event_log.js";
import { Icon } from "./icons.js";
import { useBots, useConnection, useLoaded, useShared } from "./live.js";
import { Button, Kbd } from "./parts/ui.js";
import { mayBePhone } from "./phone.js";
import { go, setQuery, usePlace } from "./router.js";
import { fill, plural } from "./say.js";
import { isSimulated } from "./session.js";
import { useTitle } from "./shell.js";
import { PAGE } from "./texts/page.js";
import { STATUSES } from "./texts/statuses.js";
import { type Counts, count, found, GROUP_TONES, GROUPS, sections } from "./view/groups.js";
import type { Group } from "./view/status.js";

const ENOUGH_FOR_GROUPS = 2;
const MANY = 1_000;
/** Stands in the address where all are wanted although some would come first. */
const ALL = "all";

export function BotsPage(): ReactNode {
  const bots = useBots();
  const loaded = useLoaded();
  const { query } = usePlace();
  const all = useMemo(() => Object.values(bots), [bots]);
  const counts = useMemo(() => count(all), [all]);
  useTitle(counts.you > 0 ? fill(PAGE.titles.need, { n: counts.you }) : PAGE.titles.bots);
  if (!loaded) return <Loading />;
  if (all.length === 0) return <Empty />;
  return <Filled all={all} counts={counts} show={query.get("show")} asked={query.get("q") ?? ""} />;
}

interface FilledProps {
  readonly all: ReadonlyArray<Bot>;
  readonly counts: Counts;
  /** What the address asks for: a group, or all of them. */
  readonly show: string | null;
  readonly asked: string;
}

function Filled({ all, counts, show: wanted, asked }: FilledProps): ReactNode {
  const [words, setWords] = useState(asked);
  // Where nobody reads all of them, those come first that somebody has to do something about.
  const [first] = useState(() => (all.length >= MANY && counts.you > 0 ? "you" : ALL));
  const show = GROUPS.find((group) => group === (wanted ?? first)) ?? null;
  const choose = (group: Group | null) => setQuery("show", group ?? (first === ALL ? null : ALL));
  // What is typed and pressed is drawn first, the list it changes right after.
  const [looked, group] = [useDeferredValue(words), useDeferredValue(show)];
  const shown = useMemo(() => sections(found(all, looked), group), [all, looked, group]);
  const few = all.length < ENOUGH_FOR_GROUPS;
  const clear = () => {
    setWords("");
    setQuery("q", null);
    choose(null);
  };
  const none = <NoHit words={words} show={group} onClear={clear} />;
  return (
    <>
      <div className="head">
        <h1>{PAGE.bots}</h1>
        <span className="grow" />
        {!few && <Search words={words} onChange={setWords} />}
        <Button kind="pri" icon="plus" kbd="N" className="only-w" onClick={() => go("/new")}>
          {PAGE.newBot}
        </Button>
      </div>
      {!few && <Composition counts={counts} total={all.length} />}
      {!few && <Filters counts={counts} total={all.length} show={show} onShow={choose} />}
      <BotList sections={shown} look={`${group} ${looked}`} total={all.length} plain={few} none={none} />
      {few && all[0] !== undefined && (
        <div className="only-bot">
          <EventLog bot={all[0]} />
        </div>
      )}
    </>
  );
}

interface SearchProps {
  readonly words: string;
  readonly onChange: (words: string) => void;
}

function Search({ words, onChange }: SearchProps): ReactNode {
  return (
    <search className="input search">
      <Icon name="search" className="s14" />
      <input
        id="find"
        type="search"
        aria-label={PAGE.list.find}
        placeholder={PAGE.list.find}
        value={words}
        onChange={(event) => {
          onChange(event.target.value);
          // A phone number never stands in an address: what may be one filters without it.
          setQuery("q", mayBePhone(event.target.value) ? null : event.target.value);
        }}
      />
      <Kbd>/</Kbd>
    </search>
  );
}

function Composition({ counts, total }: { readonly counts: Counts; readonly total: number }): ReactNode {
  const parts = GROUPS.filter((group) => counts[group] > 0);
  const words = parts.map((group) => `${counts[group]} ${STATUSES.group[group].label}`).join(", ");
  return (
    <div className="comp" role="img" aria-label={`${plural(total, PAGE.list.composition)}: ${words}`}>
      {parts.map((group) => (
        <i key={group} className={`tone-${GROUP_TONES[group]}`} style={{ flex: counts[group] }} />
      ))}
    </div>
  );
}

interface FiltersProps {
  readonly counts: Counts;
  readonly total: number;
  readonly show: Group | null;
  readonly onShow: (group: Group | null) => void;
}

function Filters({ counts, total, show, onShow }: FiltersProps): ReactNode {
  return (
    <fieldset className="filters" aria-label={PAGE.list.filters}>
      <button type="button" className="chip" aria-pressed={show === null} onClick={() => onShow(null)}>
        {PAGE.list.all} <b>{total}</b>
      </button>
      {GROUPS.map((group) => (
        <button
          key={group}
          type="button"
          className={counts[group] === 0 ? "chip zero" : "chip"}
          aria-pressed={show === group}
          onClick={() => onShow(show === group ? null : group)}
        >
          <span className={`dot tone-${GROUP_TONES[group]}`} />
          {STATUSES.group[group].label} <b>{counts[group]}</b>
        </button>
      ))}
    </fieldset>
  );
}

interface NoHitProps {
  readonly words: string;
  readonly show: Group | null;
  readonly onClear: () => void;
}

function NoHit({ words, show, onClear }: NoHitProps): ReactNode {
  const group = show === null ? "" : STATUSES.group[show].label;
  return (
    <div className="card empty small">
      <p>{fill(words.trim() === "" ? PAGE.list.noneIn : PAGE.list.noHit, { q: words, group })}</p>
      <Button onClick={onClear}>{PAGE.list.clear}</Button>
    </div>
  );
}

function Empty(): ReactNode {
  const { session } = useShared();
  return (
    <>
      <div className="head">
        <h1>{PAGE.bots}</h1>
      </div>
      <div className="card empty" data-empty="bots">
        <span className="tile lg tone-off">
          <Icon name="bots" className="s28" />
        </span>
        <h2>{PAGE.list.emptyTitle}</h2>
        <p>{PAGE.list.empty}</p>
        <div className="acts">
          <Button kind="pri" large icon="plus" onClick={() => go("/new")}>
            {PAGE.newBot}
          </Button>
          {isSimulated(session.version) && (
            <Button large onClick={() => go("/new")}>
              {PAGE.list.simulatedPhone}
            </Button>
          )}
        </div>
        <p className="meta">
          {PAGE.list.terminal} <span className="mono">{PAGE.list.command}</span>
        </p>
      </div>
    </>
  );
}

const SKELETONS = [120, 96, 134, 88, 110, 102];

/** Nothing for a moment, then rows of the real height; words when it takes long. */
function Loading(): ReactNode {
  const { client } = useShared();
  const lost = useConnection().state === "reconnecting";
  return (
    <>
      <div className="head">
        <h1>{PAGE.bots}</h1>
      </div>
      {lost ? (
        <div className="card empty">
          <span className="tile lg tone-heal">
            <Icon name="reconnecting" className="s28" />
          </span>
          <h2>{PAGE.list.failedTitle}</h2>
          <p>{PAGE.list.failed}</p>
          <div className="acts">
            <Button kind="pri" large onClick={() => client.reconnectNow()}>
              {PAGE.list.tryNow}
            </Button>
          </div>
        </div>
      ) : (
        <div className="card grid late" aria-busy="true">
          {SKELETONS.map((width) => (
            <div className="gr br" key={width}>
              <div className="row">
                <span className="ava" />
                <div>
                  <div className="skel" style={{ width, marginBottom: 7 }} />
                  <div className="skel" style={{ width: 90, height: 9 }} />
                </div>
              </div>
              <div className="skel" style={{ width: width * 1.6 }} />
            </div>
          ))}
        </div>
      )}
    </>
  );
}
