"""The sections about what to do, and about the quality of the data."""

from delivery.exports.digits import amount, count, money, money_with_code, percent, quantity, whole_percent
from delivery.exports.sections import Cell, Column, Json, Section, facts, number, on, sentences, text
from delivery.exports.words import ACTIONS, REASONS, SKIPPED, worded

# A price whose product with the shares is the cost is in the currency of the cost.
_SAME = 1e-6


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
