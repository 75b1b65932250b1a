"""The decisions and the order plan of a report, rendered with rich."""

from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from devhost.demo_report import Document
from devhost.formats import count, money, number

_STYLES = {"BUY": "green", "SELL": "red", "HOLD": "dim"}


def render_decisions(decisions: Sequence[Document]) -> RenderableType:
    """Return each decision to buy or sell with its reason, and the symbols to hold."""
    table = Table.grid(padding=(0, 2))
    for _ in range(3):
        table.add_column(no_wrap=True)
    table.add_column()
    for decision in decisions:
        action = decision["decision"]
        if action != "HOLD":
            strength = f"{decision['strength']}/10"
            table.add_row(Text(action, _STYLES[action]), decision["symbol"], strength, decision["reasoning_summary"])
    held = ", ".join(decision["symbol"] for decision in decisions if decision["decision"] == "HOLD")
    return Group(Text("Decisions", style="bold"), table, Text(f"HOLD  {held or 'none'}", _STYLES["HOLD"]), Text())


def render_order_plan(plan: Document) -> RenderableType:
    """Return the planned orders by priority, with their totals."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 2, 0, 0))
    table.add_column("No.", justify="right", no_wrap=True)
    table.add_column("Side", no_wrap=True)
    table.add_column("Symbol", no_wrap=True)
    for heading in ("Shares", "Price", "Amount", "Size %"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("Skip reason")
    for order in plan["orders"]:
        table.add_row(
            str(order["priority"]),
            Text(order["side"], _STYLES[order["side"]]),
            order["symbol"],
            count(order["shares"]),
            money(order["estimated_price"]),
            money(order["estimated_cost"]),
            number(order["adjusted_size_percent"]),
            (order["skip_reason"] or "").replace("_", " "),
        )
    sums = Text.assemble(
        *("Sell proceeds ", money(plan["total_sell_proceeds"]), ", buy cost ", money(plan["total_buy_cost"])),
        *(" of ", money(plan["available_buying_power"]), " buying power"),
    )
    reason = [Text(f"No orders: {plan['reason'].replace('_', ' ')}.", "yellow")] if plan["reason"] else []
    notes = [*reason, *map(Text, plan["notes"])]
    return Group(
        Text("Order plan (not sent)", style="bold"), *([table] if plan["orders"] else []), sums, *notes, Text()
    )
