/** The command bar's offers: what Enter runs is what was typed. */
import { describe, expect, it } from "vitest";
import { entriesOf, type Palette } from "../../src/page/view/palette.js";
import { ACCOUNT, bot, NOW } from "./support.js";

const sales = bot({ id: "s", name: "Sales DACH", status: "connected", account: ACCOUNT, link: null });
const returns = bot({ id: "r", name: "Returns", status: "stopped", desired: "stopped", userAction: "start" });

function offered(changes: Partial<Palette>) {
  const all = { bots: [sales, returns], subject: null, inList: false, query: "", operator: false, now: NOW };
  return entriesOf({ ...all, ...changes });
}
const labels = (changes: Partial<Palette>) => offered(changes).map((entry) => entry.label);

describe("the command bar", () => {
  it("opens the bot that was named, and offers its commands last", () => {
    expect(labels({ query: "sales" })).toEqual(["Sales DACH", "Restart", "Stop"]);
    expect(offered({ query: "sales" })[0]?.deed).toEqual({ kind: "go", to: "/bots/s" });
  });

  it("runs commands of the bot somebody is at by their name", () => {
    const [first, second] = offered({ query: "re", subject: sales });
    expect([first?.label, first?.deed]).toEqual(["Restart", { kind: "steer", bot: sales, action: "restart" }]);
    expect(second?.label).toBe("Returns");
    expect(labels({ query: "stop", subject: sales })).toEqual(["Stop"]);
  });

  it("offers nothing for a bot that nobody named or is at", () => {
    expect(labels({ query: "restart" })).toEqual([]);
    expect(labels({}).slice(0, 2)).toEqual(["Bots", "Bots that need you"]);
    expect(labels({ subject: returns })[0]).toBe("Start");
  });

  it("says which keys do the same, where they do", () => {
    const keys = (changes: Partial<Palette>) =>
      offered({ subject: sales, ...changes }).map((entry) => entry.keys.join(""));
    expect(keys({ query: "re", inList: true })[0]).toBe("R");
    expect(keys({ query: "re" })[0]).toBe("");
    expect(keys({ query: "need" })).toEqual(["GY"]);
  });

  it("shows the fleet to operators only", () => {
    expect(labels({ query: "fleet" })).toEqual([]);
    expect(labels({ query: "fleet", operator: true })).toEqual(["Fleet: recent incidents"]);
  });
});
