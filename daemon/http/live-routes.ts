/**
 * The routes that tell what goes on in the daemon at this moment.
 */
import type { FastifyInstance, FastifyPluginCallback, FastifySchema } from "fastify";
import {
  LIVE_PAGE_MAX,
  LIVE_ROUTES,
  type ConnectionsPage,
  type DomainsPage,
  type ListQuery,
  type QuotasAnswer,
  type QuotasQuery,
  type TransactionsPage,
} from "../../protocol/http-api/live.js";
import type { Domid } from "../../protocol/identifiers.js";
import { recordJson } from "../history/query/commit-json.js";
import { linkOf } from "./branch-link.js";
import type { ConsolePorts } from "./console-ports.js";
import type { LiveListName, LivePage } from "./messages.js";
import { told, type Told } from "./openapi.js";
import { DOMID, TEXT } from "./schemas.js";

const PAGE_QUERY = {
  type: "object",
  properties: {
    limit: { type: "integer", minimum: 1, maximum: LIVE_PAGE_MAX },
    cursor: { type: "integer", minimum: 0, maximum: Number.MAX_SAFE_INTEGER },
    branch: TEXT,
  },
  additionalProperties: false,
} as const;

/** The routes. */
export function liveRoutes(ports: ConsolePorts): FastifyPluginCallback {
  const pageOf = async <Name extends LiveListName>(list: Name, query: ListQuery): Promise<LivePage<Name>> => {
    const { limit = LIVE_PAGE_MAX, cursor: after = 0, branch } = query;
    return (await linkOf(ports, branch).ask("live", { list, after, limit })) as LivePage<Name>;
  };
  return (app, _options, done) => {
    addLists(app, pageOf);
    addQuotas(app, ports);
    done();
  };
}

function addLists(
  app: FastifyInstance,
  pageOf: <Name extends LiveListName>(list: Name, query: ListQuery) => Promise<LivePage<Name>>,
): void {
  const listed = (summary: string, answer: Told["answer"]): { readonly schema: FastifySchema } => ({
    schema: { ...told({ tag: "live", summary, answer }), querystring: PAGE_QUERY },
  });
  app.get<{ Querystring: ListQuery }>(
    LIVE_ROUTES.connections,
    listed("Clients that are connected", "ConnectionsPage"),
    async ({ query }): Promise<ConnectionsPage> => {
      const { items, next } = await pageOf("connections", query);
      return { connections: items, next };
    },
  );
  app.get<{ Querystring: ListQuery }>(
    LIVE_ROUTES.transactions,
    listed("Transactions that have not ended", "TransactionsPage"),
    async ({ query }): Promise<TransactionsPage> => {
      const { items, next } = await pageOf("transactions", query);
      return { transactions: items, next };
    },
  );
  const domainsListed = listed("Domains, with what they hold", "DomainsPage");
  app.get<{ Querystring: ListQuery }>(LIVE_ROUTES.domains, domainsListed, async ({ query }): Promise<DomainsPage> => {
    const { items, next } = await pageOf("domains", query);
    const domains = items.map(({ domid: domain, record, heldMicroseconds, ...rest }) => ({
      domain,
      ...recordJson(record),
      ...rest,
      heldSeconds: heldMicroseconds / 1e6,
    }));
    return { domains, next };
  });
}

function addQuotas(app: FastifyInstance, ports: ConsolePorts): void {
  const properties = { domain: DOMID, branch: TEXT };
  const querystring = { type: "object", properties, additionalProperties: false };
  app.get<{ Querystring: QuotasQuery }>(
    LIVE_ROUTES.quotas,
    { schema: { ...told({ tag: "live", summary: "Limits in force", answer: "QuotasAnswer" }), querystring } },
    async ({ query }): Promise<QuotasAnswer> => ({
      quotas: await linkOf(ports, query.branch).ask("quotas", query.domain as Domid | undefined),
    }),
  );
}
