/** What does not fit together in the transactions of a user. */

import type { LedgerIssue } from "../api/types";
import { date } from "../format";
import { issueLabel } from "../words/money";

export function LedgerIssues({ issues }: { issues: LedgerIssue[] }) {
  return (
    <ul class="members">
      {issues.map((issue) => (
        <li key={`${issue.date} ${issue.kind} ${issue.text}`}>
          <strong>
            {issueLabel(issue.kind)}
            <span class="sub">{issue.date === null ? "No day" : date(issue.date)}</span>
          </strong>
          <span>{issue.text}</span>
        </li>
      ))}
    </ul>
  );
}
