/** What is loaded: the package beside socket.io-client, at most 20 kB compressed; each part of the page within its budget. */
import { brotliCompressSync, gzipSync } from "node:zlib";
import { build, type Rolldown } from "vite";
import { expect, test, vi } from "vitest";

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

type Output = Rolldown.RolldownOutput["output"];

let page: Promise<Output> | null = null;

async function built(): Promise<Output> {
  // React is another, larger one in tests.
  vi.stubEnv("NODE_ENV", "production");
  const made = (await build({ configFile: "vite.config.ts", logLevel: "silent", build: { write: false } })) as
    | Rolldown.RolldownOutput
    | Rolldown.RolldownOutput[];
  return (Array.isArray(made) ? made[0] : made)?.output ?? ([] as unknown as Output);
}

/** Files a browser needs before a part is shown: those of the document, of the part, and all these import. */
async function needed(...parts: ReadonlyArray<string>): Promise<ReadonlyArray<string>> {
  page ??= built();
  const output = await page;
  const chunks = output.filter((file) => file.type === "chunk");
  const wanted = new Set<string>();
  const want = (name: string): void => {
    const chunk = chunks.find((one) => one.fileName === name);
    if (chunk === undefined || wanted.has(name)) return;
    wanted.add(name);
    for (const file of chunk.imports) want(file);
  };
  want(chunks.find((chunk) => chunk.isEntry)?.fileName ?? "");
  for (const part of parts)
    want(chunks.find((chunk) => chunk.facadeModuleId?.endsWith(`/page/${part}.tsx`))?.fileName ?? "");
  const styles = chunks
    .filter((chunk) => wanted.has(chunk.fileName))
    .flatMap((chunk) => [...(chunk.viteMetadata?.importedCss ?? [])]);
  return [...wanted, ...new Set(styles)];
}

async function size(names: ReadonlyArray<string>): Promise<number> {
  const output = await (page ?? built());
  return output
    .filter((file) => names.includes(file.fileName))
    .map((file) => brotliCompressSync(file.type === "chunk" ? file.code : file.source).length)
    .reduce((sum, one) => sum + one, 0);
}

test.each([
  ["the wizard's first steps", ["wizard_new"], 120_000],
  ["linking", ["wizard_link"], 120_000],
  ["the bots", ["navigation", "bots"], 150_000],
  [
    "everything",
    ["navigation", "bots", "bot", "fleet", "wizard_new", "wizard_link", "wizard_ready", "command_bar"],
    200_000,
  ],
])("%s: what is loaded keeps within its budget", async (_, parts, most) => {
  const names = await needed(...parts);
  const bytes = await size(names);
  expect(bytes).toBeGreaterThan(80_000);
  expect(bytes, `${bytes} bytes of ${names.join(", ")}`).toBeLessThanOrEqual(most);
  if (process.env.SHOW_SIZE) process.stdout.write(`${parts.join(", ")}: ${bytes} bytes compressed\n`);
});

test("fleet, command bar, lists and conversations are no part of the wizard", async () => {
  const wizard = await needed("wizard_new", "wizard_link", "wizard_ready");
  for (const part of ["navigation", "fleet", "command_bar", "bots", "bot"]) {
    const names = await needed(part);
    expect(
      names.filter((name) => !wizard.includes(name)),
      part,
    ).not.toEqual([]);
  }
});

test("the page has the ways to the server that it uses, and no other", async () => {
  page ??= built();
  const code = (await page).map((file) => (file.type === "chunk" ? file.code : "")).join("");
  const named = ["WebSocket", "XMLHttpRequest", "WebTransport"].filter((way) => code.includes(way));
  expect(named).toEqual(["WebSocket", "XMLHttpRequest"]);
});
