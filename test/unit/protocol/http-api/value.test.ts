import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { permsJson, valueFromJson, valueJson } from "../../../../protocol/http-api/value.js";
import { parsePerms, type Perms } from "../../../../protocol/perms.js";
import { propertyParameters } from "../../../support/seed.js";

describe("valueJson", () => {
  test("is text where the bytes are UTF-8, else Base64", () => {
    expect(valueJson("plain")).toEqual({ value: "plain" });
    expect(valueJson("\xc5\xbc\0")).toEqual({ value: "ż\0" });
    expect(valueJson("\xff\0")).toEqual({ valueBase64: "/wA=" });
    expect(valueJson("\xef\xbf\xbd")).toEqual({ value: "\ufffd" });
  });

  test("valueFromJson gives the same bytes back, also after JSON", () => {
    const bytes = fc.array(fc.integer({ min: 0, max: 255 })).map((codes) => String.fromCharCode(...codes));
    fc.assert(
      fc.property(fc.oneof(bytes, fc.string({ unit: "grapheme-ascii" })), (value) => {
        expect(valueFromJson(JSON.parse(JSON.stringify(valueJson(value))) as never)).toBe(value);
      }),
      propertyParameters(200),
    );
  });
});

describe("permsJson", () => {
  test("lists the entries as on the wire", () => {
    expect(permsJson(parsePerms(["n0", "b5"]) as Perms)).toEqual(["n0", "b5"]);
  });
});
