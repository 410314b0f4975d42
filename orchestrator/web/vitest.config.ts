import { configDefaults, defineConfig } from "vitest/config";

// `unit` needs nothing and is quick; `real` needs a running server (tests/e2e/test_web_protocol.py starts one).
export default defineConfig({
  test: {
    restoreMocks: true,
    projects: [
      {
        test: {
          name: "unit",
          include: ["test/**/*.test.{ts,tsx}"],
          exclude: [...configDefaults.exclude, "test/real/**"],
          testTimeout: 10_000,
        },
      },
      { test: { name: "real", include: ["test/real/**/*.test.ts"], testTimeout: 60_000 } },
    ],
  },
});
