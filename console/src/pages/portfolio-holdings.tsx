/** The holdings with the weight and the share of risk of each, to search and to sort. */

import type { Holding, Report } from "../api/types";
import {
  count,
  counted,
  exchangeRate,
  money,
  moneyWithCode,
  NONE,
  percent,
  quantity,
  ratio,
  signedPercent,
} from "../format";
import { replace } from "../router";
import { Card, Empty, Scrollable } from "../ui/parts";
import { Search } from "../ui/search";
import { SortHead } from "../ui/sort-head";
import { nameOfHolding } from "../words/allocation";
import { unpricedReason } from "../words/reports";
import type { View } from "./portfolio-view";

interface Column {
  sort: string;
  label: string;
  title?: string;
  /** What the column is sorted by; null is always last. */
  value: (held: Holding) => string | number | null;
  /** The order of the first click. */
  first: "asc" | "desc";
  optional?: boolean;
  swatch?: string;
}

// A short position is as large as a long one of the same size.
const sizeOf = (value: number | null): number | null => (value === null ? null : Math.abs(value));
const COLUMNS: Column[] = [
  { sort: "symbol", label: "Symbol", value: (held) => held.symbol, first: "asc" },
  { sort: "value", label: "Value", value: (held) => sizeOf(held.market_value), first: "desc" },
  { sort: "weight", label: "Weight", value: (held) => sizeOf(held.weight), first: "desc", swatch: "weight" },
  { sort: "risk", label: "Risk", value: (held) => held.risk_contribution, first: "desc", swatch: "risk" },
  { sort: "gain", label: "Gain", value: (held) => held.unrealized_pl_pct, first: "desc", optional: true },
  { sort: "year", label: "1 year", value: (held) => held.return_252d, first: "desc", optional: true },
  { sort: "beta", label: "Beta", value: (held) => held.beta, first: "desc", optional: true },
  {
    sort: "score",
    label: "Score",
    title: "Research score from -1 to 1",
    value: (held) => held.research?.score ?? null,
    first: "desc",
    optional: true,
  },
];
const FIRST = "weight";
/** The columns before the one with the bars, which cannot be sorted by. */
const BEFORE_BARS = 4;
const LONGEST_SEARCH = 128;

export function Holdings({ report, view }: { report: Report; view: View }) {
  const column = COLUMNS.find(({ sort }) => sort === view.sort) ?? COLUMNS.find(({ sort }) => sort === FIRST);
  const order = view.order === "asc" || view.order === "desc" ? view.order : (column?.first ?? "desc");
  const found = report.holdings.filter((held) => matches(held, view.find ?? ""));
  const ordered = column ? sorted(found, column, order) : found;
  const largest = Math.max(
    ...report.holdings.flatMap((held) => [Math.abs(held.weight ?? 0), Math.abs(held.risk_contribution ?? 0)]),
    0.001,
  );
  const all = report.holdings.length;
  return (
    <Card
      title="Holdings"
      note="Weight is the share of the value, risk the share of the backtest's volatility. If the risk bar is longer, the holding adds more risk than its size suggests."
    >
      <search class="toolbar two-fields">
        <Search
          label="Symbol or name contains"
          kept={view.find ?? ""}
          longest={LONGEST_SEARCH}
          onSearch={(find) => replace(view.link({ find }))}
        />
        <label class="field phone-only">
          <span>Sort by</span>
          <select
            value={column?.sort ?? FIRST}
            onChange={(event) => replace(view.link({ sort: event.currentTarget.value, order: null }))}
          >
            {COLUMNS.map(({ sort, label }) => (
              <option key={sort} value={sort}>
                {label}
              </option>
            ))}
          </select>
        </label>
      </search>
      <p class="hidden" role="status">
        {found.length < all ? `${count(found.length)} of ${counted(all, "holding")}` : ""}
      </p>
      {ordered.length ? (
        <Scrollable label="Holdings">
          <table class="table holdings">
            <caption class="hidden">Holdings</caption>
            <Head sorted={column?.sort ?? FIRST} order={order} view={view} />
            <tbody>
              {ordered.map((held) => (
                <Row key={held.symbol} held={held} largest={largest} currency={report.currency} />
              ))}
            </tbody>
          </table>
        </Scrollable>
      ) : (
        <Empty title="No matches">None of {counted(all, "holding")} has this in its symbol or name.</Empty>
      )}
    </Card>
  );
}

function matches(held: Holding, text: string): boolean {
  const sought = text.toLowerCase();
  return [held.symbol, nameOfHolding(held) ?? ""].some((name) => name.toLowerCase().includes(sought));
}

function sorted(holdings: Holding[], { value }: Column, order: "asc" | "desc"): Holding[] {
  const sign = order === "asc" ? 1 : -1;
  return [...holdings].sort((one, other) => {
    const [a, b] = [value(one), value(other)];
    if (a === null || b === null) {
      return Number(a === null) - Number(b === null);
    }
    return sign * (typeof a === "string" ? a.localeCompare(String(b)) : a - Number(b));
  });
}

function Head({ sorted: by, order, view }: { sorted: string; order: "asc" | "desc"; view: View }) {
  const heads = COLUMNS.map(({ sort, label, title, first, optional, swatch }) => (
    <SortHead
      key={sort}
      class={[sort === "symbol" ? "" : "number", optional ? "optional" : ""].join(" ")}
      label={label}
      title={title}
      swatch={swatch}
      first={first}
      order={by === sort ? order : null}
      link={(next) => view.link({ sort, order: next })}
      inPlace
    />
  ));
  return (
    <thead>
      <tr>
        {heads.slice(0, BEFORE_BARS)}
        <th scope="col" class="optional">
          <span class="hidden">Weight and risk</span>
        </th>
        {heads.slice(BEFORE_BARS)}
      </tr>
    </thead>
  );
}

function Row({ held, largest, currency }: { held: Holding; largest: number; currency: string }) {
  const width = (share: number) => ({ width: `${(100 * Math.abs(share)) / largest}%` });
  const name = nameOfHolding(held);
  const gain = held.unrealized_pl_pct === null ? null : held.unrealized_pl_pct / 100;
  return (
    <tr>
      <th scope="row">
        {held.symbol}
        {name !== null && (
          <span class="sub">
            <bdi class="clamped">{name}</bdi>
          </span>
        )}
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
