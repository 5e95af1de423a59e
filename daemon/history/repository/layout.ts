/**
 * The bare repository as a directory: making one, and refusing one that we could not serve.
 *
 * Owns the files that make a directory a Git repository (`HEAD`, `config`, `description`, the empty directories). It
 * never touches refs, packs or objects, and never changes a file that exists: what a person put into `config` stays.
 * Source: gitrepository-layout(5), git-config(1), Documentation/technical/repository-version.txt.
 *
 * `createRepository` may be repeated and may be cut off at any point: every file appears whole (written under another
 * name, synced, renamed), and `HEAD`, without which Git sees no repository, comes last.
 */
import { Buffer } from "node:buffer";
import type { FileSystem } from "../../platform/file-system.js";
import { readIfPresent, removeIfPresent, writeDurableFile } from "./durable-file.js";
import { NotARepositoryError, UnsupportedRepositoryError } from "./errors.js";

/** The branch that a new repository's `HEAD` names. */
export const MAIN_REF = "refs/heads/main";
/** The same without what all branches' refs begin with; the branch of the daemon's main socket. */
export const MAIN_BRANCH = "main";

/** The full name of a branch's ref. */
export function refOfBranch(branch: string): string {
  return `refs/heads/${branch}`;
}

/** A repository that was checked. */
export interface Repository {
  /** Absolute; holds `HEAD`, `objects` and `refs`. */
  readonly directory: string;
  /** `core.repositoryformatversion`: 0, or 1 with extensions that do not concern a reader. */
  readonly formatVersion: number;
}

/**
 * The last one is for files of our own. It is made here, where it becomes durable, and not by who writes there first: the
 * index of seqs syncs nothing, and whoever came after it would put files that must outlive a power cut into a directory that
 * may not.
 */
const DIRECTORIES = ["objects/info", "objects/pack", "refs/heads", "refs/tags", "info", "xenstore-tng"] as const;

/**
 * gc.auto = 0: some plain Git commands (`receive-pack`, `fetch`) end in `git gc --auto`, which would compete with our own
 * consolidation for the disk. It turns off that trigger alone; `git gc`, `git repack` and `git fsck` by a person work
 * and are harmless: new packs are protected by `.keep` until a ref reaches them, and readers look again when a pack
 * is gone.
 */
const CONFIG = `[core]
\trepositoryformatversion = 0
\tfilemode = true
\tbare = true
[gc]
\tauto = 0
`;

const DESCRIPTION = "XenStore history, recorded by xenstore-tng: one commit per committed change.\n";

/** Extensions (repository format version 1) that change nothing for somebody who reads objects and files of refs. */
const HARMLESS_EXTENSIONS = new Set(["noop", "preciousobjects", "worktreeconfig", "relativeworktrees"]);

/**
 * Makes a bare repository that Git accepts, with `HEAD` on `refs/heads/main`, or completes one whose making was cut off.
 *
 * An existing repository is left as it is. When it returns, everything is durable.
 *
 * @param directory - absolute; made with its parents when missing
 * @throws what `openRepository` throws, when what is there is no repository of ours to use
 */
export function createRepository(fileSystem: FileSystem, directory: string): Repository {
  for (const name of DIRECTORIES) fileSystem.makeDirectory(`${directory}/${name}`);
  createFile(fileSystem, `${directory}/config`, CONFIG);
  createFile(fileSystem, `${directory}/description`, DESCRIPTION);
  // All else is durable before HEAD makes it a repository; `objects` and `refs` hold the entries made above.
  for (const name of ["/objects", "/refs", ""]) fileSystem.syncDirectory(directory + name);
  createFile(fileSystem, `${directory}/HEAD`, `ref: ${MAIN_REF}\n`);
  // Also when nothing was made now: an earlier life may have been killed after it made it all and before it was durable.
  fileSystem.syncDirectory(directory);
  fileSystem.syncDirectory(directory.slice(0, Math.max(1, directory.lastIndexOf("/"))));
  return openRepository(fileSystem, directory);
}

/**
 * Checks that `directory` is a bare repository that we can read and write.
 *
 * @throws NotARepositoryError when `HEAD`, `objects` or `refs` is missing or `HEAD` makes no sense
 * @throws UnsupportedRepositoryError for another format version, SHA-256, reftable, a partial clone, or borrowed objects
 *   (`objects/info/alternates`)
 */
