"""The sections about today's holdings: value, checks, holdings, risk, advice and the quality of the data."""

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
    sentences,
    text,
)
from delivery.exports.words import ACTIONS, CHECK_STATUS, REASONS, RULES, SCENARIOS, SKIPPED, UNPRICED, worded

type _Figures = tuple[tuple[str, str, Callable[[Any], Cell]], ...]

_SEVERITY = ("breach", "warning", "unknown", "ok")
# A price whose product with the shares is the cost is in the currency of the cost.
_SAME = 1e-6


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


def advice(report: Json) -> list[Section]:
    """Return the decisions, those to act on first, and the order plan."""
    found = sorted(report.get("decisions", ()), key=lambda decision: decision["decision"] == "HOLD")
    columns = [
        Column("Symbol"),
        Column("Decision"),
        Column("Strength of 10", numeric=True),
        Column("Since"),
        Column("Size, percent", numeric=True, printed=False),
        Column("Reason", wide=True),
    ]
    rows = [
        [
            text(each["symbol"]),
            text(each["decision"], ACTIONS[each["decision"]]),
            number(each.get("strength", each["confidence"]), count),
            on(each.get("signal_since")),
            number(each["position_size_percent"], quantity),
            text(each["reasoning_summary"]),
        ]
        for each in found
    ]
    decided = [Section("Decisions", columns, rows, "Rule-based recommendations with their reasons")] if rows else []
    return decided + (_orders(report, report["order_plan"]) if report.get("order_plan") else [])


def _orders(report: Json, plan: Json) -> list[Section]:
    currency = report["currency"]
    totals = [
        ("From sales", Cell(plan["total_sell_proceeds"], money(plan["total_sell_proceeds"], currency))),
        ("Purchases", Cell(plan["total_buy_cost"], money(plan["total_buy_cost"], currency))),
        ("Buying power", Cell(plan["available_buying_power"], money(plan["available_buying_power"], currency))),
        ("Scaled to", number(plan["scaling_factor"], whole_percent)),
    ]
    if plan["reason"]:
        totals.append(("No orders are planned", text(plan["reason"], worded(REASONS, plan["reason"]))))
    columns = [
        Column("Priority", numeric=True),
        Column("Order"),
        Column("Symbol"),
        *(Column(label, numeric=True) for label in ("Shares", "Price", "Amount")),
        Column("Skipped"),
        *(Column(label, numeric=True, printed=False) for label in ("Size, percent", "Size after scaling, percent")),
    ]
    held = {each["symbol"]: each.get("currency") or currency for each in report.get("holdings", ())}
    rows = [
        [
            number(order["priority"], count),
            text(order["side"], ACTIONS[order["side"]]),
            text(order["symbol"]),
            number(order["shares"], quantity),
            Cell(order["estimated_price"], _price(order, held, currency)),
            Cell(order["estimated_cost"], money(order["estimated_cost"], currency)),
            text(order["skip_reason"], worded(SKIPPED, order["skip_reason"])),
            number(order["original_size_percent"], quantity),
            number(order["adjusted_size_percent"], quantity),
        ]
        for order in plan["orders"]
    ]
    ordered = [Section("Orders", columns, rows)] if rows else []
    note = "Orders are not sent to a broker."
    return [facts("Order plan", totals, note), *ordered, *sentences("Notes on orders", plan["notes"])]


def _price(order: Json, held: dict[str, str], currency: str) -> str:
    """Return the price of an order, which is in the currency of its symbol; of a symbol not held, that is unknown."""
    price, own = order["estimated_price"], held.get(order["symbol"])
    cost = (price or 0) * order["shares"]
    if own is None and cost > 0 and abs(order["estimated_cost"] / cost - 1) < _SAME:
        own = currency
    if own is None:
        return amount(price)
    return money(price, currency) if own == currency else money_with_code(price, own)


def quality(report: Json) -> list[Section]:
    """Return what is to be known about the data."""
    found = report.get("data_quality")
    if not found:
        return []
    lists = (
        ("No price", found["missing_symbols"]),
        ("Stale price", found["stale_symbols"]),
        ("Short price history", found["short_history_symbols"]),
        ("Younger than the backtest", found.get("young_symbols", ())),
        ("Cost unknown", found.get("unknown_cost_symbols", ())),
        ("Unreadable", [f"{each['symbol']}: {each['reason']}" for each in found.get("invalid_holdings", ())]),
    )
    columns = [Column("Figure"), Column("Value", wide=True)]
    rows = [[text("Share of what is owned behind the figures"), number(found["coverage"], percent)]]
    rows += [[text(label), text(", ".join(names))] for label, names in lists if names]
    issues = [
        [
            text(issue["symbol"], issue["symbol"] or "All symbols"),
            text(issue["kind"]),
            on(issue["date"]),
            text(issue["text"]),
        ]
        for issue in found.get("price_issues", ())
    ]
    of_issues = [Column("Symbol"), Column("Kind", printed=False), Column("Date"), Column("Warning", wide=True)]
    warned = [Section("Price warnings", of_issues, issues)] if issues else []
    return [Section("Data quality", columns, rows), *warned, *sentences("Notes", found["notes"])]
