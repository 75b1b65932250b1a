"""The differences between the product's gains and income and those of the oracle, in words."""

from collections.abc import Iterator, Sequence
from dataclasses import fields

from analysis.models import Income
from analysis.returns.gains import Gains as Own
from analysis.returns.gains import GainTotals, RealizedGain, UnrealizedLot
from tests.oracle.ledger_differences import differing
from tests.oracle.ledger_gains import TERMS, Gains, Row, Total

SAME = ("symbol", "opened", "days")
REALIZED = ("closed", "wash_sale")
QUANTITY, MONEY = "quantity", ("proceeds", "cost", "gain")


def differences_of_gains(ours: Own, theirs: Gains, gross: float) -> list[str]:
    """Return what differs, in words; amounts by more than 1e-9 of gross value, quantities by that of themselves."""
    return [*_of_rows(ours, theirs, gross), *_of_totals(ours.totals, theirs, gross), *_of_issues(ours, theirs)]


def _of_rows(ours: Own, theirs: Gains, gross: float) -> Iterator[str]:
    rows: tuple[tuple[str, Sequence[RealizedGain | UnrealizedLot], Sequence[Row]], ...] = (
        ("realized", ours.realized, theirs.realized),
        ("unrealized", ours.unrealized, theirs.unrealized),
    )
    for name, own, others in rows:
        if len(own) != len(others):
            yield f"{name}: ours {[*map(_brief, own)]}, theirs {[*map(_brief, others)]}"
            continue
        for at, (row, other) in enumerate(zip(own, others, strict=True)):
            yield from _of_row(f"{name}[{at}] {other.symbol} {other.closed}", row, other, gross)


def _brief(row: RealizedGain | UnrealizedLot | Row) -> str:
    closed = "" if isinstance(row, UnrealizedLot) else row.closed
    return f"{row.symbol} {row.account_id} {row.opened} {closed} {row.quantity:g}"


def _of_row(name: str, own: RealizedGain | UnrealizedLot, other: Row, gross: float) -> Iterator[str]:
    for member in SAME:
        yield from differing(f"{name}.{member}", getattr(own, member), getattr(other, member))
    yield from differing(f"{name}.account_id", own.account_id or "", other.account_id)
    yield from differing(f"{name}.term", own.term or "unknown", other.term)
    if isinstance(own, RealizedGain):
        for member in REALIZED:
            yield from differing(f"{name}.{member}", getattr(own, member), getattr(other, member))
        money = [(member, getattr(own, member), getattr(other, member)) for member in MONEY]
        yield from differing(f"{name}.quantity", own.quantity, abs(other.quantity))
    else:
        is_long = other.quantity > 0
        value, cost = (other.proceeds, other.cost) if is_long else (_minus(other.cost), _minus(other.proceeds))
        money = [("value", own.value, value), ("cost", own.cost, cost), ("gain", own.gain, other.gain)]
        yield from differing(f"{name}.quantity", own.quantity, other.quantity)
    for member, mine, its in money:
        yield from differing(f"{name}.{member}", mine, its, gross)


def _minus(value: float | None) -> float | None:
    return None if value is None else -value


def _of_totals(ours: GainTotals, theirs: Gains, gross: float) -> Iterator[str]:
    for term in TERMS:
        for member in fields(Total):
            own, other = getattr(getattr(ours, term), member.name), getattr(theirs.totals[term], member.name)
            yield from differing(f"totals.{term}.{member.name}", own, other, gross)


def _of_issues(ours: Own, theirs: Gains) -> Iterator[str]:
    own = {(issue.kind, issue.date) for issue in ours.issues}
    if own != theirs.issues:
        only = [sorted(map(str, found)) for found in (own - theirs.issues, theirs.issues - own)]
        yield f"issues: only ours {only[0]}, only theirs {only[1]}"


def differences_of_income(ours: Income | None, theirs: Income | None, gross: float) -> list[str]:
    """Return what differs, in words; amounts by more than 1e-9 of gross value, yields by more than 1e-9."""
    if ours is None or theirs is None:
        return [] if ours is theirs else [f"income: ours {ours}, theirs {theirs}"]
    return [*_of_income(ours, theirs, gross)]


def _of_income(ours: Income, theirs: Income, gross: float) -> Iterator[str]:
    yield from differing("basis", ours.basis, theirs.basis)
    for name in ("trailing_12m", "next_12m"):
        yield from differing(name, getattr(ours, name), getattr(theirs, name), gross)
    yield from _of_yields("", ours, theirs)
    yield from differing("months", [row.month for row in ours.by_month], [row.month for row in theirs.by_month])
    for month, other_month in zip(ours.by_month, theirs.by_month, strict=True):
        yield from differing(month.month, month.amount, other_month.amount, gross)
    own, others = ({row.symbol: row for row in side.by_symbol} for side in (ours, theirs))
    yield from differing("symbols", own.keys(), others.keys())
    for symbol in own.keys() & others.keys():
        yield from differing(f"{symbol}.amount", own[symbol].amount, others[symbol].amount, gross)
        yield from _of_yields(f"{symbol}.", own[symbol], others[symbol])
    amounts = [row.amount for row in ours.by_symbol]
    yield from differing("order", amounts, sorted(amounts, reverse=True))


def _of_yields(name: str, own: object, other: object) -> Iterator[str]:
    for member in ("yield_on_value", "yield_on_cost"):
        yield from differing(f"{name}{member}", getattr(own, member), getattr(other, member))
