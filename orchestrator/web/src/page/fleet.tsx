/** Operators' page: figures, bots over time, incidents, workers, sockets. Asked for every 5 s, not per event. */
import "./css/parts.css";
import { type ReactNode, useEffect, useState } from "react";
import type { FleetHistory, FleetNow, IncidentList } from "../generated.js";
import { Incidents, Sockets, Workers } from "./fleet_parts.js";
import { FleetPlot } from "./fleet_plot.js";
import { useShared } from "./live.js";
import { Segmented } from "./parts/ui.js";
import { ask } from "./rest.js";
import { fill, number, plural } from "./say.js";
import { Nowhere, useTitle } from "./shell.js";
import { FLEET } from "./texts/fleet.js";
import { PAGE } from "./texts/page.js";
import type { Hours } from "./view/axis.js";

const EVERY_MS = 5_000;
const HISTORY_EVERY_MS = 60_000;

export default function FleetPage(): ReactNode {
  const { session } = useShared();
  useTitle(PAGE.titles.fleet);
  return session.me.operator ? <Fleet /> : <Nowhere text={PAGE.nowhere.text} />;
}

function Fleet(): ReactNode {
  const [hours, setHours] = useState<Hours>("24");
  const now = usePolled<FleetNow>("/fleet", EVERY_MS);
  const incidents = usePolled<IncidentList>("/incidents", EVERY_MS);
  const history = usePolled<FleetHistory>(`/fleet/history?hours=${hours}`, HISTORY_EVERY_MS);
  return (
    <>
      <div className="head">
        <h1>{FLEET.title}</h1>
        <span className="grow" />
        <Segmented
          label={FLEET.period}
          value={hours}
          onChange={setHours}
          choices={(["1", "24", "168"] as const).map((id) => ({ id, label: FLEET.periods[id] }))}
        />
      </div>
      {now.failed && (
        <p className="help bad" role="status">
          {FLEET.failed}
        </p>
      )}
      <Figures now={now.value} />
      <div className="fl">
        <FleetPlot history={history.value} now={now.value?.bots ?? null} hours={hours} />
        <Incidents list={incidents.value} />
        <Workers now={now.value} />
        <Sockets now={now.value} />
      </div>
    </>
  );
}

/** An answer that is asked for again and again while the tab is seen; the last one stays when one fails. */
function usePolled<Answer>(path: string, everyMs: number): { readonly value: Answer | null; readonly failed: boolean } {
  const [state, setState] = useState<{ readonly value: Answer | null; readonly failed: boolean }>({
    value: null,
    failed: false,
  });
  useEffect(() => {
    const stop = new AbortController();
    const load = async () => {
      if (document.hidden) return;
      try {
        setState({ value: await ask<Answer>("GET", path, undefined, { signal: stop.signal }), failed: false });
      } catch {
        if (!stop.signal.aborted) setState((before) => ({ ...before, failed: true }));
      }
    };
    void load();
    const timer = setInterval(load, everyMs);
    return () => {
      stop.abort();
      clearInterval(timer);
    };
  }, [path, everyMs]);
  return state;
}

function Figures({ now }: { readonly now: FleetNow | null }): ReactNode {
  const words = FLEET.figures;
  const restarts = plural(now?.workerRestarts ?? 0, words.restarts);
  const up = now?.workers.filter((worker) => worker.state === "up").length ?? 0;
  const duplicates = now?.sockets.duplicateUsers ?? 0;
  return (
    <dl className="card kpis" aria-busy={now === null}>
      <Figure
        name={words.connected}
        value={now?.bots.connected}
        unit={fill(words.of, { n: number(now?.bots.total ?? 0) })}
        note={plural(now?.bots.needOwner ?? 0, words.needOwner)}
      />
      <Figure name={words.workers} value={up} unit={fill(words.of, { n: now?.workers.length ?? 0 })} note={restarts} />
      <Figure
        name={words.sockets}
        value={now?.sockets.open}
        note={plural(duplicates, words.duplicates)}
        good={now !== null && duplicates === 0}
      />
      <Figure name={words.delivery} value={now?.flow.deliveryP95Ms} unit={words.ms} note={words.deliveryNote} />
      <Figure
        name={words.commit}
        value={now?.flow.commitP95Ms}
        unit={words.ms}
        note={fill(words.perSecond, { n: rounded(now?.flow.eventsPerSecond ?? 0) })}
      />
      <Figure
        name={words.outbox}
        value={now?.outbox.queued ?? 0}
        unit={words.queued}
        note={fill(words.unknown, { n: now?.outbox.unknown ?? 0 })}
      />
    </dl>
  );
}

interface FigureProps {
  readonly name: string;
  readonly value: number | null | undefined;
  readonly unit?: string;
  readonly note: string;
  readonly good?: boolean;
}

function Figure({ name, value, unit, note, good }: FigureProps): ReactNode {
  return (
    <div className="kpi">
      <dt>{name}</dt>
      <dd>
        {value == null ? FLEET.figures.none : rounded(value)} {value != null && unit && <small>{unit}</small>}
        <p>{good ? `${note} ✓` : note}</p>
      </dd>
    </div>
  );
}

function rounded(value: number): string {
  return value < 10 && !Number.isInteger(value) ? value.toFixed(1) : number(Math.round(value));
}
