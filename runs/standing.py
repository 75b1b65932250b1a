"""How the persons of a page stand in a run, compared with the night before.

What a person was not at the last report counts as a change; a check is compared with its last state that was not
unknown. Nothing counts as a change without an earlier report.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from itertools import chain

from analysis.checks import RULES
from analysis.models import Report
from records import NightOfRun
from runs.services import Services
from stores.lines import Line, Standing

_RULES = tuple(rule.name for rule in RULES)
_YEAR = "1y"


def lines_before(services: Services, night: NightOfRun | None, user_ids: Sequence[str]) -> Mapping[str, Line]:
    """Return the lines of the night before by user; those of its retries replace the ones they repeat."""
    oldest_first = () if night is None else reversed(night.before)
    return lines_that_count(
        chain.from_iterable(services.rankings.of_users(run_id, user_ids) for run_id in oldest_first)
    )


def lines_that_count(oldest_first: Iterable[Line]) -> dict[str, Line]:
    """Return the line of each user that counts in a night: the last one that has not failed, or the last one."""
    failed: dict[str, Line] = {}
    others: dict[str, Line] = {}
    for line in oldest_first:
        of_status = failed if line.summary.status == "failed" else others
        of_status[line.summary.user_id] = line
    return failed | others


def standing_of(report: Report, before: Line | None, book_rate: float) -> Standing:
    """Return how a person stands since the night before, whose line is ``None`` if there is none.

    ``book_rate`` is what one unit of the report's currency is worth in that of the book, NaN without a rate.
    """
    then = {} if before is None else _states(before)
    now = {check.rule: check.status for check in report.checks if check.status != "unknown"}
    known = {rule: state for rule, state in then.items() if rule not in now}
    valuation = report.valuation
    total = None if valuation is None else valuation.market_value + valuation.cash
    in_book = None if total is None else total * book_rate
    return Standing(
        currency=report.currency,
        total_value=total,
        book_value=None if in_book is None or math.isnan(in_book) else in_book,
        twr_1y=_twr(report),
        price_date=max((own.price_date for own in report.holdings if own.price_date is not None), default=None),
        known=tuple(f"{rule}:{state}" for rule, state in known.items()),
        since=_since(report, before, {rule for rule, state in (known | now).items() if state == "breach"}),
        breached=tuple(rule for rule, state in now.items() if state == "breach" and then.get(rule, state) != "breach"),
        recovered=tuple(rule for rule, state in now.items() if state != "breach" and then.get(rule) == "breach"),
    )


def _states(line: Line) -> dict[str, str]:
    """Return the last known states of the rules by that line."""
    states = dict.fromkeys(_RULES, "ok") if line.summary.status == "analyzed" else {}
    for crossed in line.crossed:
        rule, _, state = crossed.partition(":")
        if state == "unknown":
            states.pop(rule, None)
        else:
            states[rule] = state
    return states | dict(known.split(":") for known in line.standing.known)


def _since(report: Report, before: Line | None, breached: set[str]) -> dict[str, date]:
    incomplete = report.valuation is not None and not report.valuation.complete
    conditions = {"failed"} if report.status == "failed" else {"incomplete"} if incomplete else set()
    earlier = {} if before is None else before.standing.since
    return {name: earlier.get(name, report.as_of) for name in sorted(breached | conditions)}


def _twr(report: Report) -> float | None:
    periods = () if report.returns is None else report.returns.periods
    return next((period.twr for period in periods if period.period == _YEAR), None)
