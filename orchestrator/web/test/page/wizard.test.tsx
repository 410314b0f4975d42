// @vitest-environment jsdom
/** The wizard's forms, the settings that share them, and the Link step, on a stage: what the server is asked, and what a person is told of its answers. */
import { act } from "react";
import { beforeEach, describe, expect, test, vi } from "vitest";
import type { Bot } from "../../src/generated.js";
import { BotSettings } from "../../src/page/bot_settings.js";
import { arrived, isComing } from "../../src/page/coming.js";
import { dropDraft, keepDraft } from "../../src/page/draft.js";
import { PairingCode } from "../../src/page/phone_panel.js";
import { LinkPage } from "../../src/page/wizard_link.js";
import { OptionsPage } from "../../src/page/wizard_new.js";
import type { CommandAnswer } from "../../src/types.js";
import { json, onStage } from "./stage.js";
import { ACCOUNT, bot, NOW } from "./support.js";

const stage = onStage();

const LINK = { method: "qr", attempt: 1, index: 1, of: 6, expiresAt: null, triesLeft: 1, triesRenewAt: null } as const;

const ok = (result: unknown = null): CommandAnswer => ({ ok: true, result });
const no = (code: string, message = "No."): CommandAnswer => ({ ok: false, error: { code, message, retryable: true } });

