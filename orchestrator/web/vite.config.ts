import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

// Static files that `orchestrator serve` delivers and the wheel contains; nothing inline, nothing from elsewhere.
export default defineConfig({
  root: here("src/page"),
  publicDir: here("src/page/public"),
  plugins: [react()],
  build: {
    outDir: here("../api/built"),
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2022",
    reportCompressedSize: false,
  },
});
