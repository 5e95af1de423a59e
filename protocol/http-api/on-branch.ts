/**
 * Which branch a question is about.
 */

/** A member of every question about the history. */
export interface OnBranch {
  /**
   * The branch at hand: HEAD, named or not, is its newest commit, and `@{1234}` and `@{5 minutes ago}` are commits of it. Main
   * unless given.
   */
  readonly branch?: string | undefined;
}
