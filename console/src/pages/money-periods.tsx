/** The seven periods as a statement, and the contribution of each holding. */

import { useState } from "preact/hooks";
import type { Contribution, PeriodName, Report, ReturnPeriod, Returns } from "../api/types";
import { count, date, money, NONE, percent, signedPercent } from "../format";
import { Card, Empty, Scrollable } from "../ui/parts";
import { isYearly, missingFigures, PERIODS } from "../words/money";

interface Cell {
  text: string;
  sub?: string;
}

interface Line {
  label: string;
  hint: string;
  cell: (period: ReturnPeriod) => Cell;
  strong?: boolean;
}

const A_YEAR = "a year";
// Less is rounding.
const NEGLIGIBLE = 0.005;

/** Return the lines of the statement under their headings. */
function statementOf(returns: Returns, currency: string): [string, Line[]][] {
  const isAccount = returns.basis === "account";
  const amount = (value: number | null): Cell => ({ text: money(value, currency) });
  const change = (value: number | null): Cell => ({ text: money(value, currency, "exceptZero") });
  const cost = (value: number | null): Cell => change(value === null ? null : 0 - value);
  const residual = returns.periods.some((period) => Math.abs(period.residual ?? 0) >= NEGLIGIBLE);
  return [
    [
      "Return",
      [
        {
          label: "Time-weighted",
          hint: "What each invested unit of money grew by. Payments play no part: compare it with a fund or an index.",
          cell: ({ twr, twr_annualized }) => ({
            text: percent(twr),
            // Of a single year, both are the same.
            ...(twr_annualized === null || percent(twr_annualized) === percent(twr)
              ? {}
              : { sub: `${percent(twr_annualized)} ${A_YEAR}` }),
          }),
        },
        {
          label: "Money-weighted",
          hint: "The interest of a savings account with the same payments and result. When money was paid in counts.",
          cell: (period) => ({
            text: percent(period.mwr),
            ...(period.mwr !== null && isYearly(period) ? { sub: A_YEAR } : {}),
          }),
        },
        {
          label: "Modified Dietz",
          hint: "The gain as a share of the money that was invested on average.",
          cell: ({ dietz }) => ({ text: percent(dietz) }),
        },
      ],
    ],
    [
      "From start to end",
      [
        {
          label: "Value at the start",
          hint: isAccount ? "Securities and cash" : "Securities, without cash",
          cell: ({ start_value }) => amount(start_value),
          strong: true,
        },
        {
          label: isAccount ? "Paid in, less paid out" : "Bought, less sold",
          hint: isAccount ? "Deposits, withdrawals and transfers" : "With the dividends as money paid out",
          cell: ({ net_flows }) => change(net_flows),
        },
        { label: "Prices", hint: "Gains and losses of prices", cell: ({ price_gain }) => change(price_gain) },
        { label: "Income", hint: "Dividends and interest before taxes", cell: ({ income }) => change(income) },
        {
          label: "Currencies",
          hint: `What other currencies gained or lost against ${currency}`,
          cell: ({ fx_gain }) => change(fx_gain),
        },
        { label: "Fees", hint: "Paid to the broker", cell: ({ fees }) => cost(fees) },
        { label: "Taxes", hint: "Withheld or booked", cell: ({ taxes }) => cost(taxes) },
        ...(residual
          ? [
              {
                label: "Not explained",
                hint: "Amounts of transactions that differ from shares times price",
                cell: ({ residual: rest }: ReturnPeriod) => change(rest),
              },
            ]
          : []),
        {
          label: "Value at the end",
          hint: "The sum of the lines above",
          cell: ({ end_value }) => amount(end_value),
          strong: true,
        },
      ],
    ],
    [
      "Compared, and risk",
      [
        {
          label: "Same money in the benchmark",
          hint: "The value at the end if every payment had gone into the benchmark, and how far the own value is from it",
          cell: ({ benchmark_same_flows, end_value }) => ({
            text: money(benchmark_same_flows, currency),
            ...(benchmark_same_flows === null || end_value === null
              ? {}
              : { sub: money(end_value - benchmark_same_flows, currency, "exceptZero") }),
          }),
        },
        {
          label: "Largest drawdown",
          hint: "The deepest fall below an earlier best, time-weighted",
          cell: ({ max_drawdown }) => ({ text: percent(max_drawdown) }),
        },
        {
          label: "Volatility",
          hint: "How much the return moves in a year",
          cell: ({ annual_volatility }) => ({ text: percent(annual_volatility) }),
        },
      ],
    ],
  ];
}

