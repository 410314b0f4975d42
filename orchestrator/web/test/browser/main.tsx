/**
 * A page as a customer's: three components with the former hooks' names under StrictMode, and what they were given.
 *
 * Where to connect is in the hash; the tests read `window.unified`. Built by `tests/support/web_site.py`.
 */
import { type ReactNode, StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { acquireUnifiedClient, connectionWords, type UnifiedClient } from "../../src/index.js";
import { useBotWebSocket, useUnifiedWebSocket, useWhatsAppConnection, useWhatsAppStatus } from "../../src/react.js";

const given = new URLSearchParams(location.hash.slice(1));
const url = given.get("url") ?? "";
const userId = given.get("userId") ?? "";
const botId = given.get("botId") ?? "";
const options = { url, userId, getToken: () => given.get("token") };

interface Unified {
  readonly client: UnifiedClient;
  /** Ids of durable frames in the order they were told, and when. */
  readonly told: { readonly id: string; readonly at: number }[];
  /** States shown, each with its time. */
  readonly shown: { readonly state: string; readonly at: number }[];
}

declare global {
  interface Window {
    unified: Unified;
  }
}

const { client } = acquireUnifiedClient(options);
const unified: Unified = { client, told: [], shown: [] };
window.unified = unified;
client.onFrame(({ id, seq }) => seq !== undefined && unified.told.push({ id, at: performance.now() }));
client.subscribe(() => {
  const { state } = client.getState().connection;
  if (unified.shown.at(-1)?.state !== state) unified.shown.push({ state, at: performance.now() });
});

function Bots(): ReactNode {
  const { bots, isConnected } = useBotWebSocket(options);
  return (
    <p id="bots">
      {isConnected ? "live" : "not live"}: {bots.map((bot) => bot.name).join()}
    </p>
  );
}

function Link(): ReactNode {
  const { status, code } = useWhatsAppConnection({ ...options, botId });
  return (
    <p id="link">
      {status} {code?.kind}
    </p>
  );
}

function Status(): ReactNode {
  return <p id="status">{useWhatsAppStatus({ ...options, botId }).status}</p>;
}

function Pill(): ReactNode {
  const { connection, connectHere } = useUnifiedWebSocket(options, (state) => state.position);
  const { pill, banner, buttonText } = connectionWords(connection, Date.now());
  return (
    <header>
      <b id="pill">{pill}</b> <span id="banner">{banner}</span>
      {buttonText === "Use here" && (
        <button type="button" id="use-here" onClick={connectHere}>
          {buttonText}
        </button>
      )}
    </header>
  );
}

const root = document.getElementById("root");
if (root !== null) {
  createRoot(root).render(
    <StrictMode>
      <Pill />
      <Bots />
      <Link />
      <Status />
    </StrictMode>,
  );
}
