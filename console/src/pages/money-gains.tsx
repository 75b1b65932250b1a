/** Realized gains of a year and the lots still held. */

import { useState } from "preact/hooks";
import { api, type GainsQuery } from "../api/client";
import type { Gains, GainTotal, RealizedLot, Report, Term, UnrealizedLot } from "../api/types";
import { count, counted, date, money, quantity } from "../format";
import { Download } from "../ui/download";
import { LedgerIssues } from "../ui/ledger-issues";
import { Card, Empty, Failure, Skeleton } from "../ui/parts";
import { useResource } from "../ui/resource";
import { METHODS, TERMS } from "../words/money";

const YEARS_BACK = 6;
const MOST_SHOWN = 50;
const HEIGHT = 320;

export function GainsCard({ report }: { report: Report }) {
  const [chosen, setChosen] = useState<GainsQuery>({ year: null, method: null });
  const key = `gains ${report.run_id} ${report.user_id} ${chosen.year} ${chosen.method}`;
  // Not kept: the answer is of the transactions as they are now.
  const { value, error, reload } = useResource(key, () => api.gains(report.run_id, report.user_id, chosen));
  return (
    <Card
      title="Lots and gains"
      note="A lot is what was bought together. A sale realizes the gain or loss of its lots. From the transactions as they are now; no tax advice."
    >
      <Choice report={report} chosen={chosen} shown={value} onChoose={setChosen} />
      {!value && error === null && <Skeleton height={HEIGHT} />}
      {error !== null && <Failure error={error} retry={reload} />}
      {value && <Lots gains={value} />}
    </Card>
  );
}

interface ChoiceProps {
  report: Report;
  chosen: GainsQuery;
  shown: Gains | null;
  onChoose: (query: GainsQuery) => void;
}

function Choice({ report, chosen, shown, onChoose }: ChoiceProps) {
  const year = chosen.year ?? shown?.year ?? null;
  const method = chosen.method ?? shown?.method ?? null;
  return (
    <div class="toolbar gains-choice">
      <label class="field">
        <span>Year of the sales</span>
        <select
          value={year === null ? "" : String(year)}
          onChange={(event) => onChoose({ ...chosen, year: Number(event.currentTarget.value) })}
        >
          {year === null && <option value="">…</option>}
          {yearsOf(report, year).map((one) => (
            <option key={one} value={String(one)}>
              {one}
            </option>
          ))}
        </select>
      </label>
      <label class="field">
        <span>Which shares a sale takes</span>
        <select value={method ?? ""} onChange={(event) => onChoose({ ...chosen, method: event.currentTarget.value })}>
          {method === null && <option value="">…</option>}
          {Object.entries(METHODS).map(([name, { label }]) => (
            <option key={name} value={name}>
              {label}
            </option>
          ))}
        </select>
      </label>
      <Download label="Download CSV" load={() => api.gainsFile(report.run_id, report.user_id, { year, method })} />
    </div>
  );
}

/** Return the years to choose from, the newest first. */
function yearsOf(report: Report, shown: number | null): number[] {
  const yearOf = (day: string) => Number(day.slice(0, 4));
  const last = Math.max(new Date().getFullYear(), shown ?? 0);
  const asOf = yearOf(report.as_of);
  const since = report.returns?.since;
  const first = Math.min(asOf - YEARS_BACK, since ? yearOf(since) : asOf, shown ?? asOf);
  return Array.from({ length: last - first + 1 }, (_, ago) => last - ago);
}

function Lots({ gains }: { gains: Gains }) {
  return (
    <>
      <p class="note">{METHODS[gains.method]?.meaning}</p>
      <h4 class="part-name">Sold in {gains.year}</h4>
      {gains.realized.length ? (
        <>
          <Totals gains={gains} />
          <Realized lots={gains.realized} currency={gains.currency} />
        </>
      ) : (
        <Empty title={`No sales in ${gains.year}`} />
      )}
      <h4 class="part-name">Still held</h4>
      {gains.unrealized.length ? (
        <Unrealized lots={gains.unrealized} currency={gains.currency} />
      ) : (
        <Empty title="No open lots" />
      )}
      {gains.issues.length > 0 && (
        <>
          <h4 class="part-name">{counted(gains.issues.length, "issue")} of the lots</h4>
          <LedgerIssues issues={gains.issues} />
        </>
      )}
    </>
  );
}

const ALL_TERMS: Term[] = ["short", "long", "unknown"];
const gainTone = (gain: number | null): string =>
  gain === null || gain === 0 ? "number" : gain > 0 ? "number ok-text" : "number bad-text";

