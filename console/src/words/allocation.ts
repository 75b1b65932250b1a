/** How everything owned is divided: by holding, sector, country or currency. */

import type { Holding, Report } from "../api/types";
import { counted, currencyName } from "../format";
import { visible } from "./people";

export type Kind = "holding" | "sector" | "country" | "currency";

export interface Group {
  name: string;
  about: string | null;
  /** The share in the sum of the absolute values of holdings and cash. */
  share: number;
  /** The sum of the absolute values; null where it is unknown. */
  value: number | null;
  /** The part of the value that is short or debt. */
  owed: number;
}

export const UNKNOWN = "Unknown";
export const CASH = "Cash";
export const OTHER = "Other";
const MOST_SHOWN = 10;

/** Return the groups, the largest ten first, then the others together and what is unknown. */
export function allocationOf(report: Report, kind: Kind): Group[] {
  const groups = kind === "currency" ? currenciesOf(report) : groupsOf(report, kind);
  const known = groups.filter(({ name }) => name !== UNKNOWN).sort((a, b) => b.share - a.share);
  const others = known.slice(MOST_SHOWN);
  return [
    ...known.slice(0, MOST_SHOWN),
    ...(others.length ? [together(others)] : []),
    ...groups.filter(({ name }) => name === UNKNOWN),
  ];
}

/** Return whether something is short or owed, so that the shares are not those of the total value. */
export const hasOwed = (report: Report): boolean =>
  (report.valuation?.cash ?? 0) < 0 || report.holdings.some((held) => (held.market_value ?? 0) < 0);

function currenciesOf(report: Report): Group[] {
  return (report.currency_exposure ?? []).map(({ currency, share }) => ({
    name: currency,
    about: currencyName(currency),
    share,
    value: null,
    owed: 0,
  }));
}

function groupsOf(report: Report, kind: Exclude<Kind, "currency">): Group[] {
  const groups = new Map<string, Group>();
  const add = (name: string, about: string | null, value: number) => {
    const group = groups.get(name) ?? { name, about, share: 0, value: 0, owed: 0 };
    group.value = (group.value ?? 0) + Math.abs(value);
    group.owed += value < 0 ? -value : 0;
    groups.set(name, group);
  };
  for (const held of report.holdings) {
    if (held.market_value) {
      add(nameOf(held, kind), kind === "holding" ? nameOfHolding(held) : null, held.market_value);
    }
  }
  const cash = report.valuation?.cash ?? 0;
  if (cash !== 0) {
    add(CASH, null, cash);
  }
  const whole = [...groups.values()].reduce((sum, { value }) => sum + (value ?? 0), 0);
  return [...groups.values()].map((group) => ({ ...group, share: (group.value ?? 0) / whole }));
}

const nameOf = (held: Holding, kind: Exclude<Kind, "currency">): string =>
  kind === "holding" ? held.symbol : (visible(held.research?.[kind] ?? null) ?? UNKNOWN);

/** Return the name of the instrument of a holding, if it is known. */
export const nameOfHolding = (held: Holding): string | null => visible(held.research?.name ?? null);

function together(groups: Group[]): Group {
  const sum = (of: (group: Group) => number) => groups.reduce((total, group) => total + of(group), 0);
  return {
    name: OTHER,
    about: counted(groups.length, "smaller one"),
    share: sum(({ share }) => share),
    value: groups.some(({ value }) => value === null) ? null : sum(({ value }) => value ?? 0),
    owed: sum(({ owed }) => owed),
  };
}
