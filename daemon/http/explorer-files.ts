/**
 * The files of the explorer, the console's page for browsers.
 *
 * Owns where they are, which of them are served, and what a browser is told of them. By TCP they need no token: a browser cannot
 * send one with an address that somebody has typed, and the files are the same for everybody and hold no data.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import fastifyStatic from "@fastify/static";
import type { FastifyPluginCallback } from "fastify";
import { packageDirectory } from "../platform/package-directory.js";
import { NotHereError } from "./problem.js";

declare module "fastify" {
  interface FastifyContextConfig {
    /** Whether who asks needs no token. */
    isPublic?: boolean;
  }
}

/** What the page may do: run and show what came with it, and ask this daemon. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

const PAGE = "index.html";
/** Below this the names have a hash of the content in them. */
const HASHED_DIRECTORY = "assets";
const FOR_EVER = "public, max-age=31536000, immutable";
/** Kept, and asked about each time. */
const ASK_AGAIN = "no-cache";

/** Where `npm run build` puts them, for a module of this package. */
export function explorerDirectoryOf(moduleUrl: string): string {
  return fileURLToPath(new URL("dist/clients/explorer", packageDirectory(moduleUrl)));
}

/** The routes. @param directory - where the files are, or will be once they are built; undefined for nowhere */
export function explorerFiles(directory: string | undefined): FastifyPluginCallback {
  return (app, _options, done) => {
    app.addHook("onRoute", (route) => {
      route.config = { ...route.config, isPublic: true };
      // They are no part of the API.
      route.schema = { ...route.schema, hide: true };
    });
    if (directory !== undefined) {
      void app.register(fastifyStatic, {
        // What is not there yet may be built while the daemon runs.
        root: join(directory, HASHED_DIRECTORY),
        prefix: `/${HASHED_DIRECTORY}/`,
        suppressWarning: true,
        dotfiles: "ignore",
        cacheControl: false,
        setHeaders: (reply, path) => {
          void reply.headers({
            "cache-control": path.endsWith(PAGE) ? ASK_AGAIN : FOR_EVER,
            "content-security-policy": CONTENT_SECURITY_POLICY,
          });
        },
      });
    }
    app.get("/", (_request, reply) => {
      if (directory === undefined || !existsSync(join(directory, PAGE))) {
        throw new NotHereError("the explorer has not been built: run `npm run build`");
      }
      return reply.sendFile(PAGE, directory);
    });
    done();
  };
}
