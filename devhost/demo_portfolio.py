"""The full report of one portfolio, rendered with rich."""

from collections.abc import Callable, Iterable
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from devhost.demo_advice import render_decisions, render_order_plan
from devhost.demo_money import render_money
from devhost.demo_report import STATUS_STYLES, Document, age_of
from devhost.formats import count, money, number, percent, percent_of_hundred, words

type _Lines = tuple[tuple[str, str, Callable[[Any], Text]], ...]


def _gain(fraction: float | None) -> Text:
    return percent(fraction, sign=True)


def _change(amount: float | None) -> Text:
    return money(amount, sign=True)


_VALUATION: _Lines = (
    ("market_value", "Market value", money),
    ("cash", "Cash", money),
    ("cost_basis", "Cost basis", money),
    ("unrealized_pl", "Unrealized gain", _change),
    ("unrealized_pl_pct", "  in percent", percent_of_hundred),
    ("day_change", "Day change", _change),
    ("day_change_pct", "  in percent", percent_of_hundred),
    ("unpriced_cost", "Cost without a price", money),
)
_PERFORMANCE: _Lines = (
    ("start", "From", words),
    ("end", "To", words),
    ("observations", "Trading days", count),
    ("return_1d", "Last day", _gain),
    ("return_5d", "Last 5 days", _gain),
    ("return_21d", "Last 21 days", _gain),
    ("return_63d", "Last 63 days", _gain),
    ("return_252d", "Last 252 days", _gain),
    ("return_ytd", "Year to date", _gain),
    ("cumulative_return", "Whole period", _gain),
    ("cagr", "  per year (CAGR)", _gain),
)
_DIVERSIFICATION: _Lines = (
    ("effective_holdings", "Effective holdings", number),
    ("herfindahl_index", "Herfindahl index", number),
    ("largest_weight", "Largest weight", percent),
    ("diversification_ratio", "Diversification ratio", number),
    ("average_correlation", "Average correlation", number),
)
_RISK: _Lines = (
    ("annual_volatility", "Annual volatility", percent),
    ("downside_deviation", "Downside deviation", percent),
    ("sharpe_ratio", "Sharpe ratio", number),
    ("sortino_ratio", "Sortino ratio", number),
    ("calmar_ratio", "Calmar ratio", number),
    ("omega_ratio", "Omega ratio", number),
    ("max_drawdown", "Maximum drawdown", percent),
    ("max_drawdown_peak", "  from", words),
    ("max_drawdown_trough", "  to", words),
    ("max_drawdown_recovery", "  recovered", words),
    ("current_drawdown", "Current drawdown", percent),
    ("beta", "Beta", number),
    ("alpha", "Alpha per year", _gain),
    ("correlation_to_benchmark", "Correlation to market", number),
    ("tracking_error", "Tracking error", percent),
    ("information_ratio", "Information ratio", number),
    ("risk_free_rate", "Risk-free rate assumed", percent),
)
_TAILS: _Lines = (
    ("value_at_risk_95", "VaR 95%, 1 day", percent),
    ("value_at_risk_99", "VaR 99%, 1 day", percent),
    ("gaussian_value_at_risk_95", "Gaussian VaR 95%", percent),
    ("gaussian_value_at_risk_99", "Gaussian VaR 99%", percent),
    ("conditional_value_at_risk_95", "Conditional VaR 95%", percent),
    ("conditional_value_at_risk_99", "Conditional VaR 99%", percent),
    ("skewness", "Skewness", number),
    ("excess_kurtosis", "Excess kurtosis", number),
)
_HOLDING: _Lines = (
    ("quantity", "Shares", count),
    ("price", "Price", money),
    ("market_value", "Value", money),
    ("weight", "Weight", percent),
    ("unrealized_pl_pct", "Gain", percent_of_hundred),
    ("return_252d", "252d", _gain),
    ("annual_volatility", "Vol.", percent),
    ("beta", "Beta", number),
    ("risk_contribution", "Risk", percent),
)
_SCENARIOS = {
    "worst_day": "Worst day",
    "worst_5_days": "Worst 5 days",
    "worst_21_days": "Worst 21 days",
    "market_-10": "Market falls 10%",
    "market_-20": "Market falls 20%",
    "market_-30": "Market falls 30%",
    "global_financial_crisis": "Global financial crisis, 2008-2009",
    "covid_crash": "Covid crash, 2020",
    "inflation_bear_2022": "Inflation bear market, 2022",
}


