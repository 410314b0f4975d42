/**
 * A page's clients, shared: every component that asks for the same user at the same server gets the same one.
 *
 * Kept on `globalThis`, so that a module that is loaded twice (fast refresh, two bundles) does not open a second
 * connection. The connection opens with the first lease and ends shortly after the last: a component that is unmounted
 * and mounted again (StrictMode, a change of route) keeps it.
 */
import { Client } from "./client.js";
import type { Environment } from "./environment.js";
import type { ClientOptions, Lease, TokenSource } from "./types.js";

const LINGER_MS = 500;
const KEY = Symbol.for("whatsapp-bot-orchestrator.unified-clients");

interface Entry {
  readonly client: Client;
  /** Of each lease, the newest last. */
  sources: ReadonlyArray<{ readonly getToken: TokenSource }>;
  ending: ReturnType<typeof setTimeout> | null;
}

type Shared = { [KEY]?: Map<string, Entry> };

function entries(): Map<string, Entry> {
  const shared = globalThis as Shared;
  shared[KEY] ??= new Map();
  return shared[KEY];
}

/**
 * Takes a share in the page's client for this user and server. The newest lease's `getToken` is the one that is asked.
 *
 * @param environment For tests and runtimes that are no browser.
 */
export function acquireUnifiedClient(options: ClientOptions, environment?: Environment): Lease {
  const key = JSON.stringify([options.url, options.userId]);
  const known = entries();
  const entry = known.get(key) ?? { client: new Client(options, environment), sources: [], ending: null };
  known.set(key, entry);
  const source = { getToken: options.getToken };
  entry.sources = [...entry.sources, source];
  entry.client.setTokenSource(options.getToken);
  if (entry.ending !== null) clearTimeout(entry.ending);
  entry.ending = null;
  entry.client.open();
  const release = () => {
    if (!entry.sources.includes(source)) return;
    entry.sources = entry.sources.filter((one) => one !== source);
    const newest = entry.sources.at(-1);
    if (newest !== undefined) {
      entry.client.setTokenSource(newest.getToken);
      return;
    }
    entry.ending = setTimeout(() => {
      known.delete(key);
      entry.client.close();
    }, LINGER_MS);
  };
  return { client: entry.client, release };
}
