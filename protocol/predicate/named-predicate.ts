/**
 * Predicates as people give them: as an expression, or by the name of the fault that one tells.
 *
 * Owns how the two are told apart, which is easy, since no expression is a single word; that `$D` stands for the domain that
 * somebody asks about; and what is said when there is no such fault or no domain.
 */
import { bytesFromText } from "../bytes.js";
import type { Domid } from "../identifiers.js";
import { FAULT_NAMES, FAULTS, type FaultName } from "./faults.js";
import { nearestWord } from "./nearest-word.js";
import { parsePredicate } from "./parse-predicate.js";
import { PredicateError, renderPredicateError } from "./predicate-error.js";
import type { Predicate } from "./predicate.js";
import { showWord } from "./scanner.js";

/** What somebody gave is no predicate. The message is for people, may have several lines, and says what would be right. */
export class NamedPredicateError extends Error {
  override readonly name = "NamedPredicateError";
}

/** A predicate that somebody gave. */
export interface NamedPredicate {
  readonly predicate: Predicate;
  /** The fault whose name was given; undefined for an expression. */
  readonly fault: FaultName | undefined;
}

/** A single word: a test has a path, which has a slash. */
const NAME = /^[^\s/"()$]+$/;
const DOMAIN_VARIABLE = /\$D(?![A-Z0-9_])/;

/**
 * Reads an expression or a fault's name.
 *
 * @param domain - what `$D` stands for; undefined where nobody said
 * @throws NamedPredicateError
 */
export function parseNamedPredicate(given: string, domain: Domid | undefined): NamedPredicate {
  const word = given.trim();
  const fault = NAME.test(word) ? mustFindFault(word) : undefined;
  const text = fault === undefined ? given : FAULTS[fault].predicate;
  const bindings = new Map(domain === undefined ? [] : [["D", bytesFromText(String(domain))]]);
  try {
    return { predicate: parsePredicate(text, bindings), fault };
  } catch (error) {
    if (!(error instanceof PredicateError)) throw error;
    if (domain === undefined && DOMAIN_VARIABLE.test(text)) {
      throw new NamedPredicateError(`${fault ?? "the predicate"} is about one domain, $D: say which with --domain`);
    }
    throw new NamedPredicateError(renderPredicateError(text, error));
  }
}

function mustFindFault(word: string): FaultName {
  const found = FAULT_NAMES.find((name) => name === word);
  if (found !== undefined) return found;
  const near = nearestWord(word, FAULT_NAMES);
  const hint = near === undefined ? `there are ${FAULT_NAMES.join(", ")}` : `did you mean ${near}?`;
  throw new NamedPredicateError(
    `${showWord(word)} is no fault's name and no expression such as 'exists /local/domain/5': ${hint}`,
  );
}
