/** What the package adds to a page beside socket.io-client: at most 20 kB compressed. */
import { gzipSync } from "node:zlib";
import { build, type Rolldown } from "vite";
import { expect, test } from "vitest";

async function bundled(entry: string): Promise<string> {
  const made = (await build({
    configFile: false,
    logLevel: "silent",
    build: {
      write: false,
      minify: "oxc",
      lib: { entry, formats: ["es"] },
      rolldownOptions: { external: [/^react/, /^socket\.io-client/] },
    },
  })) as Rolldown.RolldownOutput[];
  return made.flatMap(({ output }) => output.map((file) => ("code" in file ? file.code : ""))).join("");
}

test.each(["src/react.ts", "src/index.ts"])("%s is at most 20 kB compressed", async (entry) => {
  const code = await bundled(entry);
  const size = gzipSync(code, { level: 9 }).length;
  expect(code).toContain("socket.io-client");
  expect(size).toBeGreaterThan(4_000);
  expect(size, `${size} bytes`).toBeLessThanOrEqual(20_000);
  if (process.env.SHOW_SIZE) process.stdout.write(`${entry}: ${size} bytes compressed\n`);
});
