import { defineConfig } from "vite";

const APP = "http://127.0.0.1:7071";

export default defineConfig({
  base: "/api/admin/console/",
  esbuild: { jsx: "automatic", jsxImportSource: "preact", legalComments: "none" },
  build: {
    // One flat folder: the app serves these files by name, and nothing as a data: URL, which its policy forbids.
    assetsDir: "",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2022",
    reportCompressedSize: true,
  },
  // For work on the console: `make start`, then `npm run dev`.
  server: { proxy: { "/api/admin/portfolio": APP, "/api/health": APP } },
});
