/** The holdings, with the weight and the share of risk of each. */

import type { Holding, Report } from "../api/types";
import { exchangeRate, money, moneyWithCode, NONE, percent, quantity, ratio, signedPercent } from "../format";
import { Card, Scrollable } from "../ui/parts";
import { unpricedReason } from "../words/reports";

export function Holdings({ report }: { report: Report }) {
  const ordered = [...report.holdings].sort((a, b) => Math.abs(b.weight ?? 0) - Math.abs(a.weight ?? 0));
  const largest = Math.max(
    ...ordered.flatMap((held) => [Math.abs(held.weight ?? 0), Math.abs(held.risk_contribution ?? 0)]),
    0.001,
  );
  return (
    <Card
      title="Holdings"
      note="Weight is the share of the value, risk the share of the backtest's volatility. If the risk bar is longer, the holding adds more risk than its size suggests."
    >
      <Scrollable label="Holdings">
        <table class="table holdings">
          <caption class="hidden">Holdings, the largest first</caption>
          <thead>
            <tr>
              <th scope="col">Symbol</th>
              <th scope="col" class="number">
                Value
              </th>
              <th scope="col" class="number">
                <span class="swatch weight" />
                Weight
              </th>
              <th scope="col" class="number">
                <span class="swatch risk" />
                Risk
              </th>
              <th scope="col" class="optional">
                <span class="hidden">Weight and risk</span>
              </th>
              <th scope="col" class="number optional">
                Gain
              </th>
              <th scope="col" class="number optional">
                1 year
              </th>
              <th scope="col" class="number optional">
                Beta
              </th>
              <th scope="col" class="number optional" title="Research score from -1 to 1">
                Score
              </th>
            </tr>
          </thead>
          <tbody>
            {ordered.map((held) => (
              <Row key={held.symbol} held={held} largest={largest} currency={report.currency} />
            ))}
          </tbody>
        </table>
      </Scrollable>
    </Card>
  );
}

function Row({ held, largest, currency }: { held: Holding; largest: number; currency: string }) {
  const width = (share: number) => ({ width: `${(100 * Math.abs(share)) / largest}%` });
  const gain = held.unrealized_pl_pct === null ? null : held.unrealized_pl_pct / 100;
  return (
    <tr>
      <th scope="row">
        {held.symbol}
        <span class="sub">
          {held.reason
            ? [held.quantity === null ? "" : quantity(held.quantity), unpriced(held, currency)]
                .filter(Boolean)
                .join(", ")
            : `${quantity(held.quantity)} at ${priceOf(held, currency)}`}
        </span>
        <Local held={held} currency={currency} />
      </th>
      <td class="number">{money(held.market_value, currency)}</td>
      <td class="number">{percent(held.weight)}</td>
      <td class="number">{percent(held.risk_contribution)}</td>
      <td class="optional pair" aria-hidden="true">
        {held.weight !== null && <span class="bar weight" style={width(held.weight)} />}
        {held.risk_contribution !== null && <span class="bar risk" style={width(held.risk_contribution)} />}
      </td>
      <td class="number optional">{signedPercent(gain)}</td>
      <td class="number optional">{signedPercent(held.return_252d)}</td>
      <td class="number optional">{ratio(held.beta)}</td>
      <td class="number optional">{held.research ? ratio(held.research.score) : NONE}</td>
    </tr>
  );
}

const priceOf = (held: Holding, currency: string): string =>
  held.currency !== undefined && held.currency !== currency
    ? moneyWithCode(held.price, held.currency)
    : money(held.price, currency);

function unpriced(held: Holding, currency: string): string {
  const reason = unpricedReason(held.reason);
  return held.reason === "missing_fx_rate"
    ? `${reason} from ${held.currency ?? "its currency"} to ${currency}`
    : reason;
}

/** The value of a holding in its own currency, on demand. */
function Local({ held, currency }: { held: Holding; currency: string }) {
  if (held.currency === undefined || held.currency === currency || typeof held.fx_rate !== "number") {
    return null;
  }
  return (
    <details class="local">
      <summary>In {held.currency}</summary>
      <span class="sub">
        Worth {moneyWithCode(held.market_value_local, held.currency)}.{" "}
        {exchangeRate(held.fx_rate, held.currency, currency)}.
      </span>
    </details>
  );
}
