/** The search, the filters and, on a phone, the order of a list of portfolios. */

import type { ComponentChildren } from "preact";
import { Filter } from "../ui/list";
import { REPORT_STATUS, RULES } from "../words/reports";

const STATES = Object.entries(REPORT_STATUS).map(([status, { label }]): [string, string] => [status, label]);
const CHECKS = Object.entries(RULES).map(([name, { label }]): [string, string] => [name, label]);
const RESULTS: [string, string][] = [
  ["warning", "Warning"],
  ["breach", "Breach"],
  ["unknown", "Unknown"],
];
const VALUATIONS: [string, string][] = [
  ["true", "Complete"],
  ["false", "Incomplete"],
];

/** A column that the API sorts by, with the order of the first click. */
export interface SortColumn {
  name: string;
  label: string;
  first: "asc" | "desc";
}

/** What is chosen of a list. */
export interface Chosen {
  status: string | null;
  complete: string | null;
  rule: string | null;
  result: string | null;
  sort: string | null;
  order: string | null;
}

interface FiltersProps {
  chosen: Chosen;
  columns: SortColumn[];
  onChange: (chosen: Chosen) => void;
  /** The search. */
  children: ComponentChildren;
}

export function PortfolioFilters({ chosen, columns, onChange, children }: FiltersProps) {
  const change = (changes: Partial<Chosen>) => onChange({ ...chosen, ...changes });
  return (
    <search class="toolbar portfolio-filters">
      {children}
      <Filter label="Status" value={chosen.status} options={STATES} onChange={(status) => change({ status })} />
      <Filter
        label="Valuation"
        value={chosen.complete}
        options={VALUATIONS}
        onChange={(complete) => change({ complete })}
      />
      <Filter
        label="Check"
        value={chosen.rule}
        options={CHECKS}
        onChange={(rule) => change({ rule, result: rule ? chosen.result : null })}
      />
      <Filter
        label="Result"
        value={chosen.result}
        options={RESULTS}
        all="Warning or breach"
        disabled={!chosen.rule}
        onChange={(result) => change({ result })}
      />
      <Filter
        class="phone-only"
        label="Sort by"
        value={chosen.sort === "user_id" ? null : chosen.sort}
        all="User ID"
        options={columns.map(({ name, label }) => [name, label])}
        onChange={(sort) => change({ sort, order: columns.find(({ name }) => name === sort)?.first ?? null })}
      />
    </search>
  );
}
