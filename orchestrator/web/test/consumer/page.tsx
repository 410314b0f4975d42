/** A server component as Next.js has them: no hook, no browser. */
import type { ReactNode } from "react";
import { connectionWords, INITIAL } from "whatsapp-bot-orchestrator-client";
import { Dashboard } from "./dashboard";

export function Page(): ReactNode {
  return (
    <main>
      <h1>{connectionWords(INITIAL.connection, 0).pill}</h1>
      <Dashboard userId="ada" />
    </main>
  );
}
