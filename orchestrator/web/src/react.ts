"use client";

/** The package's names for React. */
export {
  type BotHookOptions,
  type BotWebSocket,
  useBotWebSocket,
  useWhatsAppConnection,
  useWhatsAppStatus,
  type WhatsAppConnection,
  type WhatsAppStatus,
} from "./aliases.js";
export { useClient, useUnifiedWebSocket } from "./useUnifiedWebSocket.js";
