/** Dividends and interest: of the last twelve months, and of the next. */

import type { Income, Report } from "../api/types";
import { money, monthName, percent } from "../format";
import { Card, Empty, Notice } from "../ui/parts";
import { absenceOf } from "../words/money";

const BASIS: Record<Income["basis"], string> = {
  transactions: "By the dividends and interest in the transactions, before taxes.",
  implied:
    "Estimated from prices, because the transactions have no dividends: what today's shares would have paid, before taxes.",
};

export function IncomeCard({ report }: { report: Report }) {
  const { income, currency } = report;
  if (!income) {
    const absence = absenceOf(report, "income");
    return (
      absence && (
        <Card title="Income">
          <Notice tone="neutral" title={absence.title}>
            {absence.todo}
          </Notice>
        </Card>
      )
    );
  }
  return (
    <Card title="Income" note={BASIS[income.basis]}>
      <dl class="risks in-columns">
        {figuresOf(income, currency).map(([label, value, meaning]) => (
          <div key={label}>
            <dt>{label}</dt>
            <dd>
              <strong>{value}</strong>
              <span>{meaning}</span>
            </dd>
          </div>
        ))}
      </dl>
      <div class="columns tables below">
        <Months income={income} currency={currency} />
        <Symbols income={income} currency={currency} />
      </div>
    </Card>
  );
}

const figuresOf = (income: Income, currency: string): [string, string, string][] => [
  ["Last twelve months", money(income.trailing_12m, currency), "All dividends and interest."],
  [
    "Next twelve months",
    money(income.next_12m, currency),
    "If each share pays as in the last twelve months, special distributions left out. No promise.",
  ],
  ["Yield on value", percent(income.yield_on_value), "The last twelve months as a share of today's value."],
  ["Yield on cost", percent(income.yield_on_cost), "The last twelve months as a share of what today's holdings cost."],
];

function Months({ income, currency }: { income: Income; currency: string }) {
  const largest = Math.max(...income.by_month.map(({ amount }) => Math.abs(amount)), 0.01);
  return (
    <table class="bars months">
      <caption>By month</caption>
      <thead class="hidden">
        <tr>
          <th scope="col">Month</th>
          <th scope="col">Chart</th>
          <th scope="col">Amount</th>
        </tr>
      </thead>
      <tbody>
        {income.by_month.map(({ month, amount }) => (
          <tr key={month}>
            <th scope="row">{monthName(month)}</th>
            <td class="bar-cell" aria-hidden="true">
              {amount !== 0 && (
                <span
                  class={`bar ${amount < 0 ? "loss" : "gain"}`}
                  style={{ width: `${(100 * Math.abs(amount)) / largest}%` }}
                />
              )}
            </td>
            <td class="number">{money(amount, currency)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Symbols({ income, currency }: { income: Income; currency: string }) {
  const ordered = [...income.by_symbol].sort((a, b) => b.amount - a.amount);
  if (!ordered.length) {
    return <Empty title="No income in the last twelve months" />;
  }
  return (
    <table class="table compact">
      <caption>By symbol</caption>
      <thead>
        <tr>
          <th scope="col">Symbol</th>
          <th scope="col" class="number">
            Amount
          </th>
          <th scope="col" class="number">
            On value
          </th>
          <th scope="col" class="number">
            On cost
          </th>
        </tr>
      </thead>
      <tbody>
        {ordered.map((own) => (
          <tr key={own.symbol ?? ""}>
            <th scope="row">{own.symbol ?? "Cash"}</th>
            <td class="number">{money(own.amount, currency)}</td>
            <td class="number">{percent(own.yield_on_value)}</td>
            <td class="number">{percent(own.yield_on_cost)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
