import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Conversation, chats, EMPTY, withFrames, withSent, withStored } from "../../src/page/view/conversation.js";
import type { Frame } from "../../src/types.js";
import { NOW } from "./support.js";

const LID = "77@lid";
const PN = "4917212345611@s.whatsapp.net";
const frame = (type: string, data: object, id = type): Frame => ({
  event: "message_sync",
  type,
  id,
  botId: "b",
  at: NOW,
  data,
});
const message = (id: string, changes: object = {}) => ({
  chat: LID,
  chatPn: PN,
  sender: LID,
  senderPn: PN,
  fromMe: false,
  messageId: id,
  kind: "text",
  text: `text ${id}`,
  pushName: "Jonas",
  sentAt: NOW + Number(id.slice(1)),
  ...changes,
});
const own = (id: string) => message(id, { fromMe: true, sender: "me@lid", senderPn: null, pushName: null });
const receipt = (kind: string, ...ids: string[]) => ({
  chat: LID,
  chatPn: PN,
  sender: LID,
  messageIds: ids,
  kind,
  fromMe: false,
  at: NOW,
});
const change = (target: string, more: object) => ({
  chat: LID,
  chatPn: PN,
  sender: LID,
  senderPn: PN,
  fromMe: false,
  messageId: "C",
  targetId: target,
  at: NOW,
  ...more,
});
const job = (state: string, messageId: string | null = null) => ({
  id: "job_1",
  botId: "b",
  to: LID,
  state,
  messageId,
  error: null,
  at: NOW,
  expiresAt: NOW + 1,
});

const FRAMES: ReadonlyArray<Frame> = [
  frame("message", message("M1"), "e1"),
  frame("message", own("M2"), "e2"),
  frame("receipt", receipt("delivered", "M2"), "e3"),
  frame("receipt", receipt("read", "M2"), "e4"),
  frame("reaction", change("M2", { emoji: "👍" }), "e5"),
  frame("edited", change("M1", { text: "better" }), "e6"),
];

const withFrame = (known: Conversation, one: Frame) => withFrames(known, [one]);
const items = (known: Conversation) => chats(known).flatMap((chat) => chat.items);

describe("conversations", () => {
  it("fold messages with what happens to them", () => {
    const known = FRAMES.reduce(withFrame, EMPTY);
    expect(chats(known)).toHaveLength(1);
    expect(chats(known)[0]).toMatchObject({ chat: PN, name: "Jonas", group: false });
    expect(items(known).map((one) => [one.text, one.state, one.edited, Object.values(one.reactions)])).toEqual([
      ["better", null, true, []],
      ["text M2", "read", false, ["👍"]],
    ]);
    const deleted = withFrame(known, frame("revoked", change("M1", {})));
    expect(items(deleted)[0]).toMatchObject({ revoked: true, text: null });
  });

  it("the same events twice, or stored as well, change nothing", () => {
    const once = FRAMES.reduce(withFrame, EMPTY);
    fc.assert(
      fc.property(fc.nat(FRAMES.length), (from) => {
        const again = FRAMES.slice(from).reduce(withFrame, once);
        expect(items(again)).toEqual(items(once));
      }),
    );
    expect(withFrames(once, FRAMES.slice(0, 4))).toBe(once);
    const stored = withStored(once, [{ id: "e1", at: NOW, data: message("M1") }]);
    expect(items(stored)).toEqual(items(once));
  });

  it("frames fold the same one by one as all at once", () => {
    const parts = fc.array(fc.integer({ min: 1, max: 3 }), { minLength: FRAMES.length });
    fc.assert(
      fc.property(parts, (sizes) => {
        let [known, at] = [EMPTY, 0];
        for (const size of sizes) {
          known = withFrames(known, FRAMES.slice(at, at + size));
          at += size;
        }
        expect(known).toEqual(withFrames(EMPTY, FRAMES));
      }),
    );
  });

  it("a receipt never goes back", () => {
    const read = FRAMES.slice(0, 4).reduce(withFrame, EMPTY);
    const late = withFrame(read, frame("receipt", receipt("delivered", "M2")));
    expect(items(late)[1]?.state).toBe("read");
  });

  it("a send keeps its words from the queue to the reader, in one place", () => {
    let known = withSent(EMPTY, job("queued") as never, "hello");
    known = withFrame(known, frame("send_result", job("sent", "W1")));
    known = withFrame(known, frame("message", { ...own("M9"), messageId: "W1", text: "hello" }));
    known = withFrame(known, frame("receipt", receipt("read", "W1")));
    expect(items(known)).toHaveLength(1);
    expect(items(known)[0]).toMatchObject({ text: "hello", state: "read", messageId: "W1", jobId: "job_1" });
  });

  it("a message that cannot be read yet waits, and is replaced when it can", () => {
    const blind = withFrame(EMPTY, frame("undecryptable", { chat: LID, sender: LID, messageId: "M1" }));
    expect(items(blind)[0]?.waiting).toBe(true);
    const seen = withFrame(blind, frame("message", message("M1")));
    expect(items(seen)).toHaveLength(1);
    expect(items(seen)[0]).toMatchObject({ waiting: false, text: "text M1" });
  });
});
