/** Messages with what happened to them since. */
import { beforeEach, expect, test } from "vitest";
import { DEFAULT_LIMITS, INITIAL, reduce } from "../src/state.js";
import type { State } from "../src/types.js";
import { makeBot } from "./support/records.js";

const LIMITS = { ...DEFAULT_LIMITS, messagesPerChat: 3, chats: 2, sends: 2, log: 10 };
let state: State;
let seq: number;

beforeEach(() => {
  seq = 0;
  const bots = [makeBot("a")];
  const snapshot = { position: { epoch: "e", seq: 0 }, bots, missed: null, rest: 0, instead: false };
  state = reduce(INITIAL, { kind: "snapshot", snapshot }, LIMITS);
});

function take(type: string, data: object): void {
  seq += 1;
  const frame = {
    event: "message_sync",
    type,
    id: `evt_${seq}`,
    botId: "a",
    at: seq,
    data,
    epoch: "e",
    seq,
    prev: seq - 1,
  };
  state = reduce(state, { kind: "frame", frame, serverNow: 0 }, LIMITS);
}

const from = (sender: string, senderPn: string | null = null) => ({
  chat: "ada",
  chatPn: null,
  sender,
  senderPn,
  fromMe: sender === "me",
});
const message = (messageId: string, sender = "ada", more: object = {}) =>
  take("message", { ...from(sender), messageId, kind: "text", text: messageId, pushName: null, sentAt: seq, ...more });
const change = (type: string, targetId: string, sender: string, more: object = {}) =>
  take(type, { ...from(sender), messageId: `c${seq}`, targetId, at: seq, ...more });
const shown = (chat = "ada") => state.messages.a?.chats[chat]?.messages ?? [];
const only = () => shown()[0];

test("arrive in order, each once, the newest of a chat and the newest chats are kept", () => {
  for (const id of ["1", "2", "2", "3", "4"]) message(id);
  expect(shown().map(({ messageId }) => messageId)).toEqual(["2", "3", "4"]);
  message("5", "ada", { chat: "bob", sentAt: 50 });
  message("6", "ada", { chat: "cy", sentAt: 60 });
  expect(Object.keys(state.messages.a?.chats ?? {}).sort()).toEqual(["bob", "cy"]);
  expect(state.log.length).toBe(seq);
});

test("ticks rise and never fall; what others read is not what this account read elsewhere", () => {
  message("1", "me");
  const receipt = (kind: string, fromMe = false) =>
    take("receipt", { ...from("ada"), messageIds: ["1", "x"], kind, fromMe, at: seq });
  receipt("read", true);
  expect(only()?.receipt).toBe("none");
  receipt("read");
  receipt("delivered");
  receipt("sender");
  expect(only()?.receipt).toBe("read");
});

test("reactions: the newest of each person; an empty one takes it back", () => {
  message("1");
  change("reaction", "1", "bob", { emoji: "👍" });
  change("reaction", "1", "bob", { emoji: "❤" });
  change("reaction", "1", "cy", { emoji: "😀" });
  expect(only()?.reactions).toEqual({ bob: "❤", cy: "😀" });
  change("reaction", "1", "bob", { emoji: "" });
  expect(only()?.reactions).toEqual({ cy: "😀" });
});

test("only who wrote a message changes or deletes it", () => {
  message("1");
  change("edited", "1", "bob", { text: "not theirs" });
  change("revoked", "1", "bob");
  change("revoked", "1", "me");
  expect([only()?.text, only()?.edited, only()?.revoked]).toEqual(["1", false, false]);
  change("edited", "1", "ada", { text: "new" });
  expect([only()?.text, only()?.edited]).toEqual(["new", true]);
  change("revoked", "1", "ada");
  expect(only()).not.toHaveProperty("text");
  change("edited", "1", "ada", { text: "from the grave" });
  expect([only()?.revoked, only()?.text]).toEqual([true, undefined]);
});

test("in a group an admin deletes what others wrote, and nobody edits it", () => {
  const group = { chat: "12@g.us" };
  message("1", "ada", group);
  change("edited", "1", "bob", { ...group, text: "not theirs" });
  expect(shown(group.chat)[0]).toMatchObject({ text: "1", edited: false });
  change("revoked", "1", "bob", group);
  change("reaction", "1", "bob", { ...group, emoji: "👍" });
  expect(shown(group.chat)[0]).toMatchObject({ revoked: true, reactions: {} });
});

test("the same person by another form of their address may change theirs", () => {
  message("1", "ada@lid", { senderPn: "49@s.whatsapp.net" });
  take("edited", { ...from("49", "49@s.whatsapp.net"), targetId: "1", at: 1, text: "new" });
  expect(only()?.text).toBe("new");
});

test("sends: the newest state of each, the newest of them", () => {
  const job = (id: string, jobState: string) => take("send_result", { id, botId: "a", state: jobState });
  job("job_1", "queued");
  job("job_2", "queued");
  job("job_1", "sent");
  job("job_3", "queued");
  expect(Object.entries(state.messages.a?.sends ?? {}).map(([id, one]) => [id, one.state])).toEqual([
    ["job_1", "sent"],
    ["job_3", "queued"],
  ]);
});

test("a bot's messages go with it, by event or by snapshot; a reconnection alone keeps them", () => {
  message("1");
  const again = { position: { epoch: "e", seq: 9 }, bots: [makeBot("a")], missed: 3, rest: 0, instead: false };
  state = reduce(state, { kind: "snapshot", snapshot: again }, LIMITS);
  expect(shown()).toHaveLength(1);
  state = reduce(state, { kind: "snapshot", snapshot: { ...again, bots: [] } }, LIMITS);
  expect(state.messages).toEqual({});
});

test("presence: the newest of each person in a chat, gone when the connection is", () => {
  const present = (sender: string, what: string) =>
    take("presence", { ...from(sender), state: what, at: seq, expiresAt: 99 });
  present("ada", "available");
  present("ada", "typing");
  present("bob", "available");
  const people = state.messages.a?.presence.ada ?? {};
  expect(Object.values(people).map((one) => one.state)).toEqual(["typing", "available"]);
  message("1");
  state = reduce(state, { kind: "lost" }, LIMITS);
  expect(state.messages.a?.presence).toEqual({});
  expect(shown()).toHaveLength(1);
  expect(reduce(state, { kind: "lost" }, LIMITS)).toBe(state);
});

test("types of a later version change nothing but the log and the position", () => {
  const before = state.messages;
  take("something_new", { chat: "ada", state: "odd" });
  expect(state.messages).toBe(before);
  expect(state.position).toEqual({ epoch: "e", seq: 1 });
  expect(state.log.length).toBe(1);
});
