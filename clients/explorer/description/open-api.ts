/**
 * The parts of an OpenAPI document that are shown, and how they are told.
 *
 * Owns the reading of the document; without a browser, so that it can be tested.
 */

/** A schema, as far as it is told. */
export interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
}

/** A document. */
export interface OpenApi {
  readonly info: { readonly title: string; readonly version: string; readonly description?: string };
  readonly tags?: readonly { readonly name: string; readonly description?: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, RouteDescription>>>>;
  readonly components?: { readonly schemas?: Readonly<Record<string, Schema>> };
}

interface RouteDescription {
  readonly summary?: string;
  readonly tags?: readonly string[];
  readonly parameters?: readonly {
    readonly name: string;
    readonly in: string;
    readonly required?: boolean;
    readonly schema?: Schema;
  }[];
  readonly requestBody?: { readonly content?: Readonly<Record<string, { readonly schema?: Schema }>> };
  readonly responses?: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { readonly schema?: Schema }>> }>
  >;
}

/** A route as it is told. */
export interface ToldRoute {
  readonly method: string;
  readonly path: string;
  readonly summary: string;
  readonly tag: string;
  readonly parameters: readonly { readonly name: string; readonly isRequired: boolean; readonly type: string }[];
  readonly body: Schema | undefined;
  readonly answer: Schema | undefined;
}

/** The routes, in the order of the document. */
export function routesOf({ paths }: OpenApi): readonly ToldRoute[] {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, route]): ToldRoute => {
      const { summary = "", tags = [], parameters = [], requestBody, responses = {} } = route;
      return {
        method: method.toUpperCase(),
        path,
        summary,
        tag: tags[0] ?? "",
        parameters: parameters.map(({ name, required = false, schema = {} }) => ({
          name,
          isRequired: required,
          type: typeOf(schema),
        })),
        body: firstSchema(requestBody?.content),
        answer: firstSchema(responses["200"]?.content),
      };
    }),
  );
}

/** A schema's type in a few words: `string`, `CommitJson[]`, `"ours" | "theirs"`. */
export function typeOf(schema: Schema): string {
  const { $ref, type, items, anyOf, oneOf, allOf } = schema;
  if ($ref !== undefined) return nameOf($ref);
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum !== undefined) return schema.enum.map((each) => JSON.stringify(each)).join(" | ");
  const several = anyOf ?? oneOf;
  if (several !== undefined) return several.map(typeOf).join(" | ");
  if (allOf !== undefined) return allOf.map(typeOf).join(" & ");
  if (items !== undefined) return `${bracketed(typeOf(items))}[]`;
  if (type === undefined) return schema.properties === undefined ? "anything" : "object";
  return typeof type === "string" ? type : type.join(" | ");
}

/** The name at the end of a reference. */
export function nameOf(reference: string): string {
  return reference.slice(reference.lastIndexOf("/") + 1);
}

function bracketed(type: string): string {
  return /[|&]/.test(type) ? `(${type})` : type;
}

function firstSchema(content: Readonly<Record<string, { readonly schema?: Schema }>> | undefined): Schema | undefined {
  return Object.values(content ?? {})[0]?.schema;
}
