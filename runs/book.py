"""The book of a night: all portfolios together, and the persons that need attention first."""

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date
from itertools import chain

from analysis.checks import RULES
from records import Attention, Book, NightOfRun, Reason, RuleOfBook, Run
from runs.services import Services
from runs.standing import lines_that_count
from stores.lines import Line, Lines

MOST_ATTENTION = 10
_ORDER: tuple[Reason, ...] = ("failed", "incomplete", "new_breach", "breach")


def settle_book(services: Services, run: Run, lines: Lines) -> None:
    """Store the book of a night with the reports of a run that has ended, and the list of its people after a retry."""
    night = services.runs.night(run.run_id)
    if night is None or not run.is_completed:
        return
    if run.retry_of is not None:
        lines = _with_retry(services, night, run, lines)
        services.rankings.write(list_of_people(run), lines)
    parameters = services.runs.parameters(run.run_id)
    currency = services.settings.base_currency if parameters is None else parameters.base_currency
    services.books.write(book_of(run, currency, lines))


def list_of_people(run: Run) -> str:
    """Return the id under which the list of people as of a night's run is kept: after a retry it is no run's list."""
    return run.run_id if run.retry_of is None else people_after_retry(run.run_id)


def people_after_retry(run_id: str) -> str:
    """Return the id under which the list of people after a retry is kept."""
    return f"people:{run_id}"


def book_of(run: Run, currency: str, lines: Iterable[Line]) -> Book:
    """Return the book of these lines."""
    people = incomplete = failed = unconverted = 0
    total, newest = 0.0, None
    states: Counter[str] = Counter()
    attention = _Attention()
    for line in lines:
        summary, standing = line.summary, line.standing
        people += summary.status == "analyzed"
        incomplete += summary.complete is False
        failed += summary.status == "failed"
        unconverted += standing.total_value is not None and standing.book_value is None
        total += standing.book_value or 0.0
        newest = max(filter(None, (newest, standing.price_date)), default=None)
        states.update(line.crossed)
        states.update(f"{rule}:new" for rule in standing.breached)
        states.update(f"{rule}:recovered" for rule in standing.recovered)
        attention.consider(line)
    checks = [
        RuleOfBook(
            rule=rule.name,
            warning=states[f"{rule.name}:warning"],
            breach=states[f"{rule.name}:breach"],
            new_breaches=states[f"{rule.name}:new"],
            recovered=states[f"{rule.name}:recovered"],
        )
        for rule in RULES
    ]
    return Book(
        run_id=run.run_id,
        as_of=run.as_of,
        currency=currency,
        total_value=total,
        unconverted=unconverted,
        people=people,
        failed=failed,
        incomplete=incomplete,
        newest_price=newest,
        checks=tuple(checks),
        attention=tuple(attention.first()),
    )


class _Attention:
    """Keeps the first of the persons that need attention: failed, incomplete, large new breaches, old breaches."""

    def __init__(self) -> None:
        self._kept: list[tuple[tuple[int, float, str], Attention]] = []

    def consider(self, line: Line) -> None:
        for why, rule, size in _reasons(line):
            since = line.standing.since.get(rule or why)
            key = (_ORDER.index(why), size, line.summary.user_id)
            self._kept.append((key, Attention(line.summary.user_id, why, rule, since)))
            break
        if len(self._kept) > 100 * MOST_ATTENTION:
            self._kept = heapq.nsmallest(MOST_ATTENTION, self._kept, key=lambda one: one[0])

    def first(self) -> Iterator[Attention]:
        return (one for _, one in heapq.nsmallest(MOST_ATTENTION, self._kept, key=lambda one: one[0]))


def _reasons(line: Line) -> Iterator[tuple[Reason, str | None, float]]:
    """Yield why a person needs attention, the most important first, with the rule and what orders equal reasons."""
    standing = line.standing
    value = abs(standing.book_value or 0.0)
    if line.summary.status == "failed":
        yield "failed", None, _age(standing.since.get("failed"))
    if line.summary.complete is False:
        yield "incomplete", None, -value
    for rule in standing.breached:
        yield "new_breach", rule, -value
    breached = [rule for rule, _, state in (crossed.partition(":") for crossed in line.crossed) if state == "breach"]
    for rule in sorted(breached, key=lambda rule: _age(standing.since.get(rule))):
        yield "breach", rule, _age(standing.since.get(rule))


def _age(since: date | None) -> float:
    """Return a number that is smaller the longer ago ``since`` is."""
    return float("inf") if since is None else since.toordinal()


def _with_retry(services: Services, night: NightOfRun, run: Run, lines: Lines) -> Lines:
    """Return the lines of a night in which those of its retries replace the ones they repeat, ``lines`` last."""
    replaced = lines_that_count(chain(*_earlier_retries(services, night, run), lines))
    pages = services.rankings.blocks(night.first)
    return Lines.from_pages(
        Lines([replaced.get(line.summary.user_id, line) for line in page]).to_bytes() for page in pages
    )


def _earlier_retries(services: Services, night: NightOfRun, run: Run) -> Iterator[Iterator[Line]]:
    """Yield the lines of the retries of a night that are older than one of them, the oldest first."""
    first = services.runs.get(night.first)
    known = [] if first is None else services.runs.with_retries(first)
    return (
        (line for page in services.rankings.blocks(retry.run_id) for line in page)
        for retry in reversed(known)
        if retry.retry_of is not None and retry.place < run.place
    )
