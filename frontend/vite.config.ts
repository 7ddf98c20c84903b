import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

// Relative addresses: the pages work below any --root-path.
export default defineConfig({
  base: "./",
  plugins: [react()],
  build: {
    outDir: "../src/verglas/web/static",
    emptyOutDir: true,
    chunkSizeWarningLimit: 700,
    target: "es2022",
  },
  test: { include: ["tests/unit/*.test.ts"] },
  server: { proxy: { "/api": { target: "http://127.0.0.1:8765", ws: true } } },
});
