/** What is sent again is sent once, and as it was. */
import { expect, test } from "vitest";
import { chats } from "../../src/page/view/chats.js";
import { EMPTY, withNewest } from "../../src/page/view/conversation.js";
import { againOf, attemptFor, leftOver } from "../../src/page/view/drafts.js";
import { NOW } from "./support.js";

let ids = 0;
const newId = () => `cmd_${++ids}`;

test("the same words keep their id until they are answered, other words get another", () => {
  const first = attemptFor(undefined, { to: "77@lid", text: "hello" }, newId);
  expect(attemptFor(first, { to: "49@s.whatsapp.net", text: "hello" }, newId)).toBe(first);
  expect(attemptFor(first, { to: "77@lid", text: "hello there" }, newId).id).not.toBe(first.id);
});

test("what was typed while a message was under way stays", () => {
  expect(leftOver("hello", "hello")).toBe("");
  expect(leftOver("hello\nand more", "hello")).toBe("and more");
  expect(leftOver("something else", "hello")).toBe("something else");
});

test("a text is sent again with what it answers and whom it names; a file's words alone are not", () => {
  const failed = (more: object) => {
    const data = {
      chat: "77@lid",
      fromMe: true,
      kind: "text",
      text: "hello",
      jobId: "job_1",
      state: "failed",
      ...more,
    };
    const known = withNewest(EMPTY, { messages: [{ id: "e1", at: NOW, data: data as never }], next: null });
    const item = chats(known)[0]?.items[0];
    return item === undefined ? null : againOf(item, "77@lid");
  };
  expect(failed({})).toEqual({ to: "77@lid", text: "hello" });
  expect(failed({ quoted: { messageId: "M1", sender: null }, mentions: ["49@s.whatsapp.net"] })).toEqual({
    to: "77@lid",
    text: "hello",
    quoted: { messageId: "M1" },
    mentions: ["49@s.whatsapp.net"],
  });
  expect(failed({ kind: "image", media: { mimetype: "image/png" } })).toBeNull();
  expect(failed({ text: undefined, revokedAt: NOW })).toBeNull();
});
