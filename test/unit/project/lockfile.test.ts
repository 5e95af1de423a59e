/**
 * The lockfile check, on manifests and lockfiles that break one rule each.
 */
import { describe, expect, test } from "vitest";
import { findLockfileProblems, type LockedPackage, type Lockfile, type Manifest } from "../../../.scripts/lockfile.js";

const integrity = "sha512-AAAA";
const manifest: Manifest = { dependencies: { "node-ipc": "12.0.0" }, devDependencies: { tsx: "4.23.15" } };
const packages: Record<string, LockedPackage> = {
  "": { version: "0.1.0" },
  "node_modules/node-ipc": { version: "12.0.0", integrity },
  "node_modules/tsx": { version: "4.23.15", integrity },
};

function lockfileWith(more: Record<string, LockedPackage>): Lockfile {
  return { lockfileVersion: 3, packages: { ...packages, ...more } };
}

describe("findLockfileProblems", () => {
  test("finds nothing wrong with exact versions and hashes", () => {
    expect(findLockfileProblems(manifest, lockfileWith({}))).toEqual([]);
  });

  const denied = ["9.1.6", "9.2.2", "9.2.3", "10.1.1", "10.1.2", "10.1.3", "11.0.0", "11.1.0", "12.0.1"];
  test.each(denied)("refuses node-ipc %s as malware, wherever it is locked", (version) => {
    for (const location of ["node_modules/node-ipc", "node_modules/some-package/node_modules/node-ipc"]) {
      const problems = findLockfileProblems(manifest, lockfileWith({ [location]: { version, integrity } }));
      expect(problems[0]).toBe(
        `package-lock.json: ${location}: node-ipc ${version} is refused: this release carried malware or protestware; only 12.0.0 is allowed`,
      );
    }
  });

  test.each(["9.2.1", "10.1.0", "12.0.2", "13.0.0"])("refuses node-ipc %s as not audited", (version) => {
    const problems = findLockfileProblems(manifest, lockfileWith({ "node_modules/node-ipc": { version, integrity } }));
    expect(problems[0]).toContain(`node-ipc ${version} is refused: this release was not audited`);
  });

  test("refuses node-ipc under another name", () => {
    const alias = { name: "node-ipc", version: "12.0.1", integrity };
    const problems = findLockfileProblems(manifest, lockfileWith({ "node_modules/ipc": alias }));
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain("node-ipc 12.0.1 is refused");
  });

  test("refuses another node-ipc in package.json, and an override of it", () => {
    const changed = { ...manifest, dependencies: { "node-ipc": "12.0.1" } };
    expect(findLockfileProblems(changed, lockfileWith({}))[0]).toContain("package.json: node-ipc 12.0.1 is refused");
    const overridden = { ...manifest, overrides: { a: { "node-ipc": "12.0.1" } } };
    expect(findLockfileProblems(overridden, lockfileWith({}))[0]).toContain("overrides must not name node-ipc");
  });

  test("refuses a download address", () => {
    const entry = { version: "1.0.0", integrity, resolved: "https://registry.example/a.tgz" };
    const problems = findLockfileProblems(manifest, lockfileWith({ "node_modules/a": entry }));
    expect(problems).toEqual([
      "package-lock.json: node_modules/a names a download address; run npm install with omit-lockfile-registry-resolved=true",
    ]);
  });

  test("refuses a package without a hash, and a link", () => {
    expect(findLockfileProblems(manifest, lockfileWith({ "node_modules/a": { version: "1.0.0" } }))).toEqual([
      "package-lock.json: node_modules/a has no integrity hash",
    ]);
    const link = { link: true, integrity };
    expect(findLockfileProblems(manifest, lockfileWith({ "node_modules/a": link }))[0]).toContain("is a link");
  });

  test.each(["^4.23.15", "~4.23.15", ">=4", "4.x", "*", "latest", "", "4.23", "npm:other@1.0.0", "github:a/b"])(
    "refuses the version %j in package.json",
    (version) => {
      for (const group of ["dependencies", "devDependencies", "optionalDependencies", "peerDependencies"] as const) {
        const problems = findLockfileProblems({ [group]: { tsx: version } }, lockfileWith({}));
        expect(problems[0]).toBe(`package.json: tsx is "${version}"; name one exact version, such as "1.2.3"`);
      }
    },
  );

  test("refuses a lockfile that does not belong to the manifest", () => {
    const newer = { dependencies: { "node-ipc": "12.0.0", commander: "14.0.3" }, devDependencies: { tsx: "4.23.16" } };
    expect(findLockfileProblems(newer, lockfileWith({}))).toEqual([
      "package-lock.json has commander nowhere, package.json 14.0.3; run npm install",
      "package-lock.json has tsx 4.23.15, package.json 4.23.16; run npm install",
    ]);
  });

  test("refuses an older lockfile format, which it could not read", () => {
    expect(findLockfileProblems({}, { lockfileVersion: 1 })).toEqual([
      "package-lock.json: lockfileVersion is not 3; run npm install",
    ]);
  });
});
