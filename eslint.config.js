/**
 * Lint rules.
 *
 * Owns what a type checker and a formatter cannot see. The core folders run to completion and read no clock and no
 * randomness; see "One request's way" in the README.
 */
import tseslint from "typescript-eslint";

const core = ["protocol/**/*.ts", "daemon/{store,watch,connection,dispatch}/**/*.ts", "daemon/history/object/**/*.ts"];

const namedExportsOnly = { selector: "ExportDefaultDeclaration", message: "Named exports only." };

export default tseslint.config(
  { ignores: ["dist/", "**/build/", "coverage/", "**/*.js", "**/*.cjs", "**/*.mjs"] },
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      "@typescript-eslint/switch-exhaustiveness-check": ["error", { requireDefaultForNonUnion: true }],
      "@typescript-eslint/consistent-type-imports": "error",
      "max-lines-per-function": ["error", { max: 70, skipComments: true, skipBlankLines: true }],
      "no-restricted-syntax": ["error", namedExportsOnly],
    },
  },
  {
    files: core,
    rules: {
      "no-restricted-globals": [
        "error",
        "process",
        "console",
        "setTimeout",
        "setInterval",
        "setImmediate",
        "queueMicrotask",
        "fetch",
        "performance",
        "crypto",
      ],
      "no-restricted-properties": [
        "error",
        { object: "Date", property: "now" },
        { object: "Math", property: "random" },
        { object: "globalThis", property: "process" },
      ],
      "no-restricted-syntax": [
        "error",
        { selector: ":function[async=true]", message: "The core runs to completion; make the edge async." },
        { selector: "AwaitExpression", message: "The core runs to completion." },
        { selector: "NewExpression[callee.name='Promise']", message: "The core runs to completion." },
        { selector: "NewExpression[callee.name='Date'][arguments.length=0]", message: "Take a Clock." },
        namedExportsOnly,
      ],
    },
  },
  {
    // One `describe` holds many tests; a stub need not do anything; a model may have a `default`.
    files: ["test/**/*.ts"],
    rules: {
      "max-lines-per-function": "off",
      "@typescript-eslint/switch-exhaustiveness-check": ["error", { considerDefaultExhaustiveForUnions: true }],
      "@typescript-eslint/no-empty-function": "off",
      "@typescript-eslint/require-await": "off",
      "@typescript-eslint/no-confusing-void-expression": "off",
    },
  },
  {
    // A model may have a `default` here too.
    files: ["simulator/checker/model/*.ts"],
    rules: {
      "@typescript-eslint/switch-exhaustiveness-check": ["error", { considerDefaultExhaustiveForUnions: true }],
    },
  },
  {
    // The tool reads the default export.
    files: ["vitest.config.ts"],
    rules: { "no-restricted-syntax": "off" },
  },
);
