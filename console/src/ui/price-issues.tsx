/** What there is to say about prices, by symbol and beside their date. */

import type { SymbolIssue } from "../api/runs-types";
import { counted, date } from "../format";

/** The newest date of prices, and whether it is long ago. */
export function AsOf({ day, issues }: { day: string | null; issues: SymbolIssue[] }) {
  const old = issues.find((issue) => issue.kind === "old_prices");
  return (
    <>
      {date(day)}
      {old && (
        <span class="tag" title={old.text}>
          Old prices
        </span>
      )}
    </>
  );
}

// What an issue without a symbol is about, where it is not everything.
const OF_SOME: Record<string, string> = { assumed_currency: "Currency" };

export function PriceIssues({ issues, all = issues.length }: { issues: SymbolIssue[]; all?: number }) {
  if (!issues.length) {
    return null;
  }
  return (
    <>
      <h3 class="issues-head">{counted(all, "price warning")}</h3>
      <ul class="members symbols">
        {issues.map((issue) => (
          <li key={`${issue.symbol} ${issue.kind} ${issue.date}`}>
            <strong>{issue.symbol ?? OF_SOME[issue.kind] ?? "All symbols"}</strong>
            <span>{issue.text}</span>
          </li>
        ))}
      </ul>
      {all > issues.length && <p class="note">Showing the first {issues.length}.</p>}
    </>
  );
}
