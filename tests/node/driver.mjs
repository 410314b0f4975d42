// Drives the unmodified socket.io-client for tests: commands as JSON lines on stdin, what happened as JSON lines on
// stdout. It decides nothing and hides nothing; the Python side (tests/support/node_client.py) waits and asserts.
import { createInterface } from "node:readline";
import { io } from "socket.io-client";

const sockets = new Map();

function tell(line) {
  process.stdout.write(JSON.stringify({ ...line, at: Date.now() }) + "\n");
}

function connect({ socket: name, url, options }) {
  const socket = io(url, options);
  sockets.set(name, socket);
  const watchEngine = () => {
    const { engine } = socket.io;
    tell({ socket: name, happened: "open", transport: engine.transport.name });
    engine.on("upgrade", (transport) => tell({ socket: name, happened: "upgrade", transport: transport.name }));
  };
  socket.io.on("open", watchEngine);
  socket.on("connect", () => tell({ socket: name, happened: "connect", sid: socket.id }));
  socket.on("connect_error", (error) =>
    tell({ socket: name, happened: "connect_error", message: error.message, data: error.data ?? null }));
  socket.on("disconnect", (reason) => tell({ socket: name, happened: "disconnect", reason }));
  socket.io.on("reconnect_attempt", (attempt) => tell({ socket: name, happened: "reconnect_attempt", attempt }));
  socket.onAny((event, ...args) => tell({ socket: name, happened: "event", event, args }));
}

const commands = {
  connect,
  emit({ socket, event, args, ack }) {
    if (ack === undefined) {
      sockets.get(socket).emit(event, ...args);
    } else {
      sockets.get(socket).emit(event, ...args, (...answer) => tell({ socket, happened: "ack", ack, answer }));
    }
  },
  disconnect({ socket }) {
    sockets.get(socket).disconnect();
  },
  reconnect({ socket, auth }) {
    const known = sockets.get(socket);
    known.auth = auth;
    known.connect();
  },
  transport({ socket, ack }) {
    tell({ socket, happened: "ack", ack, answer: [sockets.get(socket).io.engine?.transport?.name ?? null] });
  },
};

const lines = createInterface({ input: process.stdin });
lines.on("line", (line) => {
  const command = JSON.parse(line);
  commands[command.command](command);
});
lines.on("close", () => process.exit(0));
tell({ happened: "up" });
