// @vitest-environment jsdom
/** The command bar while bots change under it: Enter runs what is chosen, or nothing. */
import { act } from "react";
import { beforeEach, expect, test } from "vitest";
import CommandBar from "../../src/page/command_bar.js";
import { onStage } from "./stage.js";
import { ACCOUNT, bot, NOW } from "./support.js";

const stage = onStage();
const lost = bot({ status: "reconnecting", retryAt: NOW + 60_000, account: ACCOUNT, link: null });
const back = { ...lost, status: "connected" as const, retryAt: null };
const chosen = () => document.querySelector("[aria-selected=true]")?.textContent;
const ran = () => stage.now.commands.map(({ action }) => action);
const press = (key: string) =>
  act(async () => {
    stage.now.field("Search").dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
  });

beforeEach(async () => {
  HTMLDialogElement.prototype.showModal ??= () => undefined;
  HTMLDialogElement.prototype.close ??= () => undefined;
  await stage.now.change({ bots: { bot_1: lost } });
  await stage.now.show(<CommandBar subject="bot_1" inList={false} onClose={() => undefined} />);
});

test("what was chosen stays chosen when a command above it goes", async () => {
  expect(chosen()).toBe("Try now");
  await press("ArrowDown");
  expect(chosen()).toBe("Restart");
  await stage.now.change({ bots: { bot_1: back } });
  expect(chosen()).toBe("Restart");
  await press("Enter");
  expect(ran()).toEqual(["restart"]);
});

test("what was chosen and has gone runs nothing, and another one has to be chosen", async () => {
  await stage.now.change({ bots: { bot_1: back } });
  expect(chosen()).toBeUndefined();
  await press("Enter");
  expect(ran()).toEqual([]);
  await press("ArrowDown");
  expect(chosen()).toBe("Restart");
  await press("ArrowUp");
  expect(chosen()).toMatch(/^Keyboard shortcuts/);
});

test("other words choose the first of what they find", async () => {
  await press("ArrowDown");
  await stage.now.type("Search", "keyboard");
  expect(chosen()).toMatch(/^Keyboard shortcuts/);
});
