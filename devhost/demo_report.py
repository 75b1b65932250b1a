"""What a run did, from the documents of the API to things that rich can print."""

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
    "completed_with_errors": "yellow", "skipped": "yellow", "warning": "yellow",
    "failed": "red", "canceled": "red", "breach": "red",
}  # fmt: skip
_PHASES = {
    "queued": "Waiting to start",
    "plan": "Planning",
    "market_data": "Fetching prices",
    "research": "Researching symbols",
    "analyze": "Analysing portfolios",
    "finish": "Finishing",
    "done": "Done",
}
_REASONS = {
    "no_holdings": "holds nothing, so there is nothing to value",
    "no_prices": "no holding has a price",
    "low_coverage": "too little of it has enough price history for figures that rest on returns",
    "undefined_weights": "what can be measured cancels out and cannot stand for the rest",
    "non_positive_value": "owes as much as all is worth or more, so no weights can be told",
    "non_finite_value": "its value is out of any measurable range",
}


def progress_of(run: Document) -> tuple[float, str]:
    """Give how much of a run is done, from 0 to 1, and what it is at."""
    progress = run["progress"]
    phase, done, total = progress["phase"], progress["pages_done"], progress["pages_total"]
    phases = list(_PHASES)
    at_page = phase == "analyze" and total > 0
    reached = phases.index(phase) + (done / total if at_page else 0)
    label = f"{_PHASES[phase]}, page {min(done + 1, total)} of {total}" if at_page else _PHASES[phase]
    return reached / (len(phases) - 1), label


def render_run(run: Document) -> RenderableType:
    """Show a run at a glance: outcome, counts and durations."""
    metrics = run["metrics"]
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold")
    grid.add_row("Run", run["run_id"])
    grid.add_row("Outcome", Text(_words(run["status"]), style=STATUS_STYLES[run["status"]]))
    grid.add_row("Prices as of", run["as_of"] or "-")
    grid.add_row(
        "Users",
        f"{run['users_to_analyze']:,} planned: {run['users_analyzed']:,} analysed, {run['users_skipped']:,} skipped, "
        f"{run['users_failed']:,} failed",
    )
    grid.add_row("Symbols", f"{run['symbols']:,}, of which {run['symbols_failed']:,} without prices")
    phases = [
        f"{label.lower()} {seconds(metrics[f'{phase}_duration_seconds'])}"
        for phase, label in _PHASES.items()
        if metrics.get(f"{phase}_duration_seconds") is not None
    ]
    grid.add_row("Time", Text.assemble(seconds(metrics["total_duration_seconds"]), " in all"))
    if phases:
        grid.add_row("", "; ".join(phases))
    return Panel(grid, title="The run", title_align="left")


def render_portfolios(summaries: Sequence[Document]) -> RenderableType:
    """List all portfolios of a run, one line each."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    table.add_column("User", overflow="fold")
    table.add_column("Status", no_wrap=True)
    for heading in ("Market value", "Volatility", "Drawdown", "VaR 95 %", "Breaches", "Warnings"):
        table.add_column(heading, justify="right", no_wrap=True)
    for summary in summaries:
        status = summary["status"]
        table.add_row(
            summary["user_id"],
            Text(status, style=STATUS_STYLES[status]),
            money(summary["market_value"]),
            percent(summary["annual_volatility"]),
            percent(summary["max_drawdown"]),
            percent(summary["value_at_risk_95"]),
            _count(summary["breaches"], "breach"),
            _count(summary["warnings"], "warning"),
        )
    return Group(Text("All portfolios", style="bold"), table)


def render_remarks(run: Document, reports: Sequence[Document], not_planned: Document | None) -> RenderableType:
    """Explain in a line each portfolio, symbol and user that is out of the ordinary.

    ``not_planned`` is a run that was asked for the users without a report; its errors tell why they have none.
    """
    rows = [(report["user_id"], report["status"], "; ".join(found)) for report in reports if (found := remarks(report))]
    if not_planned:
        errors = not_planned["errors"]
        rows += [(error["user_id"], "not planned", error["error"]) for error in errors if error["user_id"]]
    # Errors of users stand in their reports.
    rows += [("", _words(error["error_type"]), error["error"]) for error in run["errors"] if not error["user_id"]]
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column()
    for name, kind, text in rows:
        table.add_row(name, Text(kind, style=STATUS_STYLES.get(kind, "yellow")), text)
    return Group(Text("Out of the ordinary", style="bold"), table)


def remarks(report: Document) -> list[str]:
    """Tell what is out of the ordinary about a portfolio, as its report shows it."""
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
            ("stale_symbols", "stale price of"),
            ("short_history_symbols", "short history of"),
        )
        if quality.get(member)
    ]
    found += [
        f"{left_out['symbol']} left out: {left_out['reason']}" for left_out in quality.get("invalid_holdings", ())
    ]
    return found + _unusual_holdings(report["holdings"] or ())


def _unusual_holdings(holdings: Sequence[Document]) -> list[str]:
    found = []
    short = [holding["symbol"] for holding in holdings if holding["quantity"] < 0]
    if short:
        found.append(f"short in {', '.join(short)}")
    fractions = [holding["symbol"] for holding in holdings if holding["quantity"] % 1]
    if fractions:
        found.append(f"fractions of shares of {', '.join(fractions)}")
    if len(holdings) == 1:
        found.append(f"a single holding, {holdings[0]['symbol']}")
    return found


def _count(number: int, status: str) -> Text:
    return Text(str(number), style=STATUS_STYLES[status]) if number else Text("-", style="dim")


def _words(name: str) -> str:
    return name.replace("_", " ")
