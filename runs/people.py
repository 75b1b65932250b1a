"""The people of the newest night: the latest summary of each, with names, and the values of the last nights."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import batched, islice

from records import Book, PersonSummary, Run, SortField, Wanted
from runs.book import list_of_people
from runs.nights import newest_night
from runs.services import Services
from stores.lines import Line, Lines
from stores.people import Names
from stores.rankings import Place, Rankings, lines_of, rankings_of

NIGHTS_SHOWN = 30
_MOST_FOUND = 1_000
"""As many people are found by their names first; a part of more names is looked for in the order of the list."""
_LOOKED_UP_AT_ONCE = 500

type Night = Sequence[Run]
"""The runs of a night, latest first."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a list of people shows: those ``wanted`` with ``part`` in their id, name or e-mail, in this order.

    Of the ``user_ids`` only, if there are any.
    """

    wanted: Wanted
    part: str
    sort: SortField
    descending: bool
    user_ids: tuple[str, ...] = ()


def people_of(services: Services, asked: Asked, *, limit: int, after: Place | None) -> list[PersonSummary]:
    """Return up to ``limit`` of the people of the newest night, starting after that place; none before the first."""
    if not (night := newest_night(services)):
        return []
    lines = list(islice(_lines(services, night, asked, after), limit))
    return list(_summaries(services, night, lines, with_values=True))


def all_people(services: Services, asked: Asked) -> Iterator[PersonSummary]:
    """Yield all people that are asked for, however many, without the values of the last nights."""
    if night := newest_night(services):
        for lines in batched(_lines(services, night, asked, None), _LOOKED_UP_AT_ONCE, strict=False):
            yield from _summaries(services, night, lines, with_values=False)


def day_of_people(services: Services) -> date | None:
    """Return the day that the newest night is as of, ``None`` before the first night."""
    return next((run.as_of for run in newest_night(services)), None)


def newest_book(services: Services) -> Book | None:
    """Return the book of the newest night, ``None`` before the first one."""
    return next((book for run in newest_night(services) if (book := services.books.get(run.run_id))), None)


def runs_of(services: Services, user_ids: Sequence[str]) -> Mapping[str, str]:
    """Return by person which run of the newest night, its own or a retry, has the report."""
    return services.reports.run_of_each([run.run_id for run in newest_night(services)], user_ids)


def _lines(services: Services, night: Night, asked: Asked, after: Place | None) -> Iterator[Line]:
    kept = next(((key, stored) for key in map(list_of_people, night) if (stored := services.rankings.of(key))), None)
    if kept is None:
        return iter(())
    key, rankings = kept
    found: Iterable[str] = asked.user_ids
    if asked.part and not asked.user_ids:
        found = services.people.candidates(asked.part, _MOST_FOUND + 1)
        if len(found) > _MOST_FOUND:
            return _matching(services, asked.part, _ordered(rankings, asked, after))
    if asked.part:
        found = services.people.are_matching(asked.part, found)
    if asked.part or asked.user_ids:
        rankings = rankings_of(Lines(list(services.rankings.of_users(key, found))))
    return _ordered(rankings, asked, after)


def _ordered(rankings: Rankings, asked: Asked, after: Place | None) -> Iterator[Line]:
    return lines_of(rankings, wanted=asked.wanted, sort=asked.sort, descending=asked.descending, after=after)


def _matching(services: Services, part: str, lines: Iterable[Line]) -> Iterator[Line]:
    for some in batched(lines, _LOOKED_UP_AT_ONCE, strict=False):
        found = services.people.are_matching(part, [line.summary.user_id for line in some])
        yield from (line for line in some if line.summary.user_id in found)


def _summaries(
    services: Services, night: Night, lines: Sequence[Line], *, with_values: bool
) -> Iterator[PersonSummary]:
    user_ids = [line.summary.user_id for line in lines]
    names = services.people.names(user_ids)
    told_by = services.reports.run_of_each([run.run_id for run in night], user_ids)
    values = _values(services, lines) if with_values else {}
    runs = {run.run_id: run for run in night}
    for line in lines:
        summary, standing = line.summary, line.standing
        run = runs[told_by.get(summary.user_id, night[-1].run_id)]
        known = names.get(summary.user_id, Names())
        yield PersonSummary(
            user_id=summary.user_id,
            name=known.name,
            email=known.email,
            run_id=run.run_id,
            as_of=run.as_of,
            status=summary.status,
            reason=summary.reason,
            currency=standing.currency or None,
            total_value=standing.total_value,
            market_value=summary.market_value,
            annual_volatility=summary.annual_volatility,
            max_drawdown=summary.max_drawdown,
            value_at_risk_95=summary.value_at_risk_95,
            twr_1y=standing.twr_1y,
            warnings=summary.warnings,
            breaches=summary.breaches,
            unknowns=summary.unknowns,
            complete=summary.complete,
            values=tuple(values.get(summary.user_id, ())),
        )


def _values(services: Services, lines: Sequence[Line]) -> Mapping[str, list[tuple[date, float]]]:
    """Return the total values of persons in the last nights by person, by date ascending, the latest of each date.

    They are in the currency of the line: after a change of a person's currency, the nights before it are left out.
    """
    currencies = {line.summary.user_id: line.standing.currency for line in lines}
    of_person: dict[str, dict[date, float]] = defaultdict(dict)
    for run_id in services.runs.last_nights(NIGHTS_SHOWN):
        for user_id, as_of, value in services.reports.total_values(run_id, currencies):
            of_person[user_id][as_of] = value
    return {user_id: sorted(values.items()) for user_id, values in of_person.items()}
