"""The sections about today's holdings: value, checks, holdings and risk."""

from collections.abc import Callable
from typing import Any

from delivery.exports.digits import (
    amount,
    count,
    money,
    money_with_code,
    percent,
    percent_2,
    quantity,
    ratio,
    signed_percent,
    whole_percent,
)
from delivery.exports.sections import (
    Cell,
    Column,
    Json,
    Section,
    facts,
    figures_of,
    number,
    on,
    text,
)
from delivery.exports.words import CHECK_STATUS, RULES, SCENARIOS, UNPRICED, worded

type _Figures = tuple[tuple[str, str, Callable[[Any], Cell]], ...]

_SEVERITY = ("breach", "warning", "unknown", "ok")


def _in_percent(value: float | None) -> Cell:
    return number(value, percent)


def _in_percent_2(value: float | None) -> Cell:
    return number(value, percent_2)


def _as_ratio(value: float | None) -> Cell:
    return number(value, ratio)


def _counted(value: float | None) -> Cell:
    return number(value, count)


_PERFORMANCE: _Figures = (
    ("Start", "start", on),
    ("End", "end", on),
    ("Days", "observations", _counted),
    ("Backtest, a year", "cagr", _in_percent),
    ("Cumulative return", "cumulative_return", _in_percent),
    ("1 day", "return_1d", _in_percent),
    ("5 days", "return_5d", _in_percent),
    ("21 days", "return_21d", _in_percent),
    ("63 days", "return_63d", _in_percent),
    ("Year to date", "return_ytd", _in_percent),
    ("1 year", "return_252d", _in_percent),
)
_RISK: _Figures = (
    ("Annual volatility", "annual_volatility", _in_percent),
    ("Maximum drawdown", "max_drawdown", _in_percent),
    ("Maximum drawdown, peak", "max_drawdown_peak", on),
    ("Maximum drawdown, trough", "max_drawdown_trough", on),
    ("Maximum drawdown, recovery", "max_drawdown_recovery", on),
    ("Current drawdown", "current_drawdown", _in_percent),
    ("Value at risk, 95%", "value_at_risk_95", _in_percent_2),
    ("Value at risk, 99%", "value_at_risk_99", _in_percent_2),
    ("Gaussian value at risk, 95%", "gaussian_value_at_risk_95", _in_percent_2),
    ("Gaussian value at risk, 99%", "gaussian_value_at_risk_99", _in_percent_2),
    ("Expected shortfall, 95%", "conditional_value_at_risk_95", _in_percent_2),
    ("Expected shortfall, 99%", "conditional_value_at_risk_99", _in_percent_2),
    ("Beta", "beta", _as_ratio),
    ("Sharpe ratio", "sharpe_ratio", _as_ratio),
    ("Correlation to the market", "correlation_to_benchmark", _as_ratio),
    ("Downside deviation", "downside_deviation", _in_percent),
    ("Sortino ratio", "sortino_ratio", _as_ratio),
    ("Calmar ratio", "calmar_ratio", _as_ratio),
    ("Omega ratio", "omega_ratio", _as_ratio),
    ("Skewness", "skewness", _as_ratio),
    ("Excess kurtosis", "excess_kurtosis", _as_ratio),
    ("Alpha", "alpha", _in_percent),
    ("Tracking error", "tracking_error", _in_percent),
    ("Information ratio", "information_ratio", _as_ratio),
    ("Risk-free rate", "risk_free_rate", _in_percent),
)
_DIVERSIFICATION: _Figures = (
    ("Herfindahl index", "herfindahl_index", _as_ratio),
    ("Effective holdings", "effective_holdings", _as_ratio),
    ("Largest weight", "largest_weight", _in_percent),
    ("Diversification ratio", "diversification_ratio", _as_ratio),
    ("Average correlation", "average_correlation", _as_ratio),
)


def worth(report: Json) -> list[Section]:
    """Return the value of everything owned."""
    valuation = report.get("valuation")
    if valuation is None:
        return []
    currency = report["currency"]

    def owned(value: float | None) -> Cell:
        return Cell(value, money(value, currency))

    def change(value: float | None) -> Cell:
        return Cell(value, money(value, currency, signed=True))

    def part(value: float | None) -> Cell:
        return Cell(value, signed_percent(None if value is None else value / 100))

    complete = valuation["complete"]
    rows = [
        ("Total value", owned(valuation["market_value"] + valuation["cash"])),
        ("Holdings", owned(valuation["market_value"])),
        ("Cash", owned(valuation["cash"])),
        ("Day change", change(valuation["day_change"])),
        ("Day change, percent", part(valuation["day_change_pct"])),
        ("Cost", owned(valuation["cost_basis"])),
        ("Unrealized gain", change(valuation["unrealized_pl"])),
        ("Unrealized gain, percent", part(valuation["unrealized_pl_pct"])),
        ("Bought for, of what has no value", owned(valuation["unpriced_cost"])),
        ("Complete", Cell(complete, "Yes" if complete else "Incomplete")),
    ]
    return [facts("Value", rows)]


