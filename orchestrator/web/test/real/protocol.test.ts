/**
 * The protocol's cases on the real server and real time, over the real socket.io-client.
 *
 * Run by `tests/e2e/test_web_protocol.py`, which starts the server and the control beside it and says where it is.
 */
import { createServer, type Server, type Socket, connect as tcp } from "node:net";
import { afterAll, beforeAll } from "vitest";
import { connect } from "../../src/socket.js";
import type { Ground } from "../support/ground.js";
import { protocolCases } from "../support/protocol.suite.js";

const CONTROL = process.env.ORCHESTRATOR_WEB_CONTROL ?? "";

async function ask<Answer>(name: string, body: object = {}): Promise<Answer> {
  const answer = await fetch(`${CONTROL}/${name}`, { method: "POST", body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${name}: ${answer.status} ${await answer.text()}`);
  return (await answer.json()) as Answer;
}

async function metric(name: string): Promise<number> {
  return (await ask<{ value: number }>("metric", { name })).value;
}

/** Between the client and the server: can break every connection, and let none through for a while. */
class Cable {
  readonly #open = new Set<Socket>();
  #down = false;
  #server: Server | null = null;
  port = 0;

  async lay(target: number): Promise<void> {
    this.#server = createServer((near) => {
      if (this.#down) {
        near.destroy();
        return;
      }
      const far = tcp(target, "127.0.0.1");
      for (const end of [near, far]) {
        this.#open.add(end);
        end.on("error", () => end.destroy());
        end.on("close", () => this.#open.delete(end));
      }
      near.pipe(far).pipe(near);
    });
    const server = this.#server;
    await new Promise<void>((ready) => {
      server.listen(0, "127.0.0.1", ready);
    });
    const address = server.address();
    if (address !== null && typeof address === "object") this.port = address.port;
  }

  cut(downMs: number): void {
    this.#down = downMs > 0;
    for (const end of this.#open) end.destroy();
    setTimeout(() => {
      this.#down = false;
    }, downMs);
  }

  end(): void {
    this.cut(0);
    this.#server?.close();
  }
}

const cable = new Cable();

beforeAll(async () => {
  const { url } = await ask<{ url: string }>("server");
  await cable.lay(Number(new URL(url).port));
});

afterAll(() => {
  cable.end();
});

const ground: Ground = {
  get url() {
    return `http://127.0.0.1:${cable.port}`;
  },
  connect: (options, events) => connect(options, events),
  newUser: () => ask("user"),
  async token(user, ttlMs = 3_600_000) {
    return (await ask<{ token: string }>("token", { user, ttl_s: Math.ceil(ttlMs / 1000) })).token;
  },
  async publish(user, count) {
    return (await ask<{ ids: string[] }>("publish", { user, count })).ids;
  },
  async offerCode(user, bot) {
    await ask("offer", { user, bot });
  },
  async cut(_, downMs = 0) {
    cable.cut(downMs);
  },
  pass: (ms) =>
    new Promise((passed) => {
      setTimeout(passed, ms);
    }),
  refusals: () => metric("orchestrator_sockets_refused_total"),
  successions: () => metric("orchestrator_sockets_superseded_total"),
};

protocolCases("real server", () => ground);
