/** Labels and short explanations for the contents of a report. */

import type { ReportStatus } from "../api/people-types";
import type { CheckStatus, Report, Risk } from "../api/types";
import { count, date, money, percent, quantity, ratio } from "../format";
import type { Tone } from "../ui/parts";

export const REPORT_STATUS: Record<ReportStatus, { tone: Tone; label: string }> = {
  analyzed: { tone: "ok", label: "Analyzed" },
  skipped: { tone: "neutral", label: "Skipped" },
  failed: { tone: "bad", label: "Failed" },
};

/** Return what the figures of a backtest are; every text that shows one of them is about the past of today's holdings. */
export const hypothetical = (since: string): string => `Hypothetical: today's holdings held since ${date(since)}`;

export const RULES: Record<string, { label: string; todo: string }> = {
  largest_position: { label: "Largest position", todo: "Reduce the largest position, or add to others." },
  effective_holdings: {
    label: "Effective holdings",
    todo: "Spread the portfolio over more positions of similar size.",
  },
  risk_concentration: { label: "Risk concentration", todo: "Reduce the holding that contributes most of the risk." },
  gross_exposure: {
    label: "Gross exposure",
    todo: "Pay back debt or close short positions: gains and losses are multiplied.",
  },
  volatility: { label: "Volatility", todo: "Move part of the portfolio into less volatile holdings or cash." },
  drawdown: { label: "Drawdown", todo: "Review whether today's holdings are still the right ones." },
  value_at_risk: { label: "Value at risk", todo: "Reduce exposure if daily losses of this size are not acceptable." },
  beta: { label: "Beta", todo: "Replace some high-beta holdings with holdings of lower beta." },
  correlation: { label: "Correlation", todo: "Add holdings that move independently of the others." },
  cash_share: { label: "Cash share", todo: "Invest part of the cash, or confirm that it should stay in cash." },
  price_coverage: {
    label: "Price coverage",
    todo: "Find prices for the holdings without a recent one. The figures do not stand for them.",
  },
  currency_exposure: {
    label: "Currency exposure",
    todo: "Hold more in the own currency, or accept that the exchange rate moves much of the value.",
  },
};

export const SCENARIOS: Record<string, string> = {
  worst_day: "Worst day",
  worst_5_days: "Worst week (5 days)",
  worst_21_days: "Worst month (21 days)",
  "market_-10": "Market falls 10%",
  "market_-20": "Market falls 20%",
  "market_-30": "Market falls 30%",
  global_financial_crisis: "Financial crisis 2008–2009",
  covid_crash: "Covid crash 2020",
  inflation_bear_2022: "Inflation bear market 2022",
};

const REASONS: Record<string, string> = {
  low_coverage:
    "Too little of what is owned, or of one side of it, has enough recent price history for figures based on returns.",
  incomplete_valuation: "Holdings without a price weigh too much for figures based on returns.",
  // Of reports of an earlier version.
  undefined_weights:
    "The holdings with enough price history cancel out, so figures based on returns are not available.",
  no_holdings: "The portfolio has no holdings.",
  no_prices: "None of the holdings has a price.",
  non_positive_value: "The total value of holdings and cash is zero or negative, so weights are not available.",
  non_finite_value: "The values are too large to calculate with.",
};

export function reasonOf(reason: string | null): string {
  return reason === null ? "" : (REASONS[reason] ?? reason.replaceAll("_", " "));
}

const UNPRICED: Record<string, string> = {
  invalid: "cannot be read",
  missing_fx_rate: "no exchange rate",
  missing_price: "no price",
};

/** Return why a holding has no value. */
export function unpricedReason(reason: string | null): string {
  return reason === null ? "" : (UNPRICED[reason] ?? "no price");
}

/** Return what it means for the figures of a report that holdings have no value. */
export function lackOf(report: Report): string[] {
  const coverage = report.data_quality?.coverage ?? null;
  const isAll = report.holdings.every((held) => held.reason !== null);
  return [
    isAll
      ? "Value and gain are those of the cash alone."
      : "Value, weights, allocation and gains are those of the other holdings and the cash alone.",
    ...(report.risk
      ? [
          coverage === null
            ? "It is unknown for how much of what is owned the backtest and its risk figures stand."
            : `The backtest and its risk figures stand for ${percent(coverage)} of what is owned.`,
        ]
      : ["There is no backtest, and there are no risk figures."]),
    ...(report.returns ? [] : ["What was really earned is unknown."]),
    "Nothing is sold for its weight until all have a value.",
  ];
}

