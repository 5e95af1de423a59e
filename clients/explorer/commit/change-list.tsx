/**
 * Changes as a difference that people can read.
 */
import type { JSX } from "preact";
import type { ChangeJson } from "../../../protocol/http-api/commit.js";
import { linkTo } from "../shell/navigation.js";
import { counted } from "../words/times.js";
import { tellChange, type ToldChange } from "./change-words.js";

const SIGNS: Readonly<Record<ToldChange["kind"], readonly [string, string]>> = {
  came: ["+", "came"],
  went: ["−", "went"],
  changed: ["~", "changed"],
};

interface ChangeListProps {
  readonly changes: readonly ChangeJson[];
  /** How many there are, where `changes` are not all. */
  readonly count?: number;
  /** So many are shown at most. */
  readonly most: number;
  /** Where the others are found. */
  readonly others?: string;
  /** The revision at which nodes are looked at. */
  readonly at: string;
}

/** The list, and how many it leaves out. */
export function ChangeList({ changes, count = changes.length, most, others, at }: ChangeListProps): JSX.Element {
  if (changes.length === 0) return <p class="muted">No node is another than it was before.</p>;
  return (
    <>
      <ul class="changes">
        {changes.slice(0, most).map((change) => {
          const told = tellChange(change);
          return <ChangeItem key={told.subject} told={told} at={at} />;
        })}
      </ul>
      {count > most && (
        <p class="muted">
          and {counted(count - most, "more change", "more changes")}
          {others === undefined ? "" : `: ${others}`}
        </p>
      )}
    </>
  );
}

function ChangeItem({ told, at }: { readonly told: ToldChange; readonly at: string }): JSX.Element {
  const { subject, path, kind, lines } = told;
  const [sign, word] = SIGNS[kind];
  return (
    <li class={`change change-${kind}`}>
      <div class="mono">
        <span class="sign" role="img" aria-label={word} title={word}>
          {sign}
        </span>{" "}
        {path === undefined || kind === "went" ? subject : <a href={linkTo("tree", { at, path })}>{subject}</a>}
      </div>
      {lines.map(({ sign: lineSign, text }) => (
        <pre key={`${lineSign}${text}`} class={lineSign === "+" ? "line-came" : "line-went"}>
          {lineSign} {text}
        </pre>
      ))}
    </li>
  );
}
