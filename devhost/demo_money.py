"""What a person really earned, rendered with rich."""

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from devhost.demo_report import Document
from devhost.formats import money, percent, whole_money

_REASONS = {
    "no_transactions": "there are no transactions",
    "incomplete_valuation": "a holding has no price",
    "ledger_begins_later": "the ledger begins later",
    "unsound_ledger": "the ledger is sound on no day",
    "prices_without_dividends": "the prices are without dividends, and so is the ledger",
}
_BASES = {
    "account": "holdings and cash",
    "securities": "holdings alone, since no deposit is known",
}
_AMOUNTS = ("net_flows", "price_gain", "income", "costs", "fx_gain", "end_value")
_MOST_ISSUES = 3
_HEADINGS = ("Paid in", "Price", "Income", "Costs", "Currency", "Value")


def render_money(report: Document) -> RenderableType:
    """Return the returns with cash flows, their parts, and the income."""
    title = Text("Your money: what was really earned, given what was paid in and out", style="bold")
    returns = report["returns"]
    if returns is None:
        return Group(title, _missing(report, "returns"), _income(report), Text())
    told = [Text(f"{issue['date'] or ''} {issue['text']}".strip(), style="dim") for issue in returns["issues"]]
    if len(told) > _MOST_ISSUES:
        told[_MOST_ISSUES:] = [Text(f"and {len(told) - _MOST_ISSUES} more issues of the ledger", style="dim")]
    since = Text(f"Of {_BASES[returns['basis']]}, by transactions since {returns['since'] or '-'}")
    return Group(title, since, _periods(returns["periods"]), _income(report), *told, Text())


def _periods(periods: list[Document]) -> RenderableType:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=0, expand=True)
    table.add_column("")
    for heading in ("Time-w.", "Money-w.", *_HEADINGS):
        table.add_column(heading, justify="right", overflow="fold")  # a cut figure would be another one
    for period in periods:
        if period["reason"] in ("ledger_begins_later", "unsound_ledger"):
            continue
        amounts = period | {"costs": -period["fees"] - period["taxes"]}
        rates = (percent(period[name], sign=True) for name in ("twr", "mwr"))
        shown = (whole_money(amounts[name], sign=name not in ("net_flows", "end_value")) for name in _AMOUNTS)
        table.add_row(period["period"], *rates, *shown)
    return table


def _income(report: Document) -> RenderableType:
    income = report["income"]
    if income is None:
        return _missing(report, "income")
    source = "by the transactions" if income["basis"] == "transactions" else "as the prices imply"
    return Text.assemble(
        "Income of the last twelve months, ", source, ": ", money(income["trailing_12m"]),
        "; of the next, if shares pay the same: ", money(income["next_12m"]),
    )  # fmt: skip


def _missing(report: Document, section: str) -> RenderableType:
    reason = report["reasons"].get(section, "")
    return Text(f"No {section}: {_REASONS.get(reason, reason)}", style="dim")
