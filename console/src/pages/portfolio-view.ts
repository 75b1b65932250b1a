/** What the address of a portfolio's page names beside the report. */

import { links } from "../router";

const NAMES = ["section", "find", "sort", "order", "compare"] as const;
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
