/**
 * The unified socket client, without a framework: one connection per user and browser, however many tabs and components.
 *
 * Owns one user's client in this page: it holds the socket or is fed by the tab that does, and is the same to its users
 * in either case. Read `tabs.ts` for the election, `holder.ts` for the socket, `feed.ts` for what is applied;
 * `registry.ts` shares a page's client between its components.
 */
import { isLoopback, originOf } from "./address.js";
import { BROWSER } from "./browser.js";
import { Commands, type SentCommand } from "./commands.js";
import type { Environment, PageEvent } from "./environment.js";
import { Feed } from "./feed.js";
import type { Position, Ready } from "./generated.js";
import { Holder } from "./holder.js";
import type { LinkState } from "./link.js";
import { framesAfter } from "./log.js";
import { Presence } from "./presence.js";
import { type Absence, inherited, putAway, shown } from "./shown.js";
import { DEFAULT_LIMITS, IDLE } from "./state.js";
import { Store } from "./store.js";
import { Tabs } from "./tabs.js";
import { type FollowerWord, type HolderWord, readWord } from "./talk.js";
import type {
  ClientOptions,
  Command,
  CommandAnswer,
  Connection,
  Frame,
  State,
  TokenSource,
  UnifiedClient,
} from "./types.js";
import { readAnswer, type Snapshot, unanswered } from "./wire.js";

/** A change of holder shorter than this shows nothing. */
const GRACE_MS = 1_000;
const NO_ABSENCE: Absence = { replayed: 0, snapshot: false, missed: null };

export class Client implements UnifiedClient {
  readonly url: string;
  readonly userId: string;
  readonly #environment: Environment;
  readonly #store: Store;
  readonly #feed: Feed;
  readonly #tabs: Tabs;
  readonly #commands = new Commands();
  readonly #presence: Presence;
  readonly #clientId: string;
  #getToken: TokenSource;
  #holder: Holder | null = null;
  /** Of the present holder's socket, in whatever tab. */
  #connectionId: string | null = null;
  #absence: Absence = NO_ABSENCE;
  #graceUntil = 0;
  #grace: ReturnType<typeof setTimeout> | null = null;
  #unwatch: (() => void) | null = null;
  /** What another tab has, where this one, which holds, never had what came after it. */
  #behind: Position | null = null;
  /** Whether what waits has been sent over the present connection. */
  #flushed = false;

