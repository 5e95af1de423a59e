/**
 * The build of the explorer (`clients/explorer/`).
 *
 * Owns Vite's settings. Everything goes into one script and one style sheet, named by their contents, so that a browser may keep them
 * for ever and needs three answers for the page.
 */
import { resolve } from "node:path";
import { build } from "vite";

/** Builds it into a directory, which is emptied first. */
export async function buildExplorer(output: string): Promise<void> {
  await build({
    root: resolve(import.meta.dirname, "..", "clients/explorer"),
    base: "./",
    configFile: false,
    logLevel: "warn",
    oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
    build: {
      outDir: output,
      emptyOutDir: true,
      target: "es2022",
      modulePreload: false,
      assetsInlineLimit: 0,
      reportCompressedSize: false,
    },
  });
}
