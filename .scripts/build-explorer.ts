/**
 * Builds the explorer into `dist/clients/explorer`, from where the daemon serves it (`npm run build`); with `--if-missing` only where
 * there is none (`npm start`, `npm run demo`).
 */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { buildExplorer } from "./explorer.js";

const output = resolve(import.meta.dirname, "..", "dist/clients/explorer");
if (!process.argv.includes("--if-missing") || !existsSync(join(output, "index.html"))) await buildExplorer(output);