beforeEach(() => {
  // The test's document has dialogs that cannot open.
  HTMLDialogElement.prototype.showModal ??= () => undefined;
  HTMLDialogElement.prototype.close ??= () => undefined;
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

describe("testing a proxy", () => {
  const checks = () => stage.now.asked.filter(({ path }) => path === "/api/v1/proxy-checks");
  const begin = async () => {
    keepDraft({ name: "Support Berlin" });
    await stage.now.show(<OptionsPage />);
    await stage.now.press("Connect through a proxy");
    await stage.now.type("Proxy address", "socks5://one:1080");
  };

  test("an answer that comes late says nothing of the address that stands there now", async () => {
    const answers: Array<(answer: Response) => void> = [];
    stage.now.answers = () => new Promise((resolve) => answers.push(resolve));
    await begin();
    await stage.now.press("Test");
    await stage.now.type("Proxy address", "socks5://two:1080");
    expect(stage.now.text()).not.toContain("Testing…");
    await act(async () => answers[0]?.(json({ ok: true })));
    expect(stage.now.text()).not.toContain("The proxy works.");
    await stage.now.press("Test");
    expect(stage.now.text()).toContain("Testing…");
    await act(async () => answers[1]?.(json({ ok: false })));
    expect(stage.now.text()).toContain("The proxy does not work.");
    expect(stage.now.text()).toContain("Continue anyway");
    expect(checks().map(({ body }) => body)).toEqual([{ proxy: "socks5://one:1080" }, { proxy: "socks5://two:1080" }]);
  });

  test.each([
    [
      "a proxy check too many",
      { detail: "Too many requests; slow down.", code: "rate_limited" },
      429,
      "Too many requests; slow",
    ],
    ["no proxy", { detail: "proxy: give http://host:port", field: "proxy" }, 422, "Give http://host:port"],
    ["a full disk", { detail: "The disk is full." }, 503, "The disk is full."],
  ])("%s is told as what it is, not as a proxy that fails", async (_, body, status, said) => {
    stage.now.answers = () => json(body, status);
    await begin();
    await stage.now.press("Test");
    expect(stage.now.text()).toContain(said);
    expect(stage.now.text()).not.toContain("The proxy does not work");
    expect(stage.now.text()).not.toContain("Continue anyway");
  });

  test("nobody who answers, and nothing to test", async () => {
    stage.now.answers = () => Promise.reject(new TypeError("the network is gone"));
    await begin();
    await stage.now.press("Test");
    expect(stage.now.text()).toContain("The server does not answer.");
    await stage.now.type("Proxy address", "");
    await stage.now.press("Test");
    expect(stage.now.text()).toContain("Give http://host:port or socks5://host:port.");
    expect(checks().length).toBe(1);
  });
});

describe("a proxy that is switched on", () => {
  const near = () => stage.now.field("Proxy address").closest(".field")?.textContent ?? "";

  test("needs an address before anything is made or saved, unless there is one", async () => {
    keepDraft({ name: "Support Berlin" });
    await stage.now.show(<OptionsPage />);
    await stage.now.press("Connect through a proxy");
    await stage.now.press("Create and link");
    expect(near()).toContain("Give http://host:port");
    await stage.now.show(<BotSettings bot={bot()} onClose={() => undefined} />);
    await stage.now.press("Connect through a proxy");
    await stage.now.press("Save");
    expect(near()).toContain("Give http://host:port");
    expect(stage.now.asked).toEqual([]);
    await stage.now.show(<BotSettings key="kept" bot={bot({ proxy: true })} onClose={() => undefined} />);
    await stage.now.press("Save");
    expect(stage.now.asked.map(({ body }) => body)).toEqual([
      { name: "Support Berlin", deviceName: "Orchestrator · Support Berlin" },
    ]);
  });

  test("shows its password while it is written, and sends it whole", async () => {
    const address = "socks5://ada:geh:eim@host:1080";
    keepDraft({ name: "Support Berlin", proxy: address });
    await stage.now.show(<OptionsPage />);
    const field = stage.now.field("Proxy address");
    expect(field.value).toBe("socks5://ada:••••••@host:1080");
    await act(async () => field.focus());
    expect(field.value).toBe(address);
    await act(async () => field.blur());
    expect(field.value).not.toContain("eim");
    stage.now.answers = () => json(bot({ id: "bot_9" }), 201);
    await stage.now.press("Create and link");
    expect(stage.now.asked.at(-1)?.body).toMatchObject({ proxy: address });
  });
});

describe("a pairing code", () => {
  const code = { kind: "pairing_code", code: "7KQ4-MX2P", expiresAt: NOW, attempt: 1, statusVersion: 3 } as const;
  const shown = () => stage.now.show(<PairingCode bot="bot_1" code={code} offset={0} onChange={() => undefined} />);

  test.each([
    ["no clipboard, as without https", undefined],
    ["a clipboard that refuses", { writeText: () => Promise.reject(new Error("refused")) }],
  ])("%s: it is not said to be copied", async (_, clipboard) => {
    vi.stubGlobal("navigator", { clipboard });
    await shown();
    await stage.now.press("Copy code");
    expect(stage.now.text()).toContain("Not copied: type it");
    expect(stage.now.text()).not.toContain("Copied");
  });

  test("is copied, and that is said", async () => {
    const held: string[] = [];
    vi.stubGlobal("navigator", { clipboard: { writeText: async (text: string) => void held.push(text) } });
    await shown();
    await stage.now.press("Copy code");
    expect(stage.now.text()).toContain("Copied");
    expect(held).toEqual(["7KQ4-MX2P"]);
  });
});

describe("the settings of a bot", () => {
  const saved = async (body: object, status: number) => {
    stage.now.answers = () => json(body, status);
    await stage.now.show(<BotSettings bot={bot({ proxy: true })} onClose={() => undefined} />);
    await stage.now.press("Save");
  };
  const near = (label: string) => stage.now.field(label).closest(".field")?.textContent ?? "";

  test("a refused proxy is told at the proxy, until it is edited", async () => {
    await saved({ detail: "proxy: this address is not public", field: "proxy" }, 422);
    expect(near("Proxy address")).toContain("This address is not public");
    expect(near("Name")).not.toContain("public");
    await stage.now.type("Proxy address", "socks5://two:1080");
    expect(stage.now.text()).not.toContain("This address is not public");
  });

  test("what is about no field stands below them", async () => {
    await saved({ detail: "The disk is full." }, 503);
    expect(document.querySelector("form [role=alert]")?.textContent).toBe("The disk is full.");
    expect(near("Name")).not.toContain("disk");
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
    await shows({ link: { ...LINK, attempt: 2 } }, "waiting");
  });

  test("an attempt whose cancelling was refused is shown again", async () => {
    stage.now.carriesOut = () => no("storage_unavailable", "The disk is full.");
    await stage.now.show(<LinkPage bot={bot()} />);
    await stage.now.press("Cancel");
    expect(stage.now.text()).toContain("The disk is full.");
    expect(document.querySelector("[data-state=cancelled]")).toBeNull();
  });

  test.each([
    ["too_many_link_attempts", "Too many tries for now. Try again in 60 s."],
    ["not_connected", "The server did not answer"],
    ["invalid_field", "This number is not one."],
  ])("a number that was refused: %s is told at the number, and once", async (code, said) => {
    stage.now.carriesOut = () => no(code, "phone: this number is not one.");
    await stage.now.show(<LinkPage bot={bot({ link: { ...LINK, index: null } })} />);
    const notices = () => document.querySelector(".toasts")?.textContent;
    const before = notices();
    await act(async () => document.querySelectorAll<HTMLElement>("[role=tab]")[1]?.click());
    await stage.now.type("Phone number of", "+49 151 12345678");
    await stage.now.press("Get code");
    expect(stage.now.field("Phone number of").closest(".field")?.textContent).toContain(said);
    expect(notices()).toBe(before);
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