export interface RiskFigure {
  label: string;
  value: string;
  meaning: string;
}

/** Return the main risk figures, each with a sentence on today's holdings ("they"), without terms of finance. */
export function riskFigures(report: Report, risk: Risk): RiskFigure[] {
  // Like the returns, of everything owned: what has no price at what was paid for it.
  const estimates = report.holdings.filter((held) => held.reason !== null && (held.avg_price ?? 0) > 0);
  const total =
    (report.valuation?.market_value ?? 0) +
    (report.valuation?.cash ?? 0) +
    estimates.reduce((sum, held) => sum + (held.cost_basis ?? 0), 0);
  const loss = (fraction: number | null) =>
    money(fraction === null ? null : Math.abs(fraction) * total, report.currency);
  const figures: [string, string, number | null, string][] = [
    [
      "Annual volatility",
      percent(risk.annual_volatility),
      risk.annual_volatility,
      `In two years out of three, their return was within ${percent(risk.annual_volatility, 0)} of its average.`,
    ],
    ["Maximum drawdown", percent(risk.max_drawdown), risk.max_drawdown, drawdownSentence(risk)],
    [
      "Current drawdown",
      percent(risk.current_drawdown),
      risk.current_drawdown,
      risk.current_drawdown === 0
        ? "They are at the highest value of this period."
        : `They are ${percent(Math.abs(risk.current_drawdown ?? 0))} below their highest value of this period.`,
    ],
    [
      "Value at risk, 95%",
      percent(risk.value_at_risk_95, 2),
      risk.value_at_risk_95,
      `On one day in twenty, they would have lost ${loss(risk.value_at_risk_95)} or more.`,
    ],
    [
      "Expected shortfall, 95%",
      percent(risk.conditional_value_at_risk_95, 2),
      risk.conditional_value_at_risk_95,
      `On those days, the average loss would have been ${loss(risk.conditional_value_at_risk_95)}.`,
    ],
    ["Beta", ratio(risk.beta), risk.beta, betaSentence(risk.beta)],
    ["Sharpe ratio", ratio(risk.sharpe_ratio), risk.sharpe_ratio, sharpeSentence(risk)],
    [
      "Correlation to the market",
      ratio(risk.correlation_to_benchmark),
      risk.correlation_to_benchmark,
      `The market explains ${percent((risk.correlation_to_benchmark ?? 0) ** 2, 0)} of their ups and downs.`,
    ],
  ];
  return figures.map(([label, value, known, meaning]) => ({
    label,
    value,
    meaning: known === null ? "Not available for this portfolio." : meaning,
  }));
}

function drawdownSentence(risk: Risk): string {
  if (risk.max_drawdown === 0) {
    return "They never fell below an earlier value.";
  }
  const recovered = risk.max_drawdown_recovery
    ? `recovered by ${date(risk.max_drawdown_recovery)}`
    : "not recovered yet";
  return `They fell most from ${date(risk.max_drawdown_peak)} to ${date(risk.max_drawdown_trough)}, ${recovered}.`;
}

function betaSentence(beta: number | null): string {
  const moves = percent(Math.abs(beta ?? 0) / 100, 2);
  return (beta ?? 0) < 0
    ? `When the market rose by 1%, they tended to fall by ${moves}.`
    : `When the market moved by 1%, they tended to move by ${moves}.`;
}

function sharpeSentence(risk: Risk): string {
  const known = risk.sharpe_ratio ?? 0;
  const rate =
    risk.risk_free_rate === null ? "the risk-free rate" : `a risk-free rate of ${percent(risk.risk_free_rate)}`;
  return known < 0
    ? `Less return than ${rate}: the risk would not have been rewarded.`
    : `${known < 0.5 ? "Low" : known < 1 ? "Fair" : "Good"} return over ${rate} for the risk taken.`;
}

export interface Change {
  label: string;
  before: string;
  after: string;
  /** Whether the change is an improvement; null where that depends. */
  better: boolean | null;
}