def render_portfolio(report: Document) -> RenderableType:
    """Return every part of the report of an analyzed portfolio."""
    figures = Table.grid(expand=True, padding=(0, 2))
    for _ in range(2):
        figures.add_column(ratio=1)
    figures.add_row(
        Group(
            _figures("Valuation", report["valuation"], _VALUATION),
            _figures("Backtest", report["performance"], _PERFORMANCE),
            _figures("Diversification", report["diversification"], _DIVERSIFICATION),
        ),
        Group(
            _figures("Risk (backtest)", report["risk"], _RISK),
            _figures("Tail risk (backtest)", report["risk"], _TAILS),
        ),
    )
    parts = (
        _banner(report),
        figures,
        _holdings(report["holdings"]),
        render_money(report),
        _stress(report["stress"]),
        _checks(report["checks"]),
        render_decisions(report["decisions"]),
        render_order_plan(report["order_plan"]),
        _data_quality(report["data_quality"]),
    )
    return Panel(
        Group(*parts),
        title=f"Report for {report['user_id']} as of {report['as_of']}, in {report['currency']}",
        title_align="left",
    )


def _banner(report: Document) -> RenderableType:
    """Return what the figures below stand for."""
    lines = []
    if age := age_of(report["data_quality"]["price_issues"]):
        lines.append(Text(f"Prices as of {report['as_of']} {age}", style="yellow"))
    if not report["valuation"]["complete"]:
        unpriced = [holding["symbol"] for holding in report["holdings"] if holding["reason"]]
        text = f"Incomplete: no price for {', '.join(unpriced)}. No total includes what has no price."
        lines.append(Text(text, style="yellow"))
    if report["performance"]:
        since = report["performance"]["start"]
        text = f"Hypothetical: backtest, risk and stress tests are of today's holdings, held since {since}."
        lines.append(Text(text, style="dim"))
    return Group(*lines, Text())


def _figures(title: str, part: Document | None, lines: _Lines) -> RenderableType:
    table = Table.grid(expand=True)
    table.add_column()
    table.add_column(justify="right", no_wrap=True)
    table.add_row(Text(title, style="bold"))
    if part is None:
        table.add_row(Text("not available", style="dim"))
    else:
        for member, label, shape in lines:
            table.add_row(label, shape(part[member]))
    table.add_row()
    return table


def _holdings(holdings: Iterable[Document]) -> RenderableType:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=0, expand=True)
    table.add_column("Symbol", no_wrap=True)
    for _, heading, _shape in _HOLDING:
        table.add_column(heading, justify="right", overflow="fold")  # a cut figure would be another one
    for holding in sorted(holdings, key=lambda held: -abs(held["market_value"] or 0)):
        shown = (shape(holding[member]) for member, _, shape in _HOLDING)
        table.add_row(Text(holding["symbol"], style="yellow" if holding["reason"] else ""), *shown)
    return Group(Text("Holdings", style="bold"), table, Text())


def _stress(scenarios: Iterable[Document] | None) -> RenderableType:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 3, 0, 0))
    table.add_column("Scenario", no_wrap=True)
    table.add_column("Return", justify="right", no_wrap=True)
    table.add_column("Gain or loss", justify="right", no_wrap=True)
    table.add_column("Coverage", justify="right", no_wrap=True)
    for scenario in scenarios or ():
        shown = _gain(scenario["return"]), _change(scenario["loss"]), percent(scenario["coverage"])
        table.add_row(_SCENARIOS[scenario["scenario"]], *shown)
    return Group(
        Text("Stress tests", style="bold"), Text("not available", style="dim") if scenarios is None else table, Text()
    )


def _checks(checks: Iterable[Document]) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column()
    for check in checks:
        table.add_row(Text(check["status"], style=STATUS_STYLES[check["status"]]), check["message"])
    return Group(Text("Checks", style="bold"), table, Text())


def _data_quality(quality: Document) -> RenderableType:
    flagged = "; ".join(
        f"{label}: {', '.join(quality[member])}"
        for member, label in (
            ("missing_symbols", "no price"),
            ("stale_symbols", "stale price"),
            ("short_history_symbols", "short price history"),
            ("young_symbols", "younger than the backtest"),
            ("unknown_cost_symbols", "cost unknown"),
        )
        if quality[member]
    )
    coverage = Text.assemble("The backtest stands for ", percent(quality["coverage"]), " of what is owned")
    summary = Text("; ").join([coverage, Text(flagged)] if flagged else [coverage])
    issues = (Text(f"{issue['symbol'] or 'All symbols'}: {issue['text']}") for issue in quality["price_issues"])
    return Group(Text("Data quality", style="bold"), summary, *issues, *map(Text, quality["notes"]))
