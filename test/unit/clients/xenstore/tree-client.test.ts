import { describe, expect, test } from "vitest";
import type { Domid } from "../../../../protocol/identifiers.js";
import type { OperationName } from "../../../../protocol/operation.js";
import { READ, WRITE } from "../../../../protocol/perms.js";
import { ProtocolError, XenstoreError } from "../../../../clients/xenstore/errors.js";
import { TreeClient } from "../../../../clients/xenstore/tree-client.js";

/** A client whose requests get these replies, in order; an error name is thrown. */
function clientWith(replies: readonly (string | Error)[]): { client: TreeClient; asked: string[] } {
  const asked: string[] = [];
  const left = [...replies];
  const client = new TreeClient(async (operation, request) => {
    asked.push(`${operation} ${JSON.stringify(request)}`);
    const reply = left.shift();
    if (reply === undefined) throw new Error(`no reply left for ${operation}`);
    if (typeof reply !== "string") throw reply;
    return reply;
  });
  return { client, asked };
}

const refused = (operation: OperationName, code: string): XenstoreError =>
  new XenstoreError({ operation, subject: "/a", code });

describe("TreeClient", () => {
  test("read returns bytes, readText UTF-8", async () => {
    const { client } = clientWith(["\xc5\xbc\0", "\xc5\xbc"]);
    expect(await client.read("/a")).toBe("\xc5\xbc\0");
    expect(await client.readText("/a")).toBe("ż");
  });

  test("write sends bytes, writeText UTF-8", async () => {
    const { client, asked } = clientWith(["OK\0", "OK\0"]);
    await client.write("/a", "\xff");
    await client.writeText("/a", "ż");
    expect(asked).toEqual(['WRITE {"path":"/a","value":"\xff"}', 'WRITE {"path":"/a","value":"\xc5\xbc"}']);
  });

  test("readIfPresent and exists turn ENOENT, and nothing else, into an answer", async () => {
    const { client } = clientWith([
      "",
      refused("READ", "ENOENT"),
      refused("READ", "ENOENT"),
      refused("READ", "EACCES"),
    ]);
    expect(await client.readIfPresent("/a")).toBe("");
    expect(await client.readIfPresent("/a")).toBeUndefined();
    expect(await client.exists("/a")).toBe(false);
    await expect(client.exists("/a")).rejects.toThrow("EACCES");
  });

  test("directory splits the names; none is an empty list", async () => {
    const { client } = clientWith(["", "a\0bc\0"]);
    expect(await client.directory("/a")).toEqual([]);
    expect(await client.directory("/a")).toEqual(["a", "bc"]);
  });

  test("directory reads a long list in parts, each from the byte where the last one ended", async () => {
    const { client, asked } = clientWith([refused("DIRECTORY", "E2BIG"), "7\0a\0bcd\0", "7\0ef\0", "7\0\0"]);
    expect(await client.directory("/a")).toEqual(["a", "bcd", "ef"]);
    expect(asked.slice(1)).toEqual(
      [0, 6, 9].map((offset) => `DIRECTORY_PART {"path":"/a","offset":${String(offset)}}`),
    );
  });

  test("directory starts again when the generation changes", async () => {
    const parts = ["7\0a\0b\0", "8\0c\0\0", "8\0b\0", "8\0c\0\0"];
    const { client, asked } = clientWith([refused("DIRECTORY", "E2BIG"), ...parts]);
    expect(await client.directory("/a")).toEqual(["b", "c"]);
    expect(asked[3]).toContain('"offset":0');
  });

  test("directory gives up on a list that always changes", async () => {
    let generation = 0;
    const client = new TreeClient(async (operation) => {
      if (operation === "DIRECTORY") throw refused("DIRECTORY", "E2BIG");
      return `${String(generation++)}\0a\0`;
    });
    await expect(client.directory("/a")).rejects.toThrow(
      "DIRECTORY_PART /a: the list of names kept changing while it was read, 100 times (EAGAIN)",
    );
  });

  test("directory does not ask for ever when a part brings nothing", async () => {
    const { client } = clientWith([refused("DIRECTORY", "E2BIG"), "7\0a\0", "7\0"]);
    await expect(client.directory("/a")).rejects.toBeInstanceOf(ProtocolError);
  });

  test("directory passes other errors on", async () => {
    const { client } = clientWith([refused("DIRECTORY", "ENOENT")]);
    await expect(client.directory("/a")).rejects.toThrow("does not exist");
  });

  test("getPerms parses the list", async () => {
    const { client } = clientWith(["n0\0b5\0"]);
    expect(await client.getPerms("/a")).toEqual([
      { access: 0, domid: 0 },
      { access: READ | WRITE, domid: 5 },
    ]);
  });

  test("getPerms refuses what is no list", async () => {
    const { client } = clientWith(["x\0"]);
    await expect(client.getPerms("/a")).rejects.toThrow("reply to GET_PERMS is malformed");
  });

  test("setPerms takes a list or its text", async () => {
    const { client, asked } = clientWith(["OK\0", "OK\0"]);
    await client.setPerms("/a", [{ access: READ, domid: 7 as Domid }]);
    await client.setPerms("/a", "n0 w5");
    expect(asked).toEqual([
      'SET_PERMS {"path":"/a","perms":[{"access":1,"domid":7}]}',
      'SET_PERMS {"path":"/a","perms":[{"access":0,"domid":0},{"access":2,"domid":5}]}',
    ]);
  });

  test.each(["", "x0", "n0,r5", "n0  r5", "n"])("setPerms says what is right instead of %j", async (text) => {
    const { client, asked } = clientWith([]);
    await expect(client.setPerms("/a", text)).rejects.toThrow("an entry is one of n, r, w, b and a domain id");
    expect(asked).toEqual([]);
  });

  test("mkdir and rm name their path", async () => {
    const { client, asked } = clientWith(["OK\0", "OK\0"]);
    await client.mkdir("/a");
    await client.rm("/a");
    expect(asked).toEqual(['MKDIR {"path":"/a"}', 'RM {"path":"/a"}']);
  });
});
