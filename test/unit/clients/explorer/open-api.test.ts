/** What is shown of an OpenAPI document. */
import { describe, expect, it } from "vitest";
import { nameOf, routesOf, typeOf } from "../../../../clients/explorer/description/open-api.js";

describe("a description", () => {
  it("lists the routes with what they are asked and answer", () => {
    const routes = routesOf({
      info: { title: "t", version: "1" },
      paths: {
        "/v1/node": {
          get: {
            summary: "One node",
            tags: ["history"],
            parameters: [{ name: "path", in: "query", required: true, schema: { type: "string" } }],
            responses: {
              "200": { content: { "application/json": { schema: { $ref: "#/components/schemas/NodeAnswer" } } } },
              "4xx": {},
            },
          },
        },
        "/v1/revert": { post: { requestBody: { content: { "application/json": { schema: { type: "object" } } } } } },
      },
    });
    expect(routes).toEqual([
      {
        method: "GET",
        path: "/v1/node",
        summary: "One node",
        tag: "history",
        parameters: [{ name: "path", isRequired: true, type: "string" }],
        body: undefined,
        answer: { $ref: "#/components/schemas/NodeAnswer" },
      },
      {
        method: "POST",
        path: "/v1/revert",
        summary: "",
        tag: "",
        parameters: [],
        body: { type: "object" },
        answer: undefined,
      },
    ]);
  });

  it.each([
    [{ $ref: "#/components/schemas/CommitJson" }, "CommitJson"],
    [{ type: "array", items: { $ref: "#/components/schemas/CommitJson" } }, "CommitJson[]"],
    [{ type: "array", items: { anyOf: [{ type: "string" }, { const: 1 }] } }, "(string | 1)[]"],
    [{ enum: ["ours", "theirs"] }, '"ours" | "theirs"'],
    [{ type: ["string", "null"] }, "string | null"],
    [{ allOf: [{ type: "object" }, { $ref: "x/Y" }] }, "object & Y"],
    [{ properties: {} }, "object"],
    [{}, "anything"],
  ])("tells the type of %j", (schema, words) => {
    expect(typeOf(schema)).toBe(words);
  });

  it("names what is referred to", () => {
    expect(nameOf("#/components/schemas/LogPage")).toBe("LogPage");
  });
});
