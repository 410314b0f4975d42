"use client";

/** A client component as a customer writes it; the address comes from NEXT_PUBLIC_BOT_WEBSOCKET_URL. */
import type { ReactNode } from "react";
import type { Bot, HookOptions, State } from "whatsapp-bot-orchestrator-client";
import { useUnifiedWebSocket, useWhatsAppStatus } from "whatsapp-bot-orchestrator-client/react";

const countBots = (state: State): number => Object.values<Bot>(state.bots).length;

export function Dashboard({ userId }: { readonly userId: string }): ReactNode {
  const options: HookOptions = { userId, getToken: async () => "token" };
  const { selected, connection, command } = useUnifiedWebSocket(options, countBots);
  const { status } = useWhatsAppStatus({ ...options, botId: "bot_a" });
  return (
    <button type="button" onClick={() => command({ botId: "bot_a", action: "restart" })}>
      {connection.state} {selected} {status ?? "unknown"}
    </button>
  );
}
