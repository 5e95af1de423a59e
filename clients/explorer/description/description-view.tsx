/**
 * The HTTP API, as its OpenAPI document describes it.
 */
import type { ComponentChildren, JSX } from "preact";
import { DESCRIPTION_ROUTE } from "../../../protocol/http-api/description.js";
import { get } from "../api/client.js";
import { useLatest } from "../api/use-latest.js";
import { Trouble } from "../shell/trouble.js";
import { routesOf, typeOf, type OpenApi, type Schema, type ToldRoute } from "./open-api.js";

/** The view. */
export function DescriptionView(): JSX.Element {
  const { answer, error } = useLatest("openapi", (ended) => get<OpenApi>(DESCRIPTION_ROUTE, {}, ended));
  return (
    <div class="scroll fill column description">
      <Trouble error={error} />
      {answer !== undefined && <Described document={answer} />}
    </div>
  );
}

function Described({
  document: { info, tags = [], components, ...rest },
}: {
  readonly document: OpenApi;
}): JSX.Element {
  const routes = routesOf({ info, ...rest });
  const groups = [...tags, { name: "", description: "Besides." }];
  return (
    <>
      <section class="panel">
        <h2>
          {info.title} {info.version}: the HTTP API
        </h2>
        <p>{info.description}</p>
        <p>
          The document itself is at <code>{DESCRIPTION_ROUTE}</code>; it wants the token too. <code>xs --json</code>{" "}
          prints the same answers.
        </p>
      </section>
      {groups.map(({ name, description }) => {
        const own = routes.filter(({ tag }) => tag === name);
        return (
          own.length > 0 && (
            <section key={name} class="panel">
              <h2>{name === "" ? "others" : name}</h2>
              <p class="muted">{description}</p>
              {own.map((route) => (
                <Route key={`${route.method} ${route.path}`} route={route} />
              ))}
            </section>
          )
        );
      })}
      <section class="panel">
        <h2>Types</h2>
        {Object.entries(components?.schemas ?? {}).map(([name, schema]) => (
          <Fold key={name} id={`type-${name}`} summary={<code>{name}</code>} tail={schema.description}>
            <Members schema={schema} />
          </Fold>
        ))}
      </section>
    </>
  );
}

function Route({ route }: { readonly route: ToldRoute }): JSX.Element {
  const { method, path, summary, parameters, body, answer } = route;
  return (
    <Fold summary={<code>{`${method} ${path}`}</code>} tail={summary}>
      {parameters.length > 0 && (
        <table>
          <thead>
            <tr>
              <th scope="col">Parameter</th>
              <th scope="col">Type</th>
            </tr>
          </thead>
          <tbody>
            {parameters.map(({ name, isRequired, type }) => (
              <tr key={name}>
                <td>
                  <code>{name}</code>
                  {isRequired ? " (needed)" : ""}
                </td>
                <td>
                  <code>{type}</code>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {body !== undefined && (
        <>
          <h3>Body</h3>
          <Members schema={body} />
        </>
      )}
      {answer !== undefined && (
        <p>
          Answers <code>{typeOf(answer)}</code>
        </p>
      )}
    </Fold>
  );
}

function Members({ schema }: { readonly schema: Schema }): JSX.Element {
  const { properties, required = [] } = schema;
  if (properties === undefined) return <code>{typeOf(schema)}</code>;
  return (
    <dl>
      {Object.entries(properties).map(([name, member]) => [
        <dt key={`${name} name`}>
          <code>{name + (required.includes(name) ? "" : "?")}</code>
        </dt>,
        <dd key={`${name} type`}>
          <code>{typeOf(member)}</code> {member.description}
        </dd>,
      ])}
    </dl>
  );
}

interface FoldProps {
  readonly id?: string;
  readonly summary: ComponentChildren;
  readonly tail: string | undefined;
  readonly children: ComponentChildren;
}

function Fold({ id, summary, tail, children }: FoldProps): JSX.Element {
  return (
    <details id={id}>
      <summary>
        {summary} <span class="muted">{tail}</span>
      </summary>
      <div class="folded">{children}</div>
    </details>
  );
}
