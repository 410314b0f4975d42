/**
 * A wire over socket.io-client: the only file that imports it. One connection, never retried here.
 *
 * Reconnection is the client's business: the library's own is off, and every connection has a manager of its own.
 */
import { io } from "socket.io-client";
import type { Wire, WireEvents, WireOptions } from "./environment.js";

/** Opens a connection. WebSocket first, polling where that is not let through. */
export function connect({ url, auth }: WireOptions, events: WireEvents): Wire {
  const socket = io(url, {
    auth,
    reconnection: false,
    forceNew: true,
    timeout: 20_000,
    transports: ["websocket", "polling"],
    tryAllTransports: true,
  });
  let open = true;
  const whileOpen = (tell: () => void) => {
    if (open) tell();
  };
  socket.on("connect_error", (error: Error & { data?: unknown }) => whileOpen(() => events.refused(error.data)));
  socket.on("disconnect", (reason) => whileOpen(() => events.closed(reason === "io server disconnect")));
  socket.onAny((name: string, argument: unknown) => whileOpen(() => events.event(name, argument)));
  socket.io.on("ping", () => whileOpen(() => events.heard()));
  return {
    emit(event, argument, answered) {
      if (answered === undefined) socket.emit(event, argument);
      else socket.emit(event, argument, (answer: unknown) => whileOpen(() => answered(answer)));
    },
    close() {
      open = false;
      socket.disconnect();
      socket.io.engine?.close();
    },
  };
}
