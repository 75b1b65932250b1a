/** Labels and short explanations for what was really earned. */

import type { LotMethod, PeriodName, Report, ReturnPeriod, Returns, Term } from "../api/types";
import { date, money, percent } from "../format";
import { reasonOf } from "./reports";

export const PERIODS: Record<PeriodName, string> = {
  "1m": "1 month",
  "3m": "3 months",
  ytd: "Year to date",
  "1y": "1 year",
  "3y": "3 years",
  "5y": "5 years",
  since: "Since the start",
};

export interface Absence {
  title: string;
  todo: string;
}

const ABSENT: Record<string, Absence> = {
  no_transactions: {
    title: "There are no transactions of this user, so what was really earned is unknown.",
    todo: "Store purchases, sales, deposits and dividends in the transactions collection. The next run reads them.",
  },
  incomplete_valuation: {
    title: "A holding has no value today, so what was really earned is unknown.",
    todo: "Find the price or the exchange rate of the holdings that the analysis names as incomplete, then start a run.",
  },
  unsound_ledger: {
    title: "The transactions do not lead to today's holdings, so what was really earned is unknown.",
    todo: "Correct the transactions. The next run reads them again.",
  },
  prices_without_dividends: {
    title: "Neither the transactions nor the prices have dividends, so the income is unknown.",
    todo: "Store dividends in the transactions collection, or use a source of prices with adjusted closes.",
  },
};

const EARLIER: Absence = {
  title: "This report was made before such figures existed.",
  todo: "The reports of new runs have them where the user has transactions.",
};

/** Return why a section is missing, and what to do; null if it is there. */
export function absenceOf(report: Report, section: "returns" | "income"): Absence | null {
  if (report[section]) {
    return null;
  }
  const reason = report.reasons?.[section] ?? null;
  if (reason === null) {
    return report[section] === undefined
      ? EARLIER
      : { title: "The report does not say why this is missing.", todo: "" };
  }
  return reason === "earlier_version" ? EARLIER : (ABSENT[reason] ?? { title: reasonOf(reason), todo: "" });
}

export const BASIS: Record<Returns["basis"], string> = {
  account:
    "Everything in the accounts counts, securities and cash. Money is paid in by deposits and transfers, and paid out by withdrawals.",
  securities:
    "Only securities count, because deposits and withdrawals are unknown. Each purchase is money paid in; each sale and dividend is money paid out.",
};

const PERIOD_REASONS: Record<string, string> = {
  ledger_begins_later: "the transactions begin later.",
  negative_capital: "on some day, more was owed than owned, so no growth in percent can be given.",
  no_capital: "no money was invested on average, so there is no modified Dietz return.",
  no_solution: "no interest rate fits these payments, so there is no money-weighted return.",
  unsound_ledger: "no part of the transactions leads to today's holdings.",
};

/** Return why figures are missing, each reason with the periods that it is about. */
export function missingFigures(periods: ReturnPeriod[]): [string, string][] {
  const names = new Map<string, string[]>();
  for (const { period, reason } of periods) {
    if (reason !== null) {
      names.set(reason, [...(names.get(reason) ?? []), PERIODS[period]]);
    }
  }
  return [...names].map(([reason, found]) => [
    found.join(", "),
    PERIOD_REASONS[reason] ?? `${reason.replaceAll("_", " ")}.`,
  ]);
}

const YEAR_DAYS = 365;
const DAY_MS = 86_400_000;

/** Return whether a period is so long that its money-weighted return is that of a year. */
export const isYearly = ({ start, end }: ReturnPeriod): boolean =>
  start !== null && (Date.parse(end) - Date.parse(start)) / DAY_MS >= YEAR_DAYS;

/** Return the gain of a period: what its value grew by beyond what was paid in. */
export const gainOf = ({ start_value, end_value, net_flows }: ReturnPeriod): number | null =>
  start_value === null || end_value === null || net_flows === null ? null : end_value - start_value - net_flows;

export interface Explained {
  label: string;
  value: string;
  meaning: string;
}

/** Return the main figures since the start, each with a sentence. */
export function mainFigures(returns: Returns, since: ReturnPeriod, currency: string): Explained[] {
  const invested = since.start_value === null || since.net_flows === null ? null : since.start_value + since.net_flows;
  const isAccount = returns.basis === "account";
  const grown = since.twr === null ? null : 100 * (1 + since.twr);
  const yearly = since.twr_annualized === null ? "" : `, ${percent(since.twr_annualized)} a year`;
  const below = Math.abs(returns.current_drawdown ?? 0);
  const figures: [string, string, number | null, string][] = [
    [
      isAccount ? "Value" : "Value of securities",
      money(since.end_value, currency),
      since.end_value,
      `What ${isAccount ? "the securities and the cash" : "the securities"} are worth on ${date(since.end)}.`,
    ],
    [
      "Invested",
      money(invested, currency),
      invested,
      `What was there at the start (${money(since.start_value, currency)}) and was paid in since, less what was paid out.`,
    ],
    [
      "Gain",
      money(gainOf(since), currency, "exceptZero"),
      gainOf(since),
      "Value less invested money, after fees and taxes.",
    ],
    [
      "Time-weighted return",
      percent(since.twr),
      since.twr,
      `${money(100, currency)} invested at the start became ${money(grown, currency)}${yearly}, whatever was paid in or out later.`,
    ],
    [
      "Money-weighted return",
      `${percent(since.mwr)}${isYearly(since) && since.mwr !== null ? " a year" : ""}`,
      since.mwr,
      "A savings account with the same payments would have needed this interest to come to the same value.",
    ],
    [
      "Current drawdown",
      percent(returns.current_drawdown),
      returns.current_drawdown,
      below === 0
        ? "The time-weighted return is at its highest."
        : `Since its best day, invested money has lost ${percent(below)}. A withdrawal is no loss.`,
    ],
  ];
  return figures.map(([label, value, known, meaning]) => ({
    label,
    value,
    meaning: known === null ? "Not available: see the periods below." : meaning,
  }));
}

export const METHODS: Record<LotMethod, { label: string; meaning: string }> = {
  fifo: { label: "First in, first out", meaning: "A sale takes the shares that were bought first." },
  lifo: { label: "Last in, first out", meaning: "A sale takes the shares that were bought last." },
  hifo: { label: "Highest cost first", meaning: "A sale takes the most expensive shares." },
  average: { label: "Average cost", meaning: "Each share costs as much as all held shares on average." },
  specific: {
    label: "As chosen in each sale",
    meaning: "A sale takes the shares that it names, else those bought first.",
  },
};

export const TERMS: Record<Term, { label: string; meaning: string }> = {
  short: { label: "Up to a year", meaning: "" },
  long: { label: "Over a year", meaning: "" },
  unknown: { label: "Unknown time", meaning: "Bought before the transactions begin" },
};

const ISSUES: Record<string, string> = {
  amount_mismatch: "Amount does not fit",
  duplicate_id: "Entered twice",
  future_transaction: "In the future",
  negative_position: "Sold more than held",
  unexplained_cash: "Cash is missing",
  opening_position: "Owned before the first transaction",
  missing_price: "No price",
  missing_fx_rate: "No exchange rate",
  unknown_type: "Unknown type",
  unreadable: "Cannot be read",
  lot_not_found: "Chosen shares not found",
  prices_already_adjusted: "Prices include dividends",
  corporate_action_pending: "Split not booked yet",
};

export const issueLabel = (kind: string): string => ISSUES[kind] ?? kind.replaceAll("_", " ");
