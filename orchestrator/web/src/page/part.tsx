/**
 * Parts of the page in files of their own: asked for when their address is met, drawn when they have come. Owns the
 * waiting and the way out when a file is gone; it must never know what a part shows.
 */
import { type ComponentType, type ReactNode, useEffect, useState, useSyncExternalStore } from "react";
import { Button } from "./parts/ui.js";
import { ask } from "./rest.js";
import { lostStyles } from "./styles.js";
import { PAGE } from "./texts/page.js";

const SOON_MS = 1_000;
const LATE_MS = 30_000;
/** How often in a row the page starts anew by itself for a part that has not come. */
const STARTS_MOST = 3;
const STARTS = "starts";

/** A part, in the file that holds it. */
export class Part<Props extends object> {
  readonly #load: () => Promise<ComponentType<Props>>;
  readonly #listeners = new Set<() => void>();
  #coming: Promise<void> | null = null;
  #component: ComponentType<Props> | null = null;

  /** @param load Imports it. */
  constructor(load: () => Promise<ComponentType<Props>>) {
    this.#load = load;
  }

  /** Null until it has come. */
  readonly component = (): ComponentType<Props> | null => this.#component;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Fetches it, once; what did not come is fetched again when it is asked for again. */
  ask(): Promise<void> {
    this.#coming ??= this.#fetch();
    return this.#coming;
  }

  /** It may be wanted soon. Whether it comes shows when it is. */
  expect(): void {
    this.ask().catch(() => undefined);
  }

  async #fetch(): Promise<void> {
    try {
      await lostStyles();
      this.#component = await this.#load();
    } catch (error) {
      this.#coming = null;
      throw error;
    }
    for (const listener of this.#listeners) listener();
  }
}

interface ShownProps<Props extends object> {
  readonly part: Part<Props>;
  readonly of: Props;
  /** Drawn when its file is gone, where there is more on the page than this part; else the page starts anew. */
  readonly gone?: ReactNode;
}

/** Draws a part, and nothing until it has come. */
export function Shown<Props extends object>({ part, of, gone }: ShownProps<Props>): ReactNode {
  const [lost, setLost] = useState<Part<Props> | null>(null);
  useEffect(() => {
    let over = false;
    part.ask().catch(() => {
      if (!over) setLost(part);
    });
    return () => {
      over = true;
    };
  }, [part]);
  const Component = useSyncExternalStore(part.subscribe, part.component);
  if (Component === null) return lost === part ? (gone ?? <Gone />) : null;
  return (
    <>
      <Component {...of} />
      {gone === undefined && <Came />}
    </>
  );
}

/** The page has what it needs: it may start anew again when that is no longer so. */
function Came(): ReactNode {
  useEffect(() => void noteStarts(0), []);
  return null;
}

/**
 * The file of what is to be shown did not come, as after an upgrade or while the server starts: the page starts anew
 * when the server answers, a few times; what stays gone then is left to whoever reads it.
 */
function Gone(): ReactNode {
  const [starts] = useState(startsSoFar);
  const again = starts < STARTS_MOST;
  useEffect(() => (again ? startAnew(starts) : undefined), [again, starts]);
  const words = PAGE.part;
  return (
    <div className="card empty" role="status" data-part={again ? "waiting" : "gone"}>
      <h1>{words.title}</h1>
      <p>{again ? words.waiting : words.gone}</p>
      <Button kind="pri" large onClick={() => location.reload()}>
        {words.again}
      </Button>
    </div>
  );
}

/** Starts the page anew as soon as the server answers, each time after a longer wait. Returns how to call it off. */
function startAnew(starts: number): () => void {
  let over = false;
  let wait = SOON_MS * 2 ** starts;
  const attempt = async () => {
    try {
      await ask("GET", "/version");
      if (!over && noteStarts(starts + 1)) location.reload();
    } catch {
      wait = Math.min(LATE_MS, wait * 2);
      if (!over) timer = setTimeout(() => void attempt(), wait);
    }
  };
  let timer = setTimeout(() => void attempt(), wait);
  return () => {
    over = true;
    clearTimeout(timer);
  };
}

function startsSoFar(): number {
  try {
    return Number(sessionStorage.getItem(STARTS));
  } catch {
    return STARTS_MOST;
  }
}

/** Whether it could be noted: a page that cannot count its starts must not begin one. */
function noteStarts(count: number): boolean {
  try {
    if (count === 0) sessionStorage.removeItem(STARTS);
    else sessionStorage.setItem(STARTS, String(count));
    return true;
  } catch {
    return false;
  }
}