def checks(report: Json) -> list[Section]:
    """Return the checks, those beyond their limits first."""
    found = sorted(report.get("checks", ()), key=lambda check: _SEVERITY.index(check["status"]))
    columns = [
        Column("Check"),
        Column("Status"),
        Column("Figure", numeric=True, printed=False),
        Column("Limit", numeric=True, printed=False),
        Column("Result", wide=True),
    ]
    rows = [
        [
            text(check["rule"], worded(RULES, check["rule"])),
            text(check["status"], worded(CHECK_STATUS, check["status"])),
            number(check["value"], ratio),
            number(check["threshold"], ratio),
            text(check["message"]),
        ]
        for check in found
    ]
    return [Section("Checks", columns, rows)] if rows else []


def holdings(report: Json) -> list[Section]:
    """Return the holdings, the largest first, and the research of their symbols."""
    found = sorted(report.get("holdings", ()), key=lambda held: -abs(held["weight"] or 0))
    if not found:
        return []
    columns = [
        Column("Symbol"),
        Column("Quantity", numeric=True),
        Column("Price", numeric=True),
        *(Column(label, numeric=True) for label in ("Value", "Weight", "Risk", "Gain", "1 year", "Beta", "Score")),
        Column("Without a value"),
        *(Column(label, printed=False) for label in ("Currency", "Price date")),
        *(
            Column(label, numeric=True, printed=False)
            for label in (
                "Average price", "Exchange rate", "Value in its currency", "Cost", "Unrealized gain", "1 day",
                "21 days", "Annual volatility",
            )
        ),
    ]  # fmt: skip
    note = "Weight is the share of the value, risk the share of the backtest's volatility."
    sections = [Section("Holdings", columns, [_holding(held, report["currency"]) for held in found], note)]
    known = [held["research"] for held in found if held.get("research")]
    if known:
        names = [name for name in known[0] if name != "fibonacci_levels"]
        rows = [[_as_it_is(research.get(name)) for name in names] for research in known]
        sections.append(Section("Research", [Column(name) for name in names], rows, printed=False))
    return sections


def _as_it_is(value: Any) -> Cell:  # noqa: ANN401 - any plain value
    return Cell(value, "" if value is None else str(value))


def _holding(held: Json, currency: str) -> list[Cell]:
    own = held.get("currency") or currency
    gain, score = held["unrealized_pl_pct"], (held.get("research") or {}).get("score")
    reason = held["reason"]
    return [
        text(held["symbol"]),
        number(held["quantity"], quantity),
        Cell(held["price"], money(held["price"], currency) if own == currency else money_with_code(held["price"], own)),
        Cell(held["market_value"], money(held["market_value"], currency)),
        number(held["weight"], percent),
        number(held["risk_contribution"], percent),
        Cell(gain, signed_percent(None if gain is None else gain / 100)),
        number(held["return_252d"], signed_percent),
        number(held["beta"], ratio),
        number(score, ratio),
        text(reason, UNPRICED.get(reason, "no price") if reason else ""),
        text(own),
        on(held.get("price_date")),
        number(held["avg_price"], amount),
        number(held.get("fx_rate"), ratio),
        number(held.get("market_value_local"), amount),
        Cell(held["cost_basis"], money(held["cost_basis"], currency)),
        Cell(held["unrealized_pl"], money(held["unrealized_pl"], currency, signed=True)),
        number(held["return_1d"], signed_percent),
        number(held["return_21d"], signed_percent),
        number(held["annual_volatility"], percent),
    ]


def currencies(report: Json) -> list[Section]:
    """Return the currencies of everything owned, where there is more than one."""
    shares = report.get("currency_exposure") or ()
    rows = [[text(each["currency"]), number(each["share"], percent)] for each in shares]
    note = "Share of everything owned, cash included."
    columns = [Column("Currency"), Column("Share", numeric=True)]
    return [Section("Currencies", columns, rows, note)] if len(rows) > 1 else []


def risk(report: Json) -> list[Section]:
    """Return the figures of the backtest, and the stress tests."""
    tables = (("Backtest", "performance", _PERFORMANCE), ("Risk", "risk", _RISK))
    note = "Hypothetical: today's holdings held over the past."
    made = [
        facts(title, figures_of(report[name], figures), note) for title, name, figures in tables if report.get(name)
    ]
    if report.get("diversification"):
        made.append(facts("Diversification", figures_of(report["diversification"], _DIVERSIFICATION)))
    if report.get("stress"):
        columns = [
            Column("Scenario"),
            *(Column(label, numeric=True) for label in ("Return", "Gain or loss", "Share of what is owned")),
        ]
        rows = [
            [
                text(entry["scenario"], SCENARIOS.get(entry["scenario"], entry["scenario"])),
                number(entry["return"], percent),
                Cell(entry["loss"], money(entry["loss"], report["currency"])),
                number(entry.get("coverage"), whole_percent),
            ]
            for entry in report["stress"]
        ]
        made.append(Section("Stress tests", columns, rows, "Hypothetical gain or loss of today's holdings"))
    return made