export function openRepository(fileSystem: FileSystem, directory: string): Repository {
  for (const name of ["objects", "refs"]) {
    if (!isDirectory(fileSystem, `${directory}/${name}`))
      throw new NotARepositoryError(directory, `it has no directory ${name}`);
  }
  const head = readIfPresent(fileSystem, `${directory}/HEAD`);
  if (head === undefined) throw new NotARepositoryError(directory, "it has no file HEAD");
  if (!/^(?:ref:\s*refs\/\S+|[0-9a-f]{40})\s*$/.test(Buffer.from(head).toString("utf8"))) {
    throw new NotARepositoryError(directory, "HEAD holds neither `ref: refs/…` nor 40 hexadecimal digits");
  }
  const config = parseConfig(Buffer.from(readIfPresent(fileSystem, `${directory}/config`) ?? []).toString("utf8"));
  const formatVersion = checkFormat(directory, config);
  if (readIfPresent(fileSystem, `${directory}/objects/info/alternates`) !== undefined) {
    throw new UnsupportedRepositoryError(
      directory,
      "it borrows objects from another repository (objects/info/alternates); run `git repack -a -d` there and remove that file",
    );
  }
  return { directory, formatVersion };
}

/** Makes a file with this content unless it exists. */
function createFile(fileSystem: FileSystem, path: string, content: string): void {
  if (fileSystem.exists(path)) return;
  const temporary = `${path}.new`;
  removeIfPresent(fileSystem, temporary);
  writeDurableFile(fileSystem, temporary, [Buffer.from(content, "latin1")]);
  fileSystem.rename(temporary, path);
}

function isDirectory(fileSystem: FileSystem, path: string): boolean {
  try {
    fileSystem.list(path);
    return true;
  } catch {
    return false;
  }
}

/** Checks version and extensions; returns the version. */
function checkFormat(directory: string, config: ReadonlyMap<string, string>): number {
  const version = config.get("core.repositoryformatversion") ?? "0";
  if (version !== "0" && version !== "1") {
    throw new UnsupportedRepositoryError(directory, `core.repositoryformatversion is ${version}; we know 0 and 1`);
  }
  for (const [key, value] of config) {
    if (!key.startsWith("extensions.")) continue;
    const extension = key.slice("extensions.".length);
    if (HARMLESS_EXTENSIONS.has(extension)) continue;
    if (extension === "objectformat") {
      if (value === "sha1") continue;
      throw new UnsupportedRepositoryError(
        directory,
        `its objects are named by ${value} (extensions.objectFormat); we know sha1 alone`,
      );
    }
    if (extension === "refstorage") {
      if (value === "files") continue;
      throw new UnsupportedRepositoryError(
        directory,
        `its refs are stored as ${value} (extensions.refStorage); we know files alone`,
      );
    }
    throw new UnsupportedRepositoryError(directory, `it uses the extension ${extension}, which we do not know`);
  }
  return Number(version);
}

/**
 * The last value of every variable, by lower-case `section.variable` (subsections are left out: nothing that we ask for
 * has one). Enough of git-config(1) for what Git itself writes; includes are not followed, as Git does not follow them
 * either when it reads the format.
 */
function parseConfig(text: string): Map<string, string> {
  const values = new Map<string, string>();
  let section: string | undefined;
  for (const rawLine of text.replace(/\\\r?\n/g, "").split(/\r?\n/)) {
    let line = rawLine.trim();
    const header = /^\[\s*([A-Za-z0-9.-]+)\s*(".*?")?\s*\]/.exec(line);
    if (header !== null) {
      section = header[2] === undefined ? header[1]?.toLowerCase() : undefined;
      line = line.slice(header[0].length).trim();
    }
    const variable = /^([A-Za-z][A-Za-z0-9-]*)\s*(?:=\s*(.*))?$/.exec(line);
    if (variable?.[1] === undefined || section === undefined) continue;
    values.set(`${section}.${variable[1].toLowerCase()}`, plainValue(variable[2] ?? "true"));
  }
  return values;
}

/** A value without its quotes and trailing comment. */
function plainValue(text: string): string {
  const quoted = /^"((?:[^"\\]|\\.)*)"/.exec(text)?.[1];
  return quoted ?? text.replace(/\s*[#;].*$/, "").trim();
}
