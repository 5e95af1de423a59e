/**
 * Makes `daemon/http/answer-schemas.ts` out of the types of `protocol/http-api/` (`npm run schemas`), or looks whether it is what
 * would be made (`--check`, which `npm run check` does).
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { format, resolveConfig } from "prettier";
import { createGenerator } from "ts-json-schema-generator";

const project = resolve(import.meta.dirname, "..");
const output = join(project, "daemon/http/answer-schemas.ts");
const types = join(project, "protocol/http-api");

/** The answers; what they consist of comes with them. */
const ANSWERS = [
  ...[
    "LogPage",
    "CommitJson",
    "BlameAnswer",
    "RefsJson",
    "DiffPage",
    "TreePage",
    "ChildrenPage",
    "NodeAnswer",
    "BisectAnswer",
    "DensityAnswer",
    "ActivityPage",
  ],
  ...["ChangesAnswer", "LoadAnswer", "RefJson", "FailuresAnswer", "WhyAnswer", "WhyNotAnswer"],
  ...["ForksAnswer", "ForkJson", "MergeAnswer", "WriteAnswer"],
  ...[
    "ConnectionsPage",
    "TransactionsPage",
    "DomainsPage",
    "QuotasAnswer",
    "CommitEvent",
    "TracePage",
    "ConsoleAnswer",
  ],
  ...["Problem"],
];

const REFERENCE = "#/definitions/";

/** The schemas by name; references are as Fastify has them. */
function makeSchemas(): Record<string, unknown> {
  const generator = createGenerator({
    path: join(types, "*.ts"),
    tsconfig: join(project, "tsconfig.json"),
    skipTypeCheck: true,
    additionalProperties: true,
    encodeRefs: false,
  });
  const schemas: Record<string, unknown> = {};
  for (const answer of ANSWERS) Object.assign(schemas, generator.createSchema(answer).definitions);
  const names = Object.keys(schemas).sort();
  return Object.fromEntries(names.map((name) => [name, withReferences(schemas[name])]));
}

function withReferences(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withReferences);
  if (typeof schema !== "object" || schema === null) return schema;
  return Object.fromEntries(
    Object.entries(schema).map(([key, value]) =>
      key === "$ref" && typeof value === "string"
        ? [key, `${value.slice(REFERENCE.length)}#`]
        : [key, withReferences(value)],
    ),
  );
}

async function main(): Promise<void> {
  const text = `/**
 * The answers of the HTTP API as JSON schemas. Made by \`npm run schemas\` out of the types of \`protocol/http-api/\`.
 */

/** By the name of their type. */
export const ANSWER_SCHEMAS = ${JSON.stringify(makeSchemas())} as const;

/** Such a name. */
export type AnswerName = keyof typeof ANSWER_SCHEMAS;
`;
  const made = await format(text, { ...(await resolveConfig(output)), parser: "typescript" });
  if (!process.argv.includes("--check")) {
    writeFileSync(output, made);
    return;
  }
  const files = readdirSync(types).length;
  if (readFileSync(output, "utf8") === made) {
    console.log(`the schemas of the answers are those of the types in ${String(files)} files`);
    return;
  }
  console.error(`${output} is not what the types in protocol/http-api/ make: npm run schemas`);
  process.exitCode = 1;
}

await main();
