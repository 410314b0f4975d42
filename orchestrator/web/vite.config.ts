import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { brotliCompress } from "node:zlib";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

const WORTH_COMPRESSING = 1024;
const packed = promisify(brotliCompress);

/** Beside each file what it is with Brotli, for servers that have none. */
function compressed(): Plugin {
  return {
    name: "compressed",
    async writeBundle({ dir = "" }, files) {
      const bodies = Object.values(files).map((file) => ({
        path: join(dir, `${file.fileName}.br`),
        body: Buffer.from(file.type === "chunk" ? file.code : file.source),
      }));
      const worth = bodies.filter(({ body }) => body.length > WORTH_COMPRESSING);
      await Promise.all(worth.map(async ({ path, body }) => writeFile(path, await packed(body))));
    },
  };
}

/** The ways to the server without WebTransport, which it does not offer: a hundredth of what a page loads. */
function twoTransports(): Plugin {
  return {
    name: "two-transports",
    load: {
      filter: { id: /engine\.io-client\/build\/esm\/transports\/index\.js$/ },
      handler: () => `import { XHR } from "./polling-xhr.node.js";
import { WS } from "./websocket.node.js";
export const transports = { websocket: WS, polling: XHR };`,
    },
  };
}

// Static files that `orchestrator serve` delivers and the wheel contains; nothing inline, nothing from elsewhere.
export default defineConfig({
  root: here("src/page"),
  publicDir: here("src/page/public"),
  plugins: [react(), twoTransports(), compressed()],
  build: {
    outDir: here("../api/built"),
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2022",
    reportCompressedSize: false,
    rolldownOptions: { checks: { pluginTimings: false } },
  },
});