function Totals({ gains }: { gains: Gains }) {
  const rows = ALL_TERMS.map((term) => ({ term, lots: gains.realized.filter((lot) => lot.term === term) }));
  return (
    <table class="table compact totals">
      <caption class="hidden">Realized gains by holding time</caption>
      <thead>
        <tr>
          <th scope="col">Held</th>
          <th scope="col" class="number optional">
            Proceeds
          </th>
          <th scope="col" class="number">
            Cost
          </th>
          <th scope="col" class="number">
            Gain
          </th>
        </tr>
      </thead>
      <tbody>
        {rows
          .filter(({ lots }) => lots.length > 0)
          .map(({ term, lots }) => (
            <Total
              key={term}
              term={term}
              // A sum over lots without a known cost is no cost of zero.
              isKnown={lots.some((lot) => lot.gain !== null)}
              total={gains.totals[term]}
              currency={gains.currency}
            />
          ))}
      </tbody>
    </table>
  );
}

function Total(props: { term: Term; isKnown: boolean; total: GainTotal; currency: string }) {
  const { term, isKnown, total, currency } = props;
  const gain = isKnown ? total.gain : null;
  return (
    <tr>
      <th scope="row">
        {TERMS[term].label}
        {TERMS[term].meaning && <span class="sub">{TERMS[term].meaning}</span>}
      </th>
      <td class="number optional">{money(total.proceeds, currency)}</td>
      <td class="number">{money(isKnown ? total.cost : null, currency)}</td>
      <td class={gainTone(gain)}>{money(gain, currency, "exceptZero")}</td>
    </tr>
  );
}

const WASH_SALE =
  "Sold at a loss, and the same symbol was bought within 30 days before or after. Some countries do not accept such a loss.";

function Realized({ lots, currency }: { lots: RealizedLot[]; currency: string }) {
  const washed = lots.some((lot) => lot.wash_sale);
  return (
    <>
      <table class="table compact stacked">
        <caption class="hidden">Lots sold</caption>
        <thead>
          <tr>
            <th scope="col">Symbol</th>
            <th scope="col">Bought</th>
            <th scope="col">Sold</th>
            <th scope="col" class="number">
              Shares
            </th>
            <th scope="col" class="number">
              Proceeds
            </th>
            <th scope="col" class="number">
              Cost
            </th>
            <th scope="col" class="number">
              Gain
            </th>
          </tr>
        </thead>
        <tbody>
          {lots.slice(0, MOST_SHOWN).map((lot, place) => (
            <tr key={place}>
              <th scope="row">
                {lot.symbol}
                {lot.wash_sale && <span class="tag">Bought again</span>}
                {lot.account_id && <span class="sub">{lot.account_id}</span>}
              </th>
              <td data-label="Bought">
                <Opened day={lot.opened} />
              </td>
              <td data-label="Sold">
                {date(lot.closed)}
                <Held days={lot.days} term={lot.term} />
              </td>
              <td class="number" data-label="Shares">
                {quantity(lot.quantity)}
              </td>
              <td class="number" data-label="Proceeds">
                {money(lot.proceeds, currency)}
              </td>
              <td class="number" data-label="Cost">
                {money(lot.cost, currency)}
              </td>
              <td class={gainTone(lot.gain)} data-label="Gain">
                {money(lot.gain, currency, "exceptZero")}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <More all={lots.length} />
      {washed && <p class="note below">Bought again: {WASH_SALE}</p>}
    </>
  );
}

function Unrealized({ lots, currency }: { lots: UnrealizedLot[]; currency: string }) {
  return (
    <>
      <table class="table compact stacked">
        <caption class="hidden">Lots still held</caption>
        <thead>
          <tr>
            <th scope="col">Symbol</th>
            <th scope="col">Bought</th>
            <th scope="col" class="number">
              Shares
            </th>
            <th scope="col" class="number">
              Cost
            </th>
            <th scope="col" class="number">
              Value
            </th>
            <th scope="col" class="number">
              Gain
            </th>
          </tr>
        </thead>
        <tbody>
          {lots.slice(0, MOST_SHOWN).map((lot, place) => (
            <tr key={place}>
              <th scope="row">
                {lot.symbol}
                {lot.account_id && <span class="sub">{lot.account_id}</span>}
              </th>
              <td data-label="Bought">
                <Opened day={lot.opened} />
                <Held days={lot.days} term={lot.term} />
              </td>
              <td class="number" data-label="Shares">
                {quantity(lot.quantity)}
              </td>
              <td class="number" data-label="Cost">
                {money(lot.cost, currency)}
              </td>
              <td class="number" data-label="Value">
                {money(lot.value, currency)}
              </td>
              <td class={gainTone(lot.gain)} data-label="Gain">
                {money(lot.gain, currency, "exceptZero")}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <More all={lots.length} />
    </>
  );
}

function Opened({ day }: { day: string | null }) {
  return day === null ? <span title={TERMS.unknown.meaning}>Unknown</span> : date(day);
}

function Held({ days, term }: { days: number | null; term: Term }) {
  return (
    <span class="sub">
      {days === null ? TERMS[term].label : `${counted(days, "day")}, ${TERMS[term].label.toLowerCase()}`}
    </span>
  );
}

function More({ all }: { all: number }) {
  return all > MOST_SHOWN ? (
    <p class="note below">{`The first ${MOST_SHOWN} of ${count(all)}. The CSV file has all.`}</p>
  ) : null;
}
