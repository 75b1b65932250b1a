import { defineConfig } from "vite";

const APP = "http://127.0.0.1:7071";

export default defineConfig({
  base: "/api/admin/console/",
  esbuild: { jsx: "automatic", jsxImportSource: "preact", legalComments: "none" },
  build: {
    // One flat folder, because the app serves files by name; no data: URLs, because its policy forbids them.
    assetsDir: "",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2022",
    reportCompressedSize: true,
    rollupOptions: { input: ["index.html", "me.html"] },
  },
  // For development: `make start`, then `npm run dev`.
  server: { proxy: { "/api/admin/portfolio": APP, "/api/health": APP } },
});
