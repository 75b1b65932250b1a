"""A run and its portfolios, from the documents of the API, rendered with rich."""

from collections.abc import Sequence
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from devhost.formats import money, percent, seconds

type Document = dict[str, Any]

STATUS_STYLES = {
    "completed": "green", "analyzed": "green", "ok": "green",
    "completed_with_errors": "yellow", "incomplete": "yellow", "skipped": "yellow", "warning": "yellow",
    "failed": "red", "canceled": "red", "breach": "red", "unknown": "dim",
}  # fmt: skip
_PHASES = {
    "queued": "Waiting to start",
    "plan": "Planning",
    "market_data": "Fetching prices",
    "research": "Researching symbols",
    "analyze": "Analyzing portfolios",
    "finish": "Finishing",
    "done": "Done",
}
_MEASURED = {"plan": _PHASES["plan"], "portfolios": "Reading portfolios"} | _PHASES
_REASONS = {
    "no_holdings": "no holdings",
    "no_prices": "none of the holdings has a price",
    "low_coverage": "too little price history for figures based on returns",
    "incomplete_valuation": "holdings without a price weigh too much for figures based on returns",
    "non_positive_value": "the total value is zero or negative, so weights are not available",
    "non_finite_value": "the values are too large to calculate with",
}


def progress_of(run: Document) -> tuple[float, str]:
    """Return the completed share of a run, from 0 to 1, and a label of its current step."""
    progress = run["progress"]
    phase, done, total = progress["phase"], progress["pages_done"], progress["pages_total"]
    phases = list(_PHASES)
    at_page = phase == "analyze" and total > 0
    reached = phases.index(phase) + (done / total if at_page else 0)
    label = f"{_PHASES[phase]}, page {min(done + 1, total)} of {total}" if at_page else _PHASES[phase]
    return reached / (len(phases) - 1), label


def render_run(run: Document) -> RenderableType:
    """Return the summary of a run: outcome, counts and durations."""
    metrics = run["metrics"]
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold")
    grid.add_row("Run", run["run_id"])
    grid.add_row("Outcome", Text(_words(run["status"]), style=STATUS_STYLES[run["status"]]))
    grid.add_row("Prices as of", " ".join(filter(None, [run["as_of"] or "-", age_of(run["price_issues"])])))
    grid.add_row(
        "Users",
        f"{run['users_to_analyze']:,} planned: {run['users_analyzed']:,} analyzed, {run['users_skipped']:,} skipped, "
        f"{run['users_failed']:,} failed",
    )
    grid.add_row("Symbols", f"{run['symbols']:,} ({run['symbols_failed']:,} held without prices)")
    phases = [
        f"{label.lower()} {seconds(metrics[f'{phase}_duration_seconds'])}"
        for phase, label in _MEASURED.items()
        if metrics.get(f"{phase}_duration_seconds") is not None
    ]
    grid.add_row("Duration", seconds(metrics["total_duration_seconds"]))
    if phases:
        grid.add_row("", "; ".join(phases))
    return Panel(grid, title="Run summary", title_align="left")


def age_of(issues: Sequence[Document]) -> str:
    """Return what is to be said beside the date of the prices; nothing if they are new."""
    is_old = any(issue["kind"] == "old_prices" for issue in issues)
    return "(long ago: the sample ends there on purpose)" if is_old else ""


def render_portfolios(summaries: Sequence[Document]) -> RenderableType:
    """Return a table of all portfolios of a run."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=0)
    table.add_column("User", overflow="fold")
    table.add_column("Status", no_wrap=True)
    for heading in ("Value", "Vol.", "Drawdown", "VaR", "Breach", "Warn", "Unk."):
        table.add_column(heading, justify="right", no_wrap=True)
    for summary in summaries:
        status = "incomplete" if summary["complete"] is False else summary["status"]
        table.add_row(
            summary["user_id"],
            Text(status, style=STATUS_STYLES[status]),
            money(summary["market_value"]),
            percent(summary["annual_volatility"]),
            percent(summary["max_drawdown"]),
            percent(summary["value_at_risk_95"]),
            _count(summary["breaches"], "breach"),
            _count(summary["warnings"], "warning"),
            _count(summary["unknowns"], "unknown"),
        )
    legend = Text("Volatility, drawdown and VaR (95%, 1 day): a backtest of today's holdings.", style="dim")
    checks = Text("Breach, Warn, Unk.: checks with a breach, a warning, an unknown outcome.", style="dim")
    return Group(Text("All portfolios", style="bold"), table, legend, checks)


def render_remarks(run: Document, reports: Sequence[Document], not_planned: Document | None) -> RenderableType:
    """Return one line of explanation for each unusual portfolio, symbol and user.

    ``not_planned`` is a run of the users without a report; its errors contain the reasons.
    """
    rows = [(report["user_id"], report["status"], "; ".join(found)) for report in reports if (found := remarks(report))]
    if not_planned:
        errors = not_planned["errors"]
        rows += [(error["user_id"], "not planned", error["error"]) for error in errors if error["user_id"]]
    # The errors of users are in their reports.
    rows += [("", _words(error["error_type"]), error["error"]) for error in run["errors"] if not error["user_id"]]
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column()
    for name, kind, text in rows:
        table.add_row(name, Text(kind, style=STATUS_STYLES.get(kind, "yellow")), text)
    return Group(Text("Special cases", style="bold"), table)


def remarks(report: Document) -> list[str]:
    """Return the unusual properties of a portfolio, from its report."""
    found = []
    if report["error"]:
        found.append(report["error"])
    elif report["reason"]:
        found.append(_REASONS.get(report["reason"], _words(report["reason"])))
    quality = report["data_quality"] or {}
    found += [
        f"{label} {', '.join(quality[member])}"
        for member, label in (
            ("missing_symbols", "no price for"),
            ("stale_symbols", "stale price for"),
            ("short_history_symbols", "short price history for"),
            ("young_symbols", "not in the backtest, too young:"),
            ("unknown_cost_symbols", "cost unknown of"),
        )
        if quality.get(member)
    ]
    found += [f"{odd['symbol']} unreadable: {odd['reason']}" for odd in quality.get("invalid_holdings", ())]
    return found + _unusual_holdings(report["holdings"] or ())


def _unusual_holdings(holdings: Sequence[Document]) -> list[str]:
    found = []
    holdings = [holding for holding in holdings if holding["quantity"] is not None]
    short = [holding["symbol"] for holding in holdings if holding["quantity"] < 0]
    if short:
        found.append(f"short position in {', '.join(short)}")
    gifts = [holding["symbol"] for holding in holdings if holding["avg_price"] == 0]
    if gifts:
        found.append(f"bought for nothing: {', '.join(gifts)}")
    fractions = [holding["symbol"] for holding in holdings if holding["quantity"] % 1]
    if fractions:
        found.append(f"fractional shares of {', '.join(fractions)}")
    if len(holdings) == 1:
        found.append(f"single holding: {holdings[0]['symbol']}")
    return found


def _count(number: int, status: str) -> Text:
    return Text(str(number), style=STATUS_STYLES[status]) if number else Text("-", style="dim")


def _words(name: str) -> str:
    return name.replace("_", " ")
