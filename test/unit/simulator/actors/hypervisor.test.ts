/** What the hypervisor tells a xenstored, one that has CONTROL `domain` and one that has not. */
import { describe, expect, test } from "vitest";
import { ConnectionLostError, XenstoreError } from "../../../../clients/xenstore/errors.js";
import type { ErrorName } from "../../../../protocol/errno.js";
import type { Domid } from "../../../../protocol/identifiers.js";
import { Hypervisor } from "../../../../simulator/actors/hypervisor.js";
import type { StoreAccess } from "../../../../simulator/actors/store-access.js";

/** A store that answers as told, and a list of what it was asked. */
function storeThat(answers: { readonly control?: ErrorName | "lost"; readonly release?: ErrorName }) {
  const asked: string[] = [];
  const answer = (operation: "CONTROL" | "RELEASE", subject: string, code: ErrorName | "lost" | undefined) => {
    asked.push(`${operation} ${subject}`);
    if (code === "lost") throw new ConnectionLostError("the connection was lost");
    if (code !== undefined) throw new XenstoreError({ operation, subject, code });
    return Promise.resolve("OK");
  };
  const store: Pick<StoreAccess, "control" | "release" | "close"> = {
    control: async (...words) => answer("CONTROL", words.join(" "), answers.control),
    release: async (domid) => {
      await answer("RELEASE", String(domid), answers.release);
    },
    close: () => undefined,
  };
  return { hypervisor: new Hypervisor(store as StoreAccess), asked };
}

/** A guest that tells when it is halted. */
function newGuest() {
  const guest = {
    halts: 0,
    halt: () => {
      guest.halts++;
    },
  };
  return guest;
}

describe("Hypervisor", () => {
  test("tells a daemon that has CONTROL domain of each shutdown once, and of the end", async () => {
    const { hypervisor, asked } = storeThat({});
    const guest = newGuest();
    const domid = hypervisor.createDomain(() => guest);
    hypervisor.unpause(domid);
    expect([hypervisor.listDomains(), hypervisor.isShutDown(domid)]).toEqual([[0, 1], false]);
    await hypervisor.shutDown(domid);
    await hypervisor.shutDown(domid);
    expect(hypervisor.isShutDown(domid)).toBe(true);
    await hypervisor.destroy(domid);
    await hypervisor.destroy(domid);
    expect(asked).toEqual(["CONTROL domain shutdown 1", "CONTROL domain destroy 1"]);
    expect([hypervisor.listDomains(), guest.halts]).toEqual([[0], 1]);
  });

  test("tells one that has not RELEASE when the domain is destroyed, and asks for the other no more", async () => {
    const { hypervisor, asked } = storeThat({ control: "EINVAL" });
    const domids = [1, 2].map(() => hypervisor.createDomain(newGuest));
    for (const domid of domids) {
      await hypervisor.shutDown(domid);
      await hypervisor.destroy(domid);
    }
    expect(asked).toEqual(["CONTROL domain shutdown 1", "RELEASE 1", "RELEASE 2"]);
  });

  test.each(["ENOENT", "EINVAL"] as const)(
    "takes %s for RELEASE of a domain that was never introduced",
    async (code) => {
      const { hypervisor, asked } = storeThat({ control: "ENOSYS", release: code });
      await hypervisor.destroy(hypervisor.createDomain(newGuest));
      expect(asked).toEqual(["CONTROL domain destroy 1", "RELEASE 1"]);
    },
  );

  test("takes a domain that the daemon does not know for destroyed, without RELEASE", async () => {
    const { hypervisor, asked } = storeThat({ control: "ENOENT" });
    await hypervisor.destroy(hypervisor.createDomain(newGuest));
    expect(asked).toEqual(["CONTROL domain destroy 1"]);
  });

  test("passes on a lost connection, and any other answer to RELEASE", async () => {
    const lost = storeThat({ control: "lost" }).hypervisor;
    await expect(lost.destroy(lost.createDomain(newGuest))).rejects.toThrow(ConnectionLostError);
    const refused = storeThat({ control: "EINVAL", release: "EACCES" }).hypervisor;
    await expect(refused.destroy(refused.createDomain(newGuest))).rejects.toThrow("EACCES");
  });

  test("gives the next domain id that is free, and none that is reserved", async () => {
    const { hypervisor } = storeThat({});
    const first = hypervisor.createDomain(newGuest);
    await hypervisor.destroy(first);
    const others = Array.from({ length: 0x7ff0 - 2 }, () => hypervisor.createDomain(newGuest));
    expect([first, others[0], others.at(-1)]).toEqual([1, 2, 0x7fef]);
    expect(hypervisor.createDomain(newGuest)).toBe(1);
    expect(() => hypervisor.createDomain(newGuest)).toThrow(`all ${String(0x7fef)} domain ids are in use`);
    expect(() => {
      hypervisor.unpause(0x7ff0 as Domid);
    }).toThrow("there is no domain 32752");
  });
});