/** Return the differences between two reports of a user, the value first. */
export function changesBetween(earlier: Report, now: Report): Change[] {
  const changes: Change[] = [];
  const add = (label: string, before: string, after: string, better: boolean | null) => {
    if (before !== after) {
      changes.push({ label, before, after, better });
    }
  };
  const value = (report: Report) => report.valuation && report.valuation.market_value + report.valuation.cash;
  const grew = (a: number | null | undefined, b: number | null | undefined) =>
    a === null || a === undefined || b === null || b === undefined ? null : b > a;
  const whole = (report: Report) => report.valuation?.complete !== false;
  const stated = (report: Report) =>
    money(value(report), report.currency) + (whole(report) ? "" : ", without what has no price");
  // Values that stand for different parts of what is owned, or are in different currencies, do not tell a gain from a loss.
  const comparable = whole(earlier) && whole(now) && earlier.currency === now.currency;
  add("Total value", stated(earlier), stated(now), comparable ? grew(value(earlier), value(now)) : null);
  const gain = ({ valuation }: Report) => valuation?.unrealized_pl;
  add(
    "Unrealized gain",
    money(gain(earlier), earlier.currency, "exceptZero"),
    money(gain(now), now.currency, "exceptZero"),
    comparable ? grew(gain(earlier), gain(now)) : null,
  );
  add("Cash", money(earlier.valuation?.cash, earlier.currency), money(now.valuation?.cash, now.currency), null);
  const earned = ({ returns }: Report) => returns?.periods.find(({ period }) => period === "since")?.twr;
  add(
    "Time-weighted return since the start",
    percent(earned(earlier)),
    percent(earned(now)),
    grew(earned(earlier), earned(now)),
  );
  add("Holdings", count(earlier.holdings.length), count(now.holdings.length), null);
  for (const [label, name] of RISKS_COMPARED) {
    const [before, after] = [earlier.risk?.[name] ?? null, now.risk?.[name] ?? null];
    // A loss closer to zero is better, and so is a lower volatility.
    const better = grew(before === null ? null : Math.abs(before), after === null ? null : Math.abs(after));
    add(label, percent(before), percent(after), better === null ? null : !better);
  }
  return [...changes, ...tradesBetween(earlier, now), ...checksBetween(earlier, now)];
}

const RISKS_COMPARED: [string, "annual_volatility" | "current_drawdown" | "value_at_risk_95"][] = [
  ["Backtest: volatility", "annual_volatility"],
  ["Backtest: drawdown", "current_drawdown"],
  ["Backtest: value at risk, 95%", "value_at_risk_95"],
];

function tradesBetween(earlier: Report, now: Report): Change[] {
  const before = new Map(earlier.holdings.map((holding) => [holding.symbol, holding.quantity]));
  const after = new Map(now.holdings.map((holding) => [holding.symbol, holding.quantity]));
  const symbols = [...new Set([...before.keys(), ...after.keys()])].sort();
  const shares = (held: number | null | undefined) =>
    held === undefined ? "Not held" : `${quantity(held)} ${held === 1 ? "share" : "shares"}`;
  return symbols
    .filter((symbol) => before.get(symbol) !== after.get(symbol))
    .map((symbol) => ({
      label: symbol,
      before: shares(before.get(symbol)),
      after: shares(after.get(symbol)),
      better: null,
    }));
}

const SEVERITY = { ok: 0, unknown: null, warning: 1, breach: 2 };
export const CHECK_STATUS = { ok: "OK", unknown: "Unknown", warning: "Warning", breach: "Breach" };

function checksBetween(earlier: Report, now: Report): Change[] {
  const before = new Map(earlier.checks.map((check) => [check.rule, check.status]));
  return now.checks.flatMap((check) => {
    const was = before.get(check.rule);
    return was === undefined || was === check.status
      ? []
      : [
          {
            label: `Check: ${RULES[check.rule]?.label ?? check.rule}`,
            before: CHECK_STATUS[was],
            after: CHECK_STATUS[check.status],
            better: improved(was, check.status),
          },
        ];
  });
}

function improved(before: CheckStatus, after: CheckStatus): boolean | null {
  const [was, is] = [SEVERITY[before], SEVERITY[after]];
  return was === null || is === null ? null : is < was;
}
