/**
 * What `package.json` and `package-lock.json` must and must not hold.
 *
 * Owns the rules; reads no file. Versions are exact, because a range lets a release that nobody has read into the next
 * install, and the lockfile names no download address, because it must work with any mirror (npm checks what it
 * downloads against `integrity` either way).
 */

/** The parts of `package.json` that are looked at. */
export interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly overrides?: Readonly<Record<string, unknown>>;
}

/** One entry of the lockfile's `packages`. */
export interface LockedPackage {
  readonly version?: string;
  readonly resolved?: string;
  readonly integrity?: string;
  readonly name?: string;
  readonly link?: boolean;
}

/** The parts of `package-lock.json` that are looked at. */
export interface Lockfile {
  readonly lockfileVersion?: number;
  readonly packages?: Readonly<Record<string, LockedPackage>>;
}

/** The one release of node-ipc that was audited and is used. */
export const NODE_IPC_ALLOWED = "12.0.0";

/** Releases of node-ipc that carried malware or protestware; named so that the refusal can say why. */
const NODE_IPC_DENIED = /^(?:9\.1\.6|9\.2\.2|9\.2\.3|10\.1\.[123]|11\..*|12\.0\.1)$/;

const EXACT_VERSION = /^[0-9]+\.[0-9]+\.[0-9]+(?:-[0-9A-Za-z.-]+)?$/;

/** What is wrong with the two files, one sentence each; empty when all is well. */
export function findLockfileProblems(manifest: Manifest, lockfile: Lockfile): string[] {
  return [...findManifestProblems(manifest), ...findPackageProblems(manifest, lockfile)];
}

function findManifestProblems(manifest: Manifest): string[] {
  const problems: string[] = [];
  const { dependencies, devDependencies, optionalDependencies, peerDependencies } = manifest;
  for (const group of [dependencies, devDependencies, optionalDependencies, peerDependencies]) {
    for (const [name, version] of Object.entries(group ?? {})) {
      if (!EXACT_VERSION.test(version)) {
        problems.push(`package.json: ${name} is "${version}"; name one exact version, such as "1.2.3"`);
      }
      if (name === "node-ipc") problems.push(...findNodeIpcProblems("package.json", version));
    }
  }
  if (JSON.stringify(manifest.overrides ?? {}).includes("node-ipc")) {
    problems.push("package.json: overrides must not name node-ipc, whose version is audited by hand");
  }
  return problems;
}

function findPackageProblems(manifest: Manifest, lockfile: Lockfile): string[] {
  const problems: string[] = [];
  const packages = lockfile.packages ?? {};
  if (lockfile.lockfileVersion !== 3) problems.push("package-lock.json: lockfileVersion is not 3; run npm install");
  for (const [location, entry] of Object.entries(packages)) {
    if (location === "") continue;
    const where = `package-lock.json: ${location}`;
    const name = entry.name ?? location.slice(location.lastIndexOf("node_modules/") + "node_modules/".length);
    if (entry.resolved !== undefined) {
      problems.push(`${where} names a download address; run npm install with omit-lockfile-registry-resolved=true`);
    }
    if (entry.link === true) problems.push(`${where} is a link to a folder, which nobody else has`);
    if (entry.integrity === undefined) problems.push(`${where} has no integrity hash`);
    if (name === "node-ipc") problems.push(...findNodeIpcProblems(where, entry.version ?? "no version"));
  }
  for (const [name, version] of Object.entries({ ...manifest.dependencies, ...manifest.devDependencies })) {
    const locked = packages[`node_modules/${name}`]?.version;
    if (locked !== version) {
      problems.push(`package-lock.json has ${name} ${locked ?? "nowhere"}, package.json ${version}; run npm install`);
    }
  }
  return problems;
}

function findNodeIpcProblems(where: string, version: string): string[] {
  if (version === NODE_IPC_ALLOWED) return [];
  const reason = NODE_IPC_DENIED.test(version)
    ? "this release carried malware or protestware"
    : "this release was not audited, and several others carried malware or protestware";
  return [`${where}: node-ipc ${version} is refused: ${reason}; only ${NODE_IPC_ALLOWED} is allowed`];
}
