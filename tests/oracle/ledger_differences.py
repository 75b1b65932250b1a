"""The differences between the product's figures and those of the oracle, in words."""

import math
from collections.abc import Iterator

from analysis.models import Contribution, ReturnPeriod, Returns
from tests.oracle.ledger_returns import Result

TOLERANCE = 1e-9
AMOUNTS = {
    "start_value", "end_value", "net_flows", "price_gain", "income", "fees", "taxes", "fx_gain", "residual",
    "benchmark_same_flows", "gain",
}  # fmt: skip


def differences(ours: Returns | None, oracle: Result, *, with_dates_of_issues: bool = True) -> list[str]:
    """Return what differs, in words; amounts by more than 1e-9 of gross value, ratios by more than 1e-9.

    A share of a small gain may differ by as much as that gain may.
    """
    if oracle.incomplete or ours is None:
        same = oracle.incomplete == (ours is None)
        return [] if same else [f"returns: {'none' if ours is None else 'some'}, but incomplete: {oracle.incomplete}"]
    return [*_found(ours, oracle.returns, oracle.gross, with_dates_of_issues)]


def _found(ours: Returns, theirs: Returns, gross: float, with_dates: bool) -> Iterator[str]:
    yield from differing("basis", ours.basis, theirs.basis)
    yield from differing("since", ours.since, theirs.since)
    yield from differing("current_drawdown", ours.current_drawdown, theirs.current_drawdown)
    yield from differing("periods", [p.period for p in ours.periods], [p.period for p in theirs.periods])
    for own, other in zip(ours.periods, theirs.periods, strict=False):
        yield from _period(own, other, gross)
    yield from _contributions(ours, theirs, gross)
    kinds = [
        {(issue.kind, issue.date if with_dates else None) for issue in side.issues if issue.kind != "lot_not_found"}
        for side in (ours, theirs)
    ]
    if kinds[0] != kinds[1]:
        only = [sorted(map(str, found)) for found in (kinds[0] - kinds[1], kinds[1] - kinds[0])]
        yield f"issues: only ours {only[0]}, only theirs {only[1]}"


def _period(own: ReturnPeriod, other: ReturnPeriod, gross: float) -> Iterator[str]:
    for name in ReturnPeriod.__struct_fields__:
        slack = gross if name in AMOUNTS else 1.0
        yield from differing(f"{own.period}.{name}", getattr(own, name), getattr(other, name), slack)


def _contributions(ours: Returns, theirs: Returns, gross: float) -> Iterator[str]:
    own = {(row.period, row.symbol): row for row in ours.contributions}
    others = {(row.period, row.symbol): row for row in theirs.contributions}
    if own.keys() != others.keys():
        yield (
            f"contributions: only ours {sorted(map(str, own.keys() - others.keys()))}, "
            f"only theirs {sorted(map(str, others.keys() - own.keys()))}"
        )
    for key in own.keys() & others.keys():
        total = sum(row.gain for row in theirs.contributions if row.period == key[0])
        slack = max(1.0, (gross / abs(total)) * (1 + abs(others[key].share or 0))) if total else math.inf
        for name in Contribution.__struct_fields__:
            if name == "share" and abs(total) <= TOLERANCE * gross:
                continue  # of a gain that is nothing but rounding
            tolerated = {"gain": gross, "share": slack}.get(name, 1.0)
            place = f"{key[0]}.{key[1]}.{name}"
            yield from differing(place, getattr(own[key], name), getattr(others[key], name), tolerated)


def differing(name: str, ours: object, theirs: object, slack: float = 1.0) -> Iterator[str]:
    """Yield how two figures differ, by more than 1e-9 of the slack, or of themselves where they are ratios."""
    if isinstance(ours, float | int) and isinstance(theirs, float | int):
        size = max(slack, abs(theirs)) if slack == 1.0 else slack
        if not abs(ours - theirs) <= TOLERANCE * size:
            yield f"{name}: ours {ours!r}, theirs {theirs!r}"
    elif ours != theirs:
        yield f"{name}: ours {ours!r}, theirs {theirs!r}"
