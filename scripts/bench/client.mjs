// The client under measure: the unmodified socket.io-client with exactly the contract's options. Notes when each frame
// arrived; messages are kept here and told on request, so that telling costs nothing while they arrive.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const [packageFile, url, token, userId] = process.argv.slice(2);
const { io } = createRequire(packageFile)("socket.io-client");
const now = () => (performance.timeOrigin + performance.now()) / 1000;
const tell = (line) => process.stdout.write(JSON.stringify(line) + "\n");
let messages = [];
let last = null;
let gaps = 0;

const socket = io(url, { auth: { token, userId }, reconnection: false, timeout: 20000 });
function take(event, frame) {
  const at = now();
  if (frame.seq !== undefined) {
    if (last !== null && frame.prev !== last) gaps += 1;
    last = frame.seq;
  }
  if (event === "message_sync" && frame.type === "message") {
    messages.push([frame.data.messageId, at]);
    tellWhenThere();
  } else if (event !== "message_sync")
    tell({ at, event, type: frame.type, bot: frame.botId ?? null, status: frame.status ?? null, qr: frame.data?.qr ?? null, from: frame.data?.from ?? null });
  if (frame.type === "ready") last = frame.data.from;
}
for (const event of ["bot_status_update", "whatsapp_connection_event", "message_sync", "connection_update"]) socket.on(event, (frame) => take(event, frame));
socket.on("connect_error", (error) => tell({ at: now(), event: "connect_error", type: error.data?.code ?? error.message }));
socket.on("disconnect", (reason) => tell({ at: now(), event: "disconnect", type: reason }));
let wanted = Infinity;
function tellWhenThere() {
  if (messages.length < wanted) return;
  tell({ event: "taken", messages, gaps });
  [messages, wanted] = [[], Infinity];
}
createInterface({ input: process.stdin }).on("line", (line) => {
  wanted = Number(line);
  tellWhenThere();
}).on("close", () => process.exit(0));