  constructor(options: ClientOptions, environment: Environment = BROWSER) {
    this.url = options.url;
    this.userId = options.userId;
    this.#getToken = options.getToken;
    this.#environment = environment;
    const { logLimit: log = DEFAULT_LIMITS.log, chatLimit: messagesPerChat = DEFAULT_LIMITS.messagesPerChat } = options;
    const report = (error: unknown) => environment.report(error);
    this.#store = new Store({ ...DEFAULT_LIMITS, log, messagesPerChat }, report);
    this.#feed = new Feed(this.#store, report);
    this.#clientId = environment.newId();
    const name = `unified-socket ${originOf(options.url)} ${options.userId}`;
    this.#presence = new Presence(environment.mark(name));
    this.#tabs = new Tabs(name, environment, {
      hold: (heir) => this.#hold(heir),
      follow: () => this.#follow(),
      prevail: () => this.#holder?.step({ kind: "prevail" }),
      found: () => this.#found(),
      heard: (from, body, authority) => this.#heard(from, body, authority),
    });
  }

  // --- what users of the client see -----------------------------------------------------------------------------

  getState(): State {
    return this.#store.state;
  }

  subscribe(listener: () => void): () => void {
    return this.#store.subscribe(listener);
  }

  onFrame(listener: (frame: Frame) => void): () => void {
    return this.#feed.onFrame(listener);
  }

  setTokenSource(getToken: TokenSource): void {
    this.#getToken = getToken;
  }

  command(command: Command): Promise<CommandAnswer> {
    const sent: SentCommand = { ...command, id: command.id ?? `cmd_${this.#environment.newId()}` };
    return new Promise((resolve) => {
      this.#commands.take(sent, resolve);
      this.#dispatch(sent);
    });
  }

  reconnectNow(): void {
    this.#ask("reconnect");
  }

  connectHere(): void {
    this.#ask("use_here");
  }

  /** Begins: this tab takes part in holding the connection. Called by the registry. */
  open(): void {
    if (this.#unwatch !== null) return;
    this.#unwatch = this.#environment.page.subscribe((event) => this.#onPage(event));
    this.#show({ ...this.#store.state.connection, state: "connecting", since: Date.now() });
    this.#tabs.enter();
  }

  /** Ends: another tab goes on with the connection, or it is closed. */
  close(): void {
    this.#unwatch?.();
    this.#unwatch = null;
    this.#tabs.leave();
    this.#connectionId = null;
    this.#commands.settleAll("The page has let go of the connection.");
    this.#show({ ...IDLE, away: this.#store.state.connection.away });
    this.#feed.stop();
  }

  // --- holding --------------------------------------------------------------------------------------------------

  #hold(heir: boolean): void {
    const holder = new Holder(
      {
        url: this.url,
        userId: this.userId,
        clientId: this.#clientId,
        environment: this.#environment,
        feed: this.#feed,
        token: () => this.#getToken,
        changed: (link, ready) => this.#linkChanged(link, ready),
        came: (frame, again) => this.#came(frame, again),
        snapshot: (snapshot) => this.#onSnapshot(snapshot),
        replaying: () => this.#onReplaying(),
        yielded: () => this.#tabs.yield(),
      },
      this.#connectionId,
    );
    this.#holder = holder;
    this.#flushed = false;
    if (heir) this.#graceUntil = Date.now() + GRACE_MS;
    this.#feed.replaying();
    holder.start(heir, heir ? inherited(this.#store.state.connection) : null, this.#online);
  }

  #follow(): void {
    const holder = this.#holder;
    this.#holder = null;
    this.#connectionId = holder?.connectionId ?? this.#connectionId;
    holder?.stop();
    this.#presence.set(false);
  }

  #linkChanged(link: LinkState, ready: Ready | null): void {
    const holder = this.#holder;
    if (holder === null) return;
    const now = Date.now();
    this.#connectionId = holder.connectionId;
    if (ready !== null && ready.mode === "snapshot") {
      this.#absence = { ...this.#absence, snapshot: true, missed: ready.missed ?? this.#absence.missed };
    }
    const before = this.#store.state.connection;
    this.#flush(link.phase === "open");
    if (link.phase === "ended") this.#commands.settleAll("Not connected; see the state of the connection.");
    // Another tab just held it: what is shown is at most a second old.
    if (before.state === "live" && link.shown !== "live" && link.phase !== "ended" && now < this.#graceUntil) {
      this.#grace ??= setTimeout(() => this.#graceOver(), this.#graceUntil - now);
      return;
    }
    this.#show(this.#seen(shown(before, link, this.#feed.offset, this.#absence, now)));
    if (link.shown === "live") this.#absence = NO_ABSENCE;
    if (this.#tabs.alone) this.#presence.set(link.phase === "open");
  }

  /** Over a new connection everything that waits for an answer is sent again, and what another tab lacks is asked for. */
  #flush(open: boolean): void {
    if (open && !this.#flushed) {
      for (const command of this.#commands.waiting) this.#send(command);
      if (this.#behind !== null) this.#holder?.replayAfter(this.#behind);
    }
    this.#flushed = open;
  }

  #graceOver(): void {
    this.#grace = null;
    this.#graceUntil = 0;
    if (this.#holder !== null) this.#linkChanged(this.#holder.link, null);
  }

  /** Where tabs cannot talk, a refusal may come from a tab of this very browser. */
  #seen(connection: Connection): Connection {
    if (!this.#tabs.alone || connection.state !== "already_connected") return connection;
    return this.#presence.seen ? { ...connection, state: "other_tab" } : connection;
  }

  #came(frame: Frame, again: boolean): void {
    if (frame.replayed && !again) this.#absence = { ...this.#absence, replayed: this.#absence.replayed + 1 };
    this.#tell({ kind: "frame", frame });
  }

  #onSnapshot(snapshot: Snapshot): void {
    const missed = snapshot.missed ?? this.#absence.missed;
    this.#absence = { ...this.#absence, snapshot: true, missed };
    this.#feed.snapshot(snapshot);
    this.#behind = null;
    this.#tell({ kind: "snapshot", snapshot });
  }

  #onReplaying(): void {
    this.#behind = null;
    this.#tell({ kind: "replaying" });
  }

  // --- following ------------------------------------------------------------------------------------------------

  /** There is a holder, or a new one: what it does not know yet it is told. */
  #found(): void {
    this.#want();
    for (const command of this.#commands.waiting) this.#say({ kind: "command", command });
  }

  #heard(from: string, body: unknown, authority: boolean): void {
    const word = readWord(body);
    if (word === null) return;
    if (word.kind === "want" || word.kind === "command" || word.kind === "ask") {
      if (this.#holder !== null) this.#serve(from, word);
    } else if (authority && this.#holder === null) this.#obey(word);
  }

  /** The holder's word. */
  #obey(word: HolderWord): void {
    switch (word.kind) {
      case "frame":
        this.#take(word.frame);
        return;
      case "frames":
        this.#feed.replaying();
        for (const frame of word.frames) this.#take(frame);
        return;
      case "snapshot":
        if (this.#feed.lacks(word.snapshot)) this.#want();
        else this.#feed.snapshot(word.snapshot);
        return;
      case "replaying":
        this.#feed.replaying();
        return;
      case "state":
        this.#feed.adopt(word.state);
        return;
      case "answer":
        this.#commands.settle(word.id, word.answer);
        return;
      case "note":
        this.#connectionId = word.connectionId;
        this.#feed.offset = word.connection.offset;
        this.#show({ ...word.connection, holder: "other" });
    }
  }

  #take(frame: Frame): void {
    const verdict = this.#feed.take(frame);
    if (verdict === "gap" || (verdict === "drop" && this.#feed.position === null)) {
      this.#want();
    }
  }

  #want(): void {
    this.#say({ kind: "want", position: this.#feed.position });
  }

  // --- between tabs ---------------------------------------------------------------------------------------------

  #serve(from: string, word: FollowerWord): void {
    switch (word.kind) {
      case "want":
        this.#catchUp(from, word.position);
        return;
      case "command":
        this.#commands.take(word.command, (answer) =>
          this.#tell({ kind: "answer", id: word.command.id, answer }, from),
        );
        this.#dispatch(word.command);
        return;
      case "ask":
        this.#holder?.step({ kind: word.what });
    }
  }

  /** Gives another tab what it lacks: from the log, from the server, or (it has nothing to go on from) the state. */
  #catchUp(to: string, position: Position | null): void {
    const { state } = this.#store;
    const mine = this.#feed.position;
    const frames = position && framesAfter(state.log, position, mine);
    const foreign = position === null || (mine !== null && mine.epoch !== position.epoch);
    if (frames !== null) this.#tell({ kind: "frames", frames }, to);
    else if (!foreign) this.#replayFor(position);
    if (foreign || (frames !== null && this.#hasCodes(state))) this.#tell({ kind: "state", state }, to);
    this.#tell(this.#note(), to);
  }

  /** This tab came later than the one that asks: only the server has what that one lacks. */
  #replayFor(position: Position): void {
    if (this.#behind !== null && this.#behind.seq <= position.seq) return;
    this.#behind = position;
    if (this.#holder?.open) this.#holder.replayAfter(position);
  }

  #hasCodes(state: State): boolean {
    return Object.values(state.links).some((link) => link.code !== null);
  }

  #note(): HolderWord {
    return { kind: "note", connection: this.#store.state.connection, connectionId: this.#connectionId };
  }

  #tell(word: HolderWord, to?: string): void {
    this.#tabs.say(word, to);
  }

  #say(word: FollowerWord): void {
    const { holder } = this.#tabs;
    if (holder !== null) this.#tabs.say(word, holder);
  }

  // --- both -----------------------------------------------------------------------------------------------------

  #ask(what: "reconnect" | "use_here"): void {
    if (this.#holder !== null) this.#holder.step({ kind: what });
    else this.#say({ kind: "ask", what });
  }

  #dispatch(command: SentCommand): void {
    if (this.#unwatch === null) this.#commands.settle(command.id, unanswered("Nothing on this page is connected."));
    else if (this.#holder === null) this.#say({ kind: "command", command });
    else if (this.#holder.link.phase === "ended") {
      this.#commands.settle(command.id, unanswered("Not connected; see the state of the connection."));
    } else if (this.#holder.open) this.#send(command);
  }

  #send(command: SentCommand): void {
    this.#holder?.emit("command", command, (answer) => this.#commands.settle(command.id, readAnswer(answer)));
  }

  /** Shows the connection, here and in the tabs this one feeds; codes go the moment it is not live. */
  #show(connection: Connection): void {
    const before = this.#store.state.connection;
    if (connection !== before) {
      this.#store.change({ kind: "connection", connection }, connection.state !== before.state);
      if (connection.state !== "live" && before.state === "live") this.#feed.hideCodes();
    }
    if (this.#holder !== null) this.#tell(this.#note());
  }

  /** A server on this machine needs no network. */
  get #online(): boolean {
    return this.#environment.page.online || isLoopback(this.url);
  }

  #onPage(event: PageEvent): void {
    switch (event) {
      case "frozen":
        this.#tabs.leave();
        this.#show(putAway(this.#store.state.connection, Date.now()));
        return;
      case "thawed":
        this.#show(putAway(this.#store.state.connection, Date.now()));
        this.#tabs.enter();
        return;
      case "visible":
        this.#holder?.step({ kind: "awake" });
        this.#tabs.look();
        return;
      case "online":
      case "offline":
        this.#holder?.step({ kind: "network", online: this.#online });
        return;
      case "hidden":
        return;
    }
  }
}
