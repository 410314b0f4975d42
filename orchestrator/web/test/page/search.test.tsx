// @vitest-environment jsdom
/** Looking for a bot: what is typed filters, and stands in the address only where it cannot be a phone number. */
import { describe, expect, test } from "vitest";
import { BotsPage } from "../../src/page/bots.js";
import { onStage } from "./stage.js";
import { bot } from "./support.js";

const stage = onStage();

describe("looking for a bot", () => {
  test.each(["06 12 34 56 78", "+33 6 12 34 56 78", "(030) 12-34", "0 6 1", "٠٦١٢"])(
    "%s stays out of the address",
    async (typed) => {
      history.replaceState(null, "", "/");
      await stage.now.change({ bots: { bot_1: bot(), bot_2: bot({ id: "bot_2" }) } });
      await stage.now.show(<BotsPage />);
      await stage.now.type("Find by name or number", "bot 19");
      expect(location.search).toBe("?q=bot+19");
      await stage.now.type("Find by name or number", typed);
      expect(location.href).not.toMatch(/q=|[?]/);
    },
  );
});