export function PeriodsCard({ report, returns }: { report: Report; returns: Returns }) {
  const [chosen, setChosen] = useState<PeriodName>("since");
  const { periods } = returns;
  const missing = missingFigures(periods);
  // On a phone there is room for one period.
  const column = (period: ReturnPeriod) => (period.period === chosen ? "number" : "number optional");
  return (
    <Card
      title="By period"
      note={`From the day under each period to ${date(report.as_of)}, all amounts in ${report.currency}`}
    >
      <PeriodField
        class="phone-only"
        label="Period"
        periods={periods.map(({ period }) => period)}
        chosen={chosen}
        onChoose={setChosen}
      />
      <Scrollable label="By period">
        <table class="table compact statement">
          <caption class="hidden">Returns and their parts by period</caption>
          <thead>
            <tr>
              <th scope="col">Figure</th>
              {periods.map((period) => (
                <th key={period.period} scope="col" class={column(period)}>
                  {PERIODS[period.period]}
                  <span class="sub">{period.start === null ? NONE : date(period.start)}</span>
                </th>
              ))}
            </tr>
          </thead>
          {statementOf(returns, report.currency).map(([heading, lines]) => (
            <tbody key={heading}>
              <tr>
                <th scope="rowgroup" colSpan={periods.length + 1} class="group-name">
                  {heading}
                </th>
              </tr>
              {lines.map(({ label, hint, cell, strong }) => (
                <tr key={label} class={strong ? "strong" : undefined}>
                  <th scope="row">
                    {label}
                    <span class="sub">{hint}</span>
                  </th>
                  {periods.map((period) => {
                    const { text, sub } = cell(period);
                    return (
                      <td key={period.period} class={column(period)}>
                        {text}
                        {sub && <span class="sub">{sub}</span>}
                      </td>
                    );
                  })}
                </tr>
              ))}
            </tbody>
          ))}
        </table>
      </Scrollable>
      {missing.length > 0 && (
        <ul class="plain-list">
          {missing.map(([names, reason]) => (
            <li key={names}>
              <strong>{names}:</strong> {reason}
            </li>
          ))}
        </ul>
      )}
    </Card>
  );
}

interface PeriodFieldProps {
  label: string;
  periods: PeriodName[];
  chosen: PeriodName;
  onChoose: (period: PeriodName) => void;
  class?: string;
}

function PeriodField({ label, periods, chosen, onChoose, ...props }: PeriodFieldProps) {
  return (
    <label class={`field ${props.class ?? ""}`}>
      <span>{label}</span>
      <select value={chosen} onChange={(event) => onChoose(event.currentTarget.value as PeriodName)}>
        {periods.map((period) => (
          <option key={period} value={period}>
            {PERIODS[period]}
          </option>
        ))}
      </select>
    </label>
  );
}

const OF_CONTRIBUTIONS: PeriodName[] = ["ytd", "1y", "since"];
const MOST_SHOWN = 12;

export function Contributions({ report, returns }: { report: Report; returns: Returns }) {
  const [chosen, setChosen] = useState<PeriodName>("since");
  const rows = returns.contributions
    .filter(({ period }) => period === chosen)
    .sort((a, b) => Math.abs(b.gain) - Math.abs(a.gain));
  const largest = Math.max(...rows.map(({ gain }) => Math.abs(gain)), NEGLIGIBLE);
  return (
    <Card
      title="What brought the gain"
      note="Gain or loss of everything held in the period, sold or not: prices, income and currencies, less fees and taxes. Contribution is the gain as a share of the money that was invested on average."
      action={<PeriodField label="Period" periods={OF_CONTRIBUTIONS} chosen={chosen} onChoose={setChosen} />}
    >
      {rows.length === 0 && <Empty title="Nothing known for this period">The transactions begin later.</Empty>}
      {rows.length > 0 && (
        <ContributionsTable
          rows={rows.slice(0, MOST_SHOWN)}
          largest={largest}
          currency={report.currency}
          caption="Contributions, the largest first"
        />
      )}
      {rows.length > MOST_SHOWN && (
        <details>
          <summary>{count(rows.length - MOST_SHOWN)} smaller ones</summary>
          <ContributionsTable
            rows={rows.slice(MOST_SHOWN)}
            largest={largest}
            currency={report.currency}
            caption="Smaller contributions"
          />
        </details>
      )}
    </Card>
  );
}

function ContributionsTable(props: { rows: Contribution[]; largest: number; currency: string; caption: string }) {
  return (
    <table class="table compact contributions">
      <caption class="hidden">{props.caption}</caption>
      <thead>
        <tr>
          <th scope="col">Symbol</th>
          <th scope="col" class="optional">
            <span class="hidden">Chart</span>
          </th>
          <th scope="col" class="number">
            Gain
          </th>
          <th scope="col" class="number optional">
            Share of gain
          </th>
          <th scope="col" class="number">
            Contribution
          </th>
        </tr>
      </thead>
      <tbody>
        {props.rows.map(({ symbol, gain, share, contribution }) => (
          <tr key={symbol ?? ""}>
            <th scope="row">{symbol ?? "Cash"}</th>
            <td class="optional pair" aria-hidden="true">
              <span
                class={`bar ${gain < 0 ? "loss" : "gain"}`}
                style={{ width: `${(100 * Math.abs(gain)) / props.largest}%` }}
              />
            </td>
            <td class="number">{money(gain, props.currency, "exceptZero")}</td>
            <td class="number optional">{percent(share, 0)}</td>
            <td class="number">{signedPercent(contribution)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
