/** The columns of the list of people, and the menu to choose them. */

import type { ComponentChildren } from "preact";
import type { Person } from "../api/people-types";
import { Sparkline } from "../charts/sparkline";
import { amount, counted, currencyName, money, NONE, percent, signedPercent } from "../format";
import { links } from "../router";
import { Menu } from "../ui/menu";

export interface Column {
  name: string;
  label: string;
  /** The order of the first click; null where the API does not sort. */
  first: "asc" | "desc" | null;
  isNumber: boolean;
  isShownAtFirst: boolean;
  cell: (person: Person) => ComponentChildren;
}

const amountOf = (person: Person, value: number | null) =>
  person.currency ? money(value, person.currency) : amount(value);

export const COLUMNS: Column[] = [
  column("total_value", "Total value", null, true, (person) => (
    <>
      {amountOf(person, person.total_value)}
      {person.complete === false && <span class="sub warning-text">Incomplete</span>}
    </>
  )),
  { ...column("values", "Last nights", null, true, (person) => <Nights person={person} />), isNumber: false },
  column("twr_1y", "Return 1y", null, true, (person) => signedPercent(person.twr_1y)),
  {
    ...column("currency", "Currency", null, false, (person) =>
      person.currency ? <span title={currencyName(person.currency)}>{person.currency}</span> : NONE,
    ),
    isNumber: false,
  },
  column("market_value", "Market value", "desc", false, (person) => amountOf(person, person.market_value)),
  column("annual_volatility", "Volatility", "desc", true, (person) => percent(person.annual_volatility)),
  column("max_drawdown", "Max drawdown", "asc", true, (person) => percent(person.max_drawdown)),
  column("value_at_risk_95", "VaR 95%", "asc", false, (person) => percent(person.value_at_risk_95, 2)),
  column("breaches", "Breaches", "desc", true, (person) => flagged(person, person.breaches, "bad-text")),
  column("warnings", "Warnings", "desc", true, (person) => flagged(person, person.warnings, "warning-text")),
  column("unknowns", "Unknown", null, false, (person) => flagged(person, person.unknowns, "")),
  {
    ...column("run", "Run", null, false, (person) => (
      <a class="whole" href={links.run(person.run_id)}>
        {person.run_id}
      </a>
    )),
    isNumber: false,
  },
];

function column(
  name: string,
  label: string,
  first: Column["first"],
  isShownAtFirst: boolean,
  cell: Column["cell"],
): Column {
  return { name, label, first, isNumber: true, isShownAtFirst, cell };
}

function flagged(person: Person, number: number, tone: string) {
  return person.status === "analyzed" ? <span class={number > 0 ? tone : ""}>{number}</span> : NONE;
}

function Nights({ person }: { person: Person }) {
  const [first, last] = [person.values[0], person.values.at(-1)];
  if (!first || !last) {
    return <>{NONE}</>;
  }
  const nights = counted(person.values.length, "night");
  const label =
    first === last
      ? `${nights}: ${amountOf(person, last[1])}`
      : `${nights}: from ${amountOf(person, first[1])} to ${amountOf(person, last[1])}`;
  return <Sparkline values={person.values} label={label} />;
}

const NO_COLUMNS = "none";
const FIRST = COLUMNS.filter((known) => known.isShownAtFirst);

/** Return the columns that an address names, in their order. */
export function columnsIn(text: string | null): Column[] {
  const names = text?.split(",");
  return names ? COLUMNS.filter((known) => names.includes(known.name)) : FIRST;
}

/** Return the columns as an address names them; null for those shown at first. */
function textOf(columns: Column[]): string | null {
  const text = columns.map((known) => known.name).join(",") || NO_COLUMNS;
  return text === FIRST.map((known) => known.name).join(",") ? null : text;
}

export function ColumnMenu({ shown, onChange }: { shown: Column[]; onChange: (text: string | null) => void }) {
  return (
    <Menu label="Columns" icon="columns">
      {COLUMNS.map((known) => (
        <label key={known.name} class="choice">
          <input
            type="checkbox"
            checked={shown.includes(known)}
            onChange={() => onChange(textOf(COLUMNS.filter((one) => (one === known) !== shown.includes(one))))}
          />
          {known.label}
        </label>
      ))}
    </Menu>
  );
}
