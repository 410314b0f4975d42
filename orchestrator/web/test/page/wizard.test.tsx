// @vitest-environment jsdom
/** The wizard's forms and its Link step, on a stage: what the server is asked, and what a person is told of its answers. */
import { beforeEach, describe, expect, test } from "vitest";
import type { Bot } from "../../src/generated.js";
import { arrived, isComing } from "../../src/page/coming.js";
import { dropDraft, keepDraft } from "../../src/page/draft.js";
import { LinkPage } from "../../src/page/wizard_link.js";
import { OptionsPage } from "../../src/page/wizard_new.js";
import type { CommandAnswer } from "../../src/types.js";
import { json, onStage } from "./stage.js";
import { ACCOUNT, bot } from "./support.js";

const stage = onStage();

const ok = (result: unknown = null): CommandAnswer => ({ ok: true, result });
const no = (code: string, message = "No."): CommandAnswer => ({ ok: false, error: { code, message, retryable: true } });

beforeEach(() => {
  dropDraft();
  history.replaceState(null, "", "/new/options");
});

describe("creating a bot", () => {
  const made = () => stage.now.asked.filter(({ path }) => path === "/api/v1/bots");

  test("is asked for once, also after a lost answer, and its Link step is on its way", async () => {
    keepDraft({ name: "Support Berlin", expectedPhone: "+49 151 12345678" });
    await stage.now.show(<OptionsPage />);
    stage.now.answers = () => Promise.reject(new TypeError("the network is gone"));
    await stage.now.press("Create and link");
    expect(stage.now.text()).toContain("The server does not answer.");
    stage.now.answers = () => json(bot({ id: "bot_9" }), 201);
    await stage.now.press("Create and link");
    const [first, second, ...more] = made();
    expect(more).toEqual([]);
    expect(first?.key).toMatch(/^\S{12,}$/);
    expect(second).toEqual(first);
    expect(first?.body).toMatchObject({ name: "Support Berlin", expectedPhone: "4915112345678" });
    expect(location.pathname).toBe("/bots/bot_9/link");
    expect(isComing("bot_9")).toBe(true);
    arrived("bot_9");
    expect(isComing("bot_9")).toBe(false);
  });

  test("other words are another request, and so is another bot with the same ones", async () => {
    keepDraft({ name: "Support Berlin" });
    await stage.now.show(<OptionsPage />);
    stage.now.answers = () => json({ detail: "deviceName: too odd", field: "deviceName" }, 422);
    await stage.now.press("Create and link");
    await stage.now.type("Device name", "Front desk");
    stage.now.answers = () => json(bot({ id: "bot_9" }), 201);
    await stage.now.press("Create and link");
    keepDraft({ name: "Support Berlin", deviceName: "Front desk" });
    await stage.now.press("Create and link");
    expect(new Set(made().map(({ key }) => key)).size).toBe(3);
  });
});

describe("the Link step", () => {
  test("a device that WhatsApp did not confirm to be gone is named, and the notice stays", async () => {
    const linked = bot({ status: "connected", account: ACCOUNT, link: null });
    stage.now.carriesOut = ({ action }) => ok(action === "logout" ? { unlinked: false } : null);
    await stage.now.show(<LinkPage bot={linked} />);
    await stage.now.press("No, unlink it");
    expect(stage.now.text()).toContain("Remove “Orchestrator · Support Berlin” on the phone");
    expect(stage.now.commands.map(({ action }) => action)).toEqual(["logout", "link"]);
    await stage.now.show(<LinkPage bot={bot({ status: "login_expired", link: null })} />);
    stage.now.carriesOut = () => no("internal", "The server has a fault.");
    await stage.now.press("Get new codes");
    expect(stage.now.text()).toContain("The server has a fault.");
    expect(stage.now.text()).toContain("Remove “Orchestrator · Support Berlin” on the phone");
  });

  test("a cancelled attempt is gone from the click on, and only that one", async () => {
    const shows = async (changes: Partial<Bot>, wanted: string) => {
      await stage.now.show(<LinkPage bot={bot(changes)} />);
      expect(document.querySelector("[data-state]")?.getAttribute("data-state")).toBe(wanted);
    };
    await shows({}, "waiting");
    await stage.now.press("Cancel");
    await shows({}, "cancelled");
    await shows({ status: "stopped", link: null }, "cancelled");
    await shows({ status: "connected", link: null, account: ACCOUNT }, "connected");
    await shows({ status: "login_expired", link: null }, "expired");
    await shows(
      { link: { method: "qr", attempt: 2, index: 1, of: 6, expiresAt: null, triesLeft: 1, triesRenewAt: null } },
      "waiting",
    );
  });

  test("an attempt whose cancelling was refused is shown again", async () => {
    stage.now.carriesOut = () => no("storage_unavailable", "The disk is full.");
    await stage.now.show(<LinkPage bot={bot()} />);
    await stage.now.press("Cancel");
    expect(stage.now.text()).toContain("The disk is full.");
    expect(document.querySelector("[data-state=cancelled]")).toBeNull();
  });

  test("no new codes while the wrong number is still linked", async () => {
    stage.now.carriesOut = () => no("storage_unavailable", "The disk is full.");
    await stage.now.show(<LinkPage bot={bot({ status: "connected", account: ACCOUNT, link: null })} />);
    await stage.now.press("No, unlink it");
    expect(stage.now.text()).toContain("The disk is full.");
    expect(stage.now.commands.map(({ action }) => action)).toEqual(["logout"]);
  });

  test("another number than the expected one: the next codes expect the same, unless any is let in", async () => {
    const reason = { code: "wrong_number", text: "Another number.", number: null };
    await stage.now.show(<LinkPage bot={bot({ status: "login_expired", link: null, reason })} />);
    await stage.now.press("Use another number");
    await stage.now.press("Let any number link");
    expect(stage.now.commands).toEqual([
      { botId: "bot_1", action: "link", method: "qr" },
      { botId: "bot_1", action: "link", method: "qr", expectedPhone: null },
    ]);
  });
});
