/** The currencies of everything owned, where there is more than one. */

import type { Report } from "../api/types";
import { currencyName, percent } from "../format";
import { Card } from "../ui/parts";

export function Currencies({ report }: { report: Report }) {
  const shares = report.currency_exposure ?? [];
  const [largest] = shares;
  if (!largest || shares.length < 2) {
    return null;
  }
  return (
    <Card
      title="Currencies"
      note={`Share of everything owned, cash included. What is not in ${report.currency} also gains and loses with its exchange rate.`}
    >
      <table class="bars">
        <caption class="hidden">Share of each currency</caption>
        <thead class="hidden">
          <tr>
            <th scope="col">Currency</th>
            <th scope="col">Chart</th>
            <th scope="col">Share</th>
          </tr>
        </thead>
        <tbody>
          {shares.map(({ currency, share }) => (
            <tr key={currency}>
              <th scope="row">
                {currency}
                <span class="sub">{currencyName(currency)}</span>
              </th>
              <td class="bar-cell" aria-hidden="true">
                <span class="bar" style={{ width: `${(100 * share) / largest.share}%` }} />
              </td>
              <td class="number">{percent(share)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Card>
  );
}
