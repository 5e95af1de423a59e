import { describe, expect, test } from "vitest";
import { describeReport, isClean, type RunReport } from "../../../../simulator/storm/report.js";

const CLEAN: RunReport = {
  vms: 20,
  connected: 20,
  aliveMost: 12,
  failures: [],
  leaks: [],
  seconds: 4,
  boot: { median: 1234, p99: 2000, most: 2505 },
  end: { median: 50, p99: 60, most: 70 },
  slowest: { vm: "vm7", milliseconds: 2505 },
  traffic: { connections: 300, requests: 6000, transactions: 401, errors: 90, conflicts: 3, events: 2002 },
  commits: 1000,
  troubles: [],
  wireFaults: [],
};
const FAILURE = { vm: "vm3", phase: "vbd", reason: "no disk" } as const;

describe("isClean", () => {
  test("is false for a failure, a leak, and an error that nobody expects, and for nothing else", () => {
    expect(isClean(CLEAN)).toBe(true);
    expect(isClean({ ...CLEAN, wireFaults: [{ name: "client-dies", connections: 1, bytes: 2 }] })).toBe(true);
    expect(isClean({ ...CLEAN, failures: [FAILURE] })).toBe(false);
    expect(isClean({ ...CLEAN, leaks: ["/vm is left"] })).toBe(false);
    expect(isClean({ ...CLEAN, troubles: ["agent: gone"] })).toBe(false);
  });
});

describe("describeReport", () => {
  test("tells all figures of a clean run, rates beside counts", () => {
    expect(describeReport(CLEAN)).toBe(
      `20 of 20 machines were connected, at most 12 at once, in 4.0 s
boot: median 1.23 s, 99% within 2.00 s, at most 2.50 s
shutdown and destruction: median 0.05 s, 99% within 0.06 s, at most 0.07 s
requests 6000 (1500/s), transactions 401 (100/s), EAGAIN 3, watch events 2002 (501/s), connections 300
commits 1000 (250/s)
slowest boot: vm7, 2.50 s
the store is as it was before the first machine
`,
    );
  });

  test("leaves out what the daemon does not tell, and says none where nothing came so far", () => {
    const text = describeReport({
      ...CLEAN,
      connected: 0,
      boot: undefined,
      end: undefined,
      slowest: undefined,
      commits: undefined,
    });
    expect(text).toContain("0 of 20 machines were connected");
    expect(text).toContain("\nboot: none\nshutdown and destruction: none\n");
    expect(text).not.toMatch(/commits|slowest/);
  });

  test("tells rates of a run that took no time without dividing by it", () => {
    const traffic = { ...CLEAN.traffic, requests: 0 };
    expect(describeReport({ ...CLEAN, traffic, seconds: 0 })).not.toMatch(/NaN|Infinity/);
  });

  test("tells of each failure, error and leak, and of the bad clients", () => {
    const text = describeReport({
      ...CLEAN,
      failures: [FAILURE],
      troubles: ["agent: gone"],
      leaks: ["/vm is left", "/libxl is left"],
      wireFaults: [{ name: "client-dies", connections: 17, bytes: 4096 }],
    });
    expect(text.slice(text.indexOf("meanwhile"))).toBe(`meanwhile client-dies: 17 connections, 4096 bytes sent
vm3 failed in phase vbd: no disk
unexpected: agent: gone
the store differs from before the first machine in 2 nodes:
  /vm is left
  /libxl is left
`);
  });

  test("tells of ten of a kind one by one, and of the rest as a number", () => {
    const leaksOf = (count: number): string => {
      const leaks = Array.from({ length: count }, (_, index) => `/leak${String(index + 1)}`);
      return describeReport({ ...CLEAN, leaks });
    };
    expect(leaksOf(10)).toMatch(/in 10 nodes:\n(?: {2}\/leak\d+\n){10}$/);
    expect(leaksOf(11)).toMatch(/in 11 nodes:\n(?: {2}\/leak\d+\n){10}… 1 more nodes\n$/);
    const failures = Array.from({ length: 25 }, () => FAILURE);
    expect(describeReport({ ...CLEAN, failures })).toContain("no disk\n… 15 more machines failed\n");
  });
});
