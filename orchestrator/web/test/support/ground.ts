/** What the protocol's cases are played on: the fake server on virtual time, or the real one on real time. */
import { Client } from "../../src/client.js";
import type { Frame, State } from "../../src/types.js";
import { type Abilities, type Connect, FakeBrowser, type FakeTab } from "./fake-browser.js";

export interface Ground {
  readonly url: string;
  readonly connect: Connect;
  /** A user nobody was before, with one bot. */
  newUser(): Promise<{ user: string; bot: string }>;
  token(user: string, ttlMs?: number): Promise<string>;
  /** Makes that many durable events of the user, and returns the ids of all durable events there are, in order. */
  publish(user: string, count: number): Promise<ReadonlyArray<string>>;
  /** Puts a code on offer for the user's bot. */
  offerCode(user: string, bot: string): Promise<void>;
  /** Breaks the transport of the user's socket without a word; `downMs` is how long nobody can connect. */
  cut(user: string, downMs?: number): Promise<void>;
  /** Lets time pass. */
  pass(ms: number): Promise<void>;
  /** Refused connections so far, of all users. */
  refusals(): Promise<number>;
  /** Sockets so far that were continued by a successor that proved itself. */
  successions(): Promise<number>;
}

/** One tab with a client and what it has been given. */
export class Seat {
  readonly tab: FakeTab;
  readonly client: Client;
  readonly frames: Frame[] = [];
  readonly states: string[] = [];
  readonly reasons: string[] = [];

  constructor(browser: FakeBrowser, url: string, user: string, token: () => Promise<string | null>) {
    this.tab = browser.open();
    const getToken = (reason: string) => {
      this.reasons.push(reason);
      return token();
    };
    this.client = new Client({ url, userId: user, getToken }, this.tab);
    this.client.onFrame((frame) => this.frames.push(frame));
    this.client.subscribe(() => {
      const { state } = this.client.getState().connection;
      if (this.states.at(-1) !== state) this.states.push(state);
    });
    this.client.open();
  }

  get state(): State {
    return this.client.getState();
  }

  get connection(): string {
    return this.state.connection.state;
  }

  /** Ids of the durable frames this tab was given, in order. */
  get durable(): ReadonlyArray<string> {
    return this.frames.filter((frame) => frame.seq !== undefined).map((frame) => frame.id);
  }
}

/** The browsers and tabs of one case. */
export class Play {
  readonly ground: Ground;
  readonly seats: Seat[] = [];

  constructor(ground: Ground) {
    this.ground = ground;
  }

  browser(abilities: Abilities = {}): FakeBrowser {
    return new FakeBrowser(this.ground.connect, abilities);
  }

  seat(browser: FakeBrowser, user: string, token: () => Promise<string | null> = () => this.ground.token(user)): Seat {
    const seat = new Seat(browser, this.ground.url, user, token);
    this.seats.push(seat);
    return seat;
  }

  /** Waits until something holds. */
  async until(holds: () => unknown, ms: number, what: string): Promise<void> {
    for (let passed = 0; passed <= ms; passed += 20) {
      if (holds()) return;
      await this.ground.pass(20);
    }
    const seen = this.seats.map((seat) => `${seat.connection} at ${seat.state.position?.seq} after ${seat.states}`);
    throw new Error(`waited ${ms} ms in vain for ${what}; tabs: ${seen.join(" | ")}`);
  }

  /** Waits until all these tabs are live. */
  async live(...seats: Seat[]): Promise<void> {
    await this.until(() => seats.every((seat) => seat.connection === "live"), 8_000, "live");
  }

  end(): void {
    for (const seat of this.seats) {
      seat.tab.comeLoose();
      if (!seat.tab.gone) seat.client.close();
    }
  }
}
