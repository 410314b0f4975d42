import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { chatAt, chats, keptFor, shownFrom, unread } from "../../src/page/view/chats.js";
import {
  type Conversation,
  EMPTY,
  type StoredMessage,
  withFrames,
  withNewest,
  withOlder,
  withSent,
} from "../../src/page/view/conversation.js";
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
    expect(
      items(known).map((one) => [one.text, one.state, one.editedAt !== null, Object.values(one.reactions)]),
    ).toEqual([
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
    const now = { ...message("M1"), text: "better", editedAt: NOW };
    const stored = withNewest(once, { messages: [{ id: "e1", at: NOW, data: now }], next: null });
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

describe("who may change a message", () => {
  const GROUP = "12@g.us";
  const others = { sender: "66@lid", senderPn: null };
  const within = (chat: string, type: string, more: object) =>
    items(
      [
        frame("message", { ...message("M1"), chat, chatPn: null }),
        frame(type, change("M1", { chat, chatPn: null, ...more })),
      ].reduce(withFrame, EMPTY),
    ).find((one) => one.messageId === "M1");

  it("an edit is its author's, in the chat it was written in", () => {
    const text = "never said";
    expect(within(GROUP, "edited", { ...others, text })).toMatchObject({ text: "text M1", editedAt: null });
    expect(within(LID, "edited", { fromMe: true, text })).toMatchObject({ text: "text M1", editedAt: null });
    expect(within(GROUP, "edited", { text })).toMatchObject({ text });
    expect(within(GROUP, "edited", { sender: PN, senderPn: null, text })).toMatchObject({ text });
    const known = withFrame(EMPTY, frame("message", message("M1")));
    const elsewhere = { chat: GROUP, chatPn: null };
    for (const [type, more] of [
      ["edited", { text }],
      ["revoked", {}],
      ["reaction", { emoji: "👍" }],
    ] as const) {
      const after = withFrame(known, frame(type, change("M1", { ...elsewhere, ...more })));
      expect(items(after), type).toEqual(items(known));
    }
  });

  it("a deletion is its author's, in a group an admin's too", () => {
    expect(within(LID, "revoked", others)?.revoked).toBe(false);
    expect(within(LID, "revoked", {})?.revoked).toBe(true);
    expect(within(GROUP, "revoked", others)?.revoked).toBe(true);
  });

  it("what is deleted stays so, and the newest edit counts", () => {
    const once = FRAMES.slice(0, 1).reduce(withFrame, EMPTY);
    const later = withFrame(once, frame("edited", change("M1", { text: "second", at: NOW + 2 })));
    expect(items(withFrame(later, frame("edited", change("M1", { text: "first", at: NOW + 1 }))))[0]?.text).toBe(
      "second",
    );
    const deleted = [frame("revoked", change("M1", {})), frame("reaction", change("M1", { emoji: "👍" })), ...FRAMES];
    expect(items(deleted.reduce(withFrame, once))[0]).toMatchObject({ revoked: true, text: null, reactions: {} });
  });

  it("an id that another chat has chosen too changes nothing there", () => {
    const known = withFrame(EMPTY, frame("message", message("M1"), "e1"));
    const same = { ...message("M1", { text: "forged" }), chat: "66@lid", chatPn: null, ...others };
    const stored = withNewest(
      withFrame(known, frame("message", same, "e9")),
      page([{ id: "e9", at: NOW, data: same }]),
    );
    expect(chats(stored).map(({ chat, items: [one] }) => [chat, one?.text])).toEqual([
      [PN, "text M1"],
      ["66@lid", "forged"],
    ]);
  });
});

const stored = (id: string, changes: object = {}): StoredMessage => ({
  id: `e${id}`,
  at: NOW + Number(id.slice(1)),
  data: message(id, changes),
});
const page = (messages: ReadonlyArray<StoredMessage>, next: string | null = null) => ({ messages, next });
const range = (from: number, to: number) =>
  Array.from({ length: from - to + 1 }, (_, index) => stored(`M${from - index}`));

describe("stored messages", () => {
  it("bring what was missed to messages that were there", () => {
    const known = [
      frame("message", message("M1")),
      frame("message", message("M2")),
      frame("message", message("M3")),
      frame("reaction", change("M3", { emoji: "👍" })),
    ].reduce(withFrame, EMPTY);
    const after = withNewest(
      known,
      page([
        stored("M3"),
        stored("M2", { text: undefined, revokedAt: NOW + 9 }),
        stored("M1", { text: "edited", editedAt: NOW + 9, reactions: [{ sender: LID, fromMe: false, emoji: "❤" }] }),
      ]),
    );
    expect(items(after).map((one) => [one.text, one.revoked, Object.values(one.reactions)])).toEqual([
      ["edited", false, ["❤"]],
      [null, true, []],
      ["text M3", false, []],
    ]);
  });

  it("an old answer undoes nothing that came since", () => {
    const asked = page([stored("M3"), stored("M2"), stored("M1")]);
    const came = [
      frame("message", message("M1")),
      frame("edited", change("M1", { text: "newer" })),
      frame("revoked", change("M2", {})),
      frame("reaction", change("M3", { emoji: "👍" })),
    ];
    const before = withFrames(withNewest(EMPTY, asked), came);
    expect(items(withFrames(withNewest(before, asked), came))).toEqual(items(before));
    expect(items(withFrames(withNewest(EMPTY, asked), came))).toEqual(items(before));
    expect(items(withNewest(before, asked)).slice(0, 2)).toEqual(items(before).slice(0, 2));
  });

  it("only older pages go on; where newer ones leave a hole they begin there", () => {
    let known = withNewest(EMPTY, page(range(30, 21), "n21"));
    known = withOlder(known, page(range(20, 11), "n11"), "n21");
    expect(withNewest(known, page(range(32, 23), "n23")).next).toBe("n11");
    expect(withNewest(known, page(range(80, 71), "n71")).next).toBe("n71");
    expect(withOlder(known, page(range(10, 1)), "n11").next).toBeNull();
    expect(withOlder({ ...known, next: "n71" }, page(range(10, 1)), "n11").next).toBe("n71");
  });

  it("messages of one second stand as the server was told of them", () => {
    const second = { sentAt: NOW };
    const newest = page([stored("M5", { ...second, messageId: "A" }), stored("M4", { ...second, messageId: "Z" })]);
    const known = withFrames(withNewest(EMPTY, newest), [
      { ...frame("message", { ...message("M9"), ...second, messageId: "0" }), at: NOW + 9 },
      { ...frame("message", { ...message("M9"), ...second, messageId: "1" }), at: NOW + 9 },
    ]);
    expect(items(known).map((one) => one.messageId)).toEqual(["Z", "A", "0", "1"]);
  });

  it("keep names: an older page takes none back", () => {
    const known = withNewest(EMPTY, page([stored("M9", { pushName: "New" }), stored("M8", { pushName: "Old" })]));
    expect(chats(withOlder(known, page([stored("M1", { pushName: "Oldest" })]), null))[0]?.name).toBe("New");
  });
});

describe("sends of others", () => {
  const words = { ...own("M1"), messageId: null, kind: "text", text: "by a script" };
  it("are told with their words, and cost no request", () => {
    const known = [
      frame("send_result", { ...job("queued"), message: words }),
      frame("send_result", { ...job("sent", "W1"), sentAt: NOW + 5_000 }),
      frame("receipt", receipt("read", "W1")),
    ].reduce(withFrame, EMPTY);
    expect(items(known)).toMatchObject([{ text: "by a script", state: "read", messageId: "W1", at: NOW + 5_000 }]);
    expect(items(withSent(known, job("queued") as never, "by a script"))).toEqual(items(known));
  });

  it("change what they are about once they are sent", () => {
    const known = FRAMES.slice(0, 2).reduce(withFrame, EMPTY);
    const told = { ...change("M2", { text: "new", fromMe: true, sender: "me@lid", senderPn: null }), type: "edited" };
    expect(withFrame(known, frame("send_result", job("queued")))).toBe(known);
    expect(items(withFrame(known, frame("send_result", { ...job("sent", "W1"), change: told })))[1]?.text).toBe("new");
  });
});

describe("how much is kept", () => {
  it("the oldest go, the newest of each chat stays, and what went can be read again", () => {
    const rare = { chat: "rare@s.whatsapp.net", chatPn: null, sentAt: NOW - 5 };
    const live = Array.from({ length: 6_000 }, (_, index) => frame("message", message(`M${index + 1}`), `e${index}`));
    const first = withNewest(EMPTY, page([stored("M9000", rare)]));
    const known = withFrames(first, live);
    expect(known.items.size).toBe(5_001);
    expect(chats(known).map((chat) => chat.items.length)).toEqual([5_000, 1]);
    expect(known.next).toBe(String(NOW + 1_000 + 1));
    expect(known.keys.has("M1000")).toBe(false);
    expect(known.keys.has("M1001")).toBe(true);
  });

  it("what somebody asked for stays", () => {
    const older = withOlder(EMPTY, page(range(6_000, 1)), null);
    expect(withFrame(older, frame("message", message("M6001"))).items.size).toBe(6_001);
  });
});

describe("chats", () => {
  const blind = frame("message", { ...message("M1"), chatPn: null, senderPn: null }, "e1");
  it("are the same by every form of their address", () => {
    const before = withFrame(EMPTY, blind);
    const known = withFrame(before, frame("message", message("M2"), "e2"));
    expect(chats(before)[0]?.chat).toBe(LID);
    expect(chats(known).map(({ chat }) => chat)).toEqual([PN]);
    expect(chatAt(chats(known), known.addresses, LID)?.chat).toBe(PN);
    expect(keptFor(new Map([[LID, "draft"]]), known.addresses, PN)).toEqual([LID, "draft"]);
    expect(chats(withFrame(before, frame("identity", { lid: LID, pn: PN })))[0]?.chat).toBe(PN);
  });

  it("count what came since, also of a chat that is new", () => {
    const [chat] = chats([blind, frame("message", own("M2"))].reduce(withFrame, EMPTY));
    expect(chat && [unread(chat, NOW - 1), unread(chat, NOW)]).toEqual([1, 0]);
  });

  it("show the newest page, or from where the reader is", () => {
    const [chat] = chats(withNewest(EMPTY, page(range(120, 1))));
    const all = chat?.items ?? [];
    expect([shownFrom(all, null), shownFrom(all, "M20"), shownFrom(all, "gone")]).toEqual([70, 19, 70]);
  });
});
