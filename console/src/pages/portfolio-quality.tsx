/** How good the data behind a report are. */

import type { DataQuality } from "../api/types";
import { percent } from "../format";
import { Card, Fact } from "../ui/parts";
import { PriceIssues } from "../ui/price-issues";

export function Quality({ quality }: { quality: DataQuality }) {
  const lists: [string, string[]][] = [
    ["No price", quality.missing_symbols],
    ["Stale price", quality.stale_symbols],
    ["Short price history", quality.short_history_symbols],
    ["Younger than the backtest", quality.young_symbols],
    ["Cost unknown", quality.unknown_cost_symbols],
    ["Unreadable", quality.invalid_holdings.map(({ symbol, reason }) => `${symbol}: ${reason}`)],
  ];
  const affected = lists.filter(([, names]) => names.length > 0);
  return (
    <Card title="Data quality">
      <p>
        {quality.coverage === null
          ? "The size of a holding without a price is unknown, so it is unknown for how much the figures stand."
          : `The figures based on returns stand for ${percent(quality.coverage)} of what is owned.`}
      </p>
      {affected.length > 0 && (
        <dl class="facts">
          {affected.map(([label, names]) => (
            <Fact key={label} label={label}>
              {names.join(", ")}
            </Fact>
          ))}
        </dl>
      )}
      <PriceIssues issues={quality.price_issues} />
      {quality.notes.length > 0 && (
        <ul class="plain-list">
          {quality.notes.map((note) => (
            <li key={note}>{note}</li>
          ))}
        </ul>
      )}
    </Card>
  );
}
