/** What there is to say about prices, by symbol. */

import type { SymbolIssue } from "../api/types";
import { counted } from "../format";

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
            <strong>{issue.symbol ?? "All symbols"}</strong>
            <span>{issue.text}</span>
          </li>
        ))}
      </ul>
      {all > issues.length && <p class="note">Showing the first {issues.length}.</p>}
    </>
  );
}
