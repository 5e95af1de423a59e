/**
 * Import direction. Each layer names what it MAY import; everything else in the repository is forbidden to it.
 *
 * The review question is always "why did this list grow?". Keep the table equal to the one in the README.
 * `.scripts/check-layers.ts` runs it and refuses a run that did not see every source file: with a TypeScript that it
 * cannot load, dependency-cruiser reports no modules and success.
 */
const layers = [
  // layer, project folders it may import, npm packages it may import
  ["protocol", [], ["re2js"]],
  ["daemon/store", ["protocol"], []],
  ["daemon/watch", ["protocol", "daemon/store"], []],
  ["daemon/connection", ["protocol", "daemon/store", "daemon/watch"], []],
  ["daemon/dispatch", ["protocol", "daemon/store", "daemon/watch", "daemon/connection"], []],
  ["daemon/platform", [], []],
  ["daemon/journal", ["protocol", "daemon/store", "daemon/platform"], []],
  ["daemon/history/object", ["protocol", "daemon/store", "daemon/platform/crc32.ts"], []],
  ["daemon/history/repository", ["protocol", "daemon/store", "daemon/platform", "daemon/history/object"], []],
  [
    "daemon/history/recorder",
    [
      "protocol",
      "daemon/store",
      "daemon/platform",
      "daemon/journal",
      "daemon/history/object",
      "daemon/history/repository",
    ],
    [],
  ],
  [
    "daemon/history/query",
    ["protocol", "daemon/store", "daemon/platform", "daemon/history/object", "daemon/history/repository"],
    ["isomorphic-git"],
  ],
  ["daemon/trace", ["protocol", "daemon/connection", "daemon/dispatch", "daemon/platform"], []],
  [
    "daemon/server",
    ["protocol", "daemon/connection", "daemon/dispatch", "daemon/journal", "daemon/platform"],
    ["node-ipc"],
  ],
  [
    "daemon/http",
    ["protocol", "daemon/store", "daemon/platform", "daemon/history/query"],
    ["@fastify/rate-limit", "@fastify/static", "@fastify/swagger", "ajv", "fastify", "prom-client"],
  ],
  ["clients/xenstore", ["protocol"], []],
  // Of daemon/, only what reads a history, and the one file that serves a state of it to a command (`xs bisect --run`).
  [
    "clients/cli",
    ["protocol", "clients/xenstore", "daemon/history/query", "daemon/platform", "daemon/read-only-mount.ts"],
    ["commander"],
  ],
  // Of protocol/, types and constants: what runs there may need Node.
  ["clients/explorer", ["protocol"], ["@preact/signals", "preact", "uplot"]],
  [
    "simulator",
    [
      "protocol",
      "clients/xenstore",
      "daemon/daemon.ts",
      "daemon/memory-daemon.ts",
      "daemon/history-writer.ts",
      "daemon/platform",
    ],
    ["commander"],
  ],
  // The files that stand directly in daemon/ put the daemon together: the process entry, its options, the wiring.
  ["daemon/*.ts", ["protocol", "daemon"], ["commander"]],
];

/** Folders of the synchronous, pure core. */
const pure = ["protocol", "daemon/store", "daemon/watch", "daemon/connection", "daemon/dispatch"];

/** The pattern of the files that an entry of the table stands for: a folder with all below it, a file, or `folder/*.ts`. */
const inFolder = (entry) =>
  entry.endsWith(".ts") ? `^${entry.replace("*", "[^/]+").replaceAll(".ts", "\\.ts")}$` : `^${entry}/`;

module.exports = {
  forbidden: [
    {
      name: "no-circular",
      comment: "Two modules that import each other are one module, or share a third that is missing.",
      severity: "error",
      from: {},
      to: { circular: true },
    },
    {
      name: "no-orphans",
      comment: "A module that nothing imports and that imports nothing is dead.",
      severity: "error",
      from: { orphan: true, pathNot: ["\\.test\\.ts$", "(^|/)main\\.tsx?$", "\\.d\\.ts$"] },
      to: {},
    },
    { name: "not-resolvable", severity: "error", from: {}, to: { couldNotResolve: true } },
    { name: "nobody-imports-test", severity: "error", from: { pathNot: "^test/" }, to: { path: "^test/" } },
    {
      name: "only-tests-import-scripts",
      severity: "error",
      from: { pathNot: "^(test|\\.scripts)/" },
      to: { path: "^\\.scripts/" },
    },
    {
      name: "every folder has a row in the table",
      severity: "error",
      from: { path: "^(protocol|daemon|clients|simulator)/", pathNot: layers.map(([layer]) => inFolder(layer)) },
      to: {},
    },
    ...layers.map(([layer, may]) => ({
      name: `${layer} may import only [${[layer, ...may].join(", ")}]`,
      severity: "error",
      from: { path: inFolder(layer) },
      to: { path: "^(protocol|daemon|clients|simulator|test)/", pathNot: [layer, ...may].map(inFolder) },
    })),
    ...layers.map(([layer, , npm]) => ({
      name: `${layer} may import from npm only [${npm.join(", ")}]`,
      severity: "error",
      from: { path: inFolder(layer) },
      to: {
        path: "(^|/)node_modules/",
        pathNot: ["node_modules/@types/", ...npm.map((name) => `node_modules/${name}/`)],
      },
    })),
    {
      name: "the pure core has no effects",
      severity: "error",
      from: { path: `^(${pure.join("|")})/` },
      to: { dependencyTypes: ["core"], pathNot: "^(node:)?(buffer|assert)$" },
    },
    {
      name: "objects may hash and deflate, nothing else",
      severity: "error",
      from: { path: "^daemon/history/object/" },
      to: { dependencyTypes: ["core"], pathNot: "^(node:)?(buffer|assert|crypto|zlib)$" },
    },
  ],
  options: {
    tsConfig: { fileName: "tsconfig.json" },
    tsPreCompilationDeps: true,
    doNotFollow: { path: "node_modules" },
    exclude: { path: "^dist/" },
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "require", "node", "default"] },
  },
};
