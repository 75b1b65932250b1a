/** What the address of a portfolio's page names beside the report. */

import { linkOf, links, nameOf } from "../router";

// `from` names the list that led here.
const NAMES = ["section", "find", "sort", "order", "compare", "from"] as const;
type Named = Record<(typeof NAMES)[number], string | null>;

export interface View extends Named {
  /** Return the address of the page with some of it changed. */
  link: (changes: Partial<Named>) => string;
}

/** Return the view of an address; earlier versions had a page of its own for the section "money". */
export function viewOf(runId: string, userId: string, query: URLSearchParams, part: string | undefined): View {
  const named = Object.fromEntries(NAMES.map((name) => [name, query.get(name)])) as Named;
  const section = named.section ?? (part === "money" ? part : null);
  return { ...named, section, link: (changes) => links.portfolio(runId, userId, { ...named, ...changes }) };
}

/** Return whether what led to a portfolio is the list of the people of the night, however filtered. */
export const isOfPeople = (from: string | null): from is string => from?.split("?")[0] === nameOf(links.people());

/** Return the labels and links of where the page was come to from: the people of the night, or the run. */
export function trailOf(runId: string, { from }: View): [string, string][] {
  if (isOfPeople(from)) {
    return [["Portfolios", linkOf(from)]];
  }
  return [
    ["Runs", links.runs()],
    ["Run", links.run(runId)],
    ["Portfolios", links.portfolios(runId)],
  ];
}
