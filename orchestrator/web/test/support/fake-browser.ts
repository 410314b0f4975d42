/**
 * A browser in memory: tabs with a channel, locks and marks they share, or not, and pages that hide, freeze and go.
 *
 * A stuck tab (a hung main thread) hears and says nothing until it comes loose; its timers go on, its words are held back.
 */
import type {
  Channel,
  Environment,
  Locks,
  Page,
  PageEvent,
  Wire,
  WireEvents,
  WireOptions,
} from "../../src/environment.js";

export type Connect = (options: WireOptions, events: WireEvents, stuck: () => boolean) => Wire;

interface Waiting {
  readonly tab: FakeTab;
  readonly granted: (release: () => void) => void;
  readonly lost: () => void;
}

class FakeLock {
  #holder: Waiting | null = null;
  #queue: Waiting[] = [];

  request(how: "queue" | "steal", waiting: Waiting): () => void {
    if (how === "steal") {
      const former = this.#holder;
      this.#give(waiting);
      if (former !== null) former.tab.run(former.lost);
    } else {
      this.#queue.push(waiting);
      setTimeout(() => this.#next(), 1);
    }
    return () => {
      this.#queue = this.#queue.filter((one) => one !== waiting);
    };
  }

  /** A tab is gone: what it held and waited for is free. */
  forget(tab: FakeTab): void {
    this.#queue = this.#queue.filter((one) => one.tab !== tab);
    if (this.#holder?.tab === tab) this.#release(this.#holder);
  }

  #next(): void {
    if (this.#holder !== null) return;
    const next = this.#queue.shift();
    if (next !== undefined) this.#give(next);
  }

  #give(waiting: Waiting): void {
    this.#holder = waiting;
    waiting.tab.run(() => waiting.granted(() => this.#release(waiting)));
  }

  #release(waiting: Waiting): void {
    if (this.#holder !== waiting) return;
    this.#holder = null;
    setTimeout(() => this.#next(), 1);
  }
}

export interface Abilities {
  readonly locks?: boolean;
  readonly channel?: boolean;
}

export class FakeBrowser {
  readonly tabs = new Set<FakeTab>();
  readonly #locks = new Map<string, FakeLock>();
  readonly marks = new Map<string, number>();
  /** Everything tabs said to each other, as text. */
  readonly words: string[] = [];
  /** Frames passed between tabs that get lost. */
  loseWords = 0;
  readonly abilities: Required<Abilities>;
  readonly connect: Connect;

  constructor(connect: Connect, abilities: Abilities = {}) {
    this.connect = connect;
    this.abilities = { locks: true, channel: true, ...abilities };
  }

  open(): FakeTab {
    const tab = new FakeTab(this);
    this.tabs.add(tab);
    return tab;
  }

  lock(name: string): FakeLock {
    const known = this.#locks.get(name) ?? new FakeLock();
    this.#locks.set(name, known);
    return known;
  }

  loses(message: unknown): boolean {
    const text = JSON.stringify(message);
    this.words.push(text);
    if (!text.includes('"kind":"frame"') || this.loseWords === 0) return false;
    this.loseWords -= 1;
    return true;
  }

  get locks(): Iterable<FakeLock> {
    return this.#locks.values();
  }
}

let ids = 0;

export class FakeTab implements Environment {
  readonly browser: FakeBrowser;
  readonly #channels = new Map<Channel, { name: string; heard: (message: unknown) => void }>();
  readonly #listeners = new Set<(event: PageEvent) => void>();
  readonly #wires = new Set<Wire>();
  readonly errors: unknown[] = [];
  #held: (() => void)[] | null = null;
  gone = false;
  visible = true;
  online = true;

  constructor(browser: FakeBrowser) {
    this.browser = browser;
  }

  // --- what happens to a tab --------------------------------------------------------------------------------------

  /** Its main thread hangs. */
  stick(): void {
    this.#held ??= [];
  }

  /** It goes on: what had come meanwhile is handed over. */
  comeLoose(): void {
    const held = this.#held ?? [];
    this.#held = null;
    for (const work of held) this.run(work);
  }

  /** It is gone without a word: killed. */
  crash(): void {
    this.gone = true;
    this.browser.tabs.delete(this);
    for (const lock of this.browser.locks) lock.forget(this);
    for (const wire of this.#wires) wire.close();
  }

  tell(event: PageEvent): void {
    if (event === "visible" || event === "hidden") this.visible = event === "visible";
    if (event === "online" || event === "offline") this.online = event === "online";
    for (const listener of [...this.#listeners]) listener(event);
  }

  /** Runs something in this tab: now, when it comes loose, or never. */
  run(work: () => void): void {
    if (this.gone) return;
    if (this.#held !== null) this.#held.push(work);
    else work();
  }

  get stuck(): boolean {
    return this.#held !== null;
  }

  // --- the environment of its client ------------------------------------------------------------------------------

  connect(options: WireOptions, events: WireEvents): Wire {
    const wire = this.browser.connect(
      options,
      {
        refused: (data) => this.run(() => events.refused(data)),
        event: (name, argument) => this.run(() => events.event(name, argument)),
        heard: () => this.run(() => events.heard()),
        closed: (final) => this.run(() => events.closed(final)),
      },
      () => this.stuck || this.gone,
    );
    this.#wires.add(wire);
    return {
      emit: (event, argument, answered) =>
        this.run(() => wire.emit(event, argument, answered && ((answer) => this.run(() => answered(answer))))),
      close: () => this.run(() => wire.close()),
    };
  }

  channel(name: string, heard: (message: unknown) => void): Channel | null {
    if (!this.browser.abilities.channel) return null;
    const channel: Channel = {
      post: (message) => {
        const copy = structuredClone(message);
        this.run(() => {
          if (this.browser.loses(copy)) return;
          for (const tab of this.browser.tabs) if (tab !== this) tab.#hear(name, copy);
        });
      },
      close: () => {
        this.#channels.delete(channel);
      },
    };
    this.#channels.set(channel, { name, heard });
    return channel;
  }

  #hear(name: string, message: unknown): void {
    setTimeout(
      () =>
        this.run(() => {
          for (const [channel, one] of this.#channels) {
            if (one.name === name && this.#channels.has(channel)) one.heard(message);
          }
        }),
      1,
    );
  }

  get locks(): Locks | null {
    if (!this.browser.abilities.locks) return null;
    return {
      request: (name, how, granted, lost) => this.browser.lock(name).request(how, { tab: this, granted, lost }),
    };
  }

  get page(): Page {
    return {
      visible: this.visible,
      online: this.online,
      subscribe: (listener) => {
        this.#listeners.add(listener);
        return () => {
          this.#listeners.delete(listener);
        };
      },
    };
  }

  mark(name: string): { set(at: number | null): void; get(): number | null } {
    const { marks } = this.browser;
    return {
      set: (at) => {
        if (at === null) marks.delete(name);
        else marks.set(name, at);
      },
      get: () => marks.get(name) ?? null,
    };
  }

  random(): number {
    return Math.random();
  }

  newId(): string {
    ids += 1;
    return `id${ids}`;
  }

  report(error: unknown): void {
    this.errors.push(error);
  }
}
