import random
import tracemalloc
from collections.abc import Iterator
from copy import replace
from datetime import date
from itertools import batched, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

import stores.rankings
from analysis.models import Check, Report
from records import FIGURES, CheckStatus, SortField, Status, Summary, Wanted
from stores.lines import Line, Lines, Standing, line_of
from stores.mongo import DocumentDatabase
from stores.rankings import Place, Rankings, RankingStore, page_of, rankings_of
from tests.stores.test_reports import a_report

ALL_REPORTS = Wanted()


class Lists:
    """The lists of one run: stored ones, or those of a run under way."""

    def __init__(self, store: RankingStore | None) -> None:
        self._store = store
        self._rankings: Rankings = rankings_of(Lines())

    def add(self, reports: list[Report]) -> None:
        self.add_lines([line_of(report) for report in reports])

    def add_lines(self, added: list[Line]) -> None:
        lines = Lines.from_pages(Lines([line]).to_bytes() for line in added)
        if self._store is None:
            self._rankings = rankings_of(lines)
            return
        self._store.write("run", lines)
        stored = self._store.of("run")
        assert stored is not None
        self._rankings = stored

    def first_page(self, sort: SortField) -> list[Summary]:
        return page_of(self._rankings, limit=5, wanted=ALL_REPORTS, sort=sort, descending=False, after=None)

    def all_pages(self, sort: SortField, *, descending: bool, wanted: Wanted = ALL_REPORTS) -> list[str]:
        return list(pages(self._rankings, sort, descending=descending, wanted=wanted))


def pages(
    rankings: Rankings, sort: SortField, *, descending: bool, wanted: Wanted = ALL_REPORTS, limit: int = 2
) -> Iterator[str]:
    after: Place | None = None
    while page := page_of(rankings, limit=limit, wanted=wanted, sort=sort, descending=descending, after=after):
        yield from (summary.user_id for summary in page)
        after = place(page[-1], sort)


def place(summary: Summary, sort: SortField) -> Place:
    return None if sort == "user_id" else getattr(summary, sort), summary.user_id


@pytest.fixture(params=["stored", "under way"])
def lists(request: pytest.FixtureRequest, database: DocumentDatabase, monkeypatch: pytest.MonkeyPatch) -> Lists:
    monkeypatch.setattr(stores.rankings, "_LINES_PER_BLOCK", 3)  # several blocks of few lines
    if request.param == "under way":
        return Lists(None)
    store = RankingStore(database)
    store.ensure_indexes()
    return Lists(store)


@pytest.mark.parametrize("descending", [False, True])
def test_pages_by_user_id_neither_repeat_nor_miss_anyone(lists: Lists, descending: bool) -> None:
    lists.add([a_report(f"u{i}") for i in (3, 1, 5, 2, 4)])
    expected = sorted((f"u{i}" for i in range(1, 6)), reverse=descending)
    assert lists.all_pages("user_id", descending=descending) == expected


@pytest.mark.parametrize(
    ("descending", "expected"),
    [
        (False, ["low", "even1", "even2", "high", "none1", "none2", "none3"]),
        (True, ["high", "even2", "even1", "low", "none1", "none2", "none3"]),
    ],
)
def test_pages_by_a_figure_put_those_without_it_last_and_equals_by_user_id(
    lists: Lists,
    descending: bool,
    expected: list[str],
) -> None:
    volatilities = {"high": 0.9, "low": 0.1, "even2": 0.5, "even1": 0.5, "none2": None, "none1": None, "none3": None}
    lists.add([a_report(user_id, volatility=volatility) for user_id, volatility in volatilities.items()])
    assert lists.all_pages("annual_volatility", descending=descending) == expected


def test_a_status_limits_the_list(lists: Lists) -> None:
    lists.add([a_report("a", value=1.0), a_report("b", status="failed"), a_report("c", value=3.0)])
    assert lists.all_pages("market_value", descending=True, wanted=Wanted(status="analyzed")) == ["c", "a"]
    assert lists.all_pages("user_id", descending=False, wanted=Wanted(status="failed")) == ["b"]


def of_value(user_id: str, *, complete: bool | None) -> Line:
    line = line_of(a_report(user_id, value=1.0))
    return Line(structs.replace(line.summary, complete=complete))


def test_whether_every_holding_has_a_value_limits_the_list(lists: Lists) -> None:
    states = {"a": True, "b": False, "c": None, "d": True, "e": False}
    lists.add_lines([of_value(user_id, complete=state) for user_id, state in states.items()])
    for sort in ("user_id", "market_value"):
        assert lists.all_pages(sort, descending=False, wanted=Wanted(complete=False)) == ["b", "e"]
        assert lists.all_pages(sort, descending=True, wanted=Wanted(complete=True)) == ["d", "a"]


def test_the_incomplete_are_found_in_lists_that_do_not_count_them(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [of_value("a", complete=True), of_value("b", complete=False)]
    with monkeypatch.context() as earlier:
        earlier.setattr(Line, "facets", property(lambda line: (line.summary.status, *line.crossed)))
        page = Lines(lines).to_bytes()
        stored = rankings_of(Lines(lines))
    mixed = rankings_of(Lines.from_pages([page, Lines([of_value("c", complete=False)]).to_bytes()]))
    assert list(pages(stored, "user_id", descending=False, wanted=Wanted(complete=False))) == ["b"]
    assert list(pages(mixed, "user_id", descending=False, wanted=Wanted(complete=False))) == ["b", "c"]


def with_checks(user_id: str, value: float | None, **statuses: CheckStatus) -> Report:
    checks = tuple(Check(rule, status, None, 0.0, "") for rule, status in statuses.items())
    return replace(a_report(user_id, value=value), checks=checks)


@pytest.mark.parametrize("descending", [False, True])
def test_a_check_limits_the_list_to_the_reports_that_cross_it(lists: Lists, descending: bool) -> None:
    lists.add(
        [
            with_checks("a", 1.0, beta="breach", drawdown="ok"),
            with_checks("b", 2.0, beta="ok", drawdown="warning"),
            with_checks("c", 3.0, beta="warning", drawdown="warning"),
            with_checks("d", None, beta="warning", drawdown="breach"),
            with_checks("e", 4.0, beta="ok", cash_share="unknown"),
        ]
    )

    def found(sort: SortField, check: str, status: CheckStatus | None = None) -> list[str]:
        return lists.all_pages(sort, descending=descending, wanted=Wanted(check=check, check_status=status))

    crossing = ["c", "a"] if descending else ["a", "c"]
    assert found("market_value", "beta") == [*crossing, "d"]  # reports without the figure come last
    assert found("user_id", "beta") == sorted("acd", reverse=descending)
    assert found("user_id", "beta", "breach") == ["a"]
    assert found("user_id", "drawdown", "warning") == sorted("bc", reverse=descending)
    assert found("user_id", "volatility") == []
    assert found("user_id", "cash_share", "unknown") == ["e"]
    assert found("user_id", "cash_share") == []  # it is not beyond a threshold
    assert found("user_id", "cash_share", "warning") == []


@pytest.mark.parametrize("sort", ["user_id", "market_value"])
@pytest.mark.parametrize("descending", [False, True])
def test_a_prefix_limits_the_list_to_ids_that_begin_with_it(lists: Lists, sort: SortField, descending: bool) -> None:
    user_ids = ["al", "ala", "alb", "al\U0001d7d8", "ak", "am", "bal"]
    lists.add([a_report(user_id, value=None if user_id == "ala" else 1.0) for user_id in user_ids])
    listed = lists.all_pages(sort, descending=descending, wanted=Wanted(user_id_prefix="al"))
    assert sorted(listed) == ["al", "ala", "alb", "al\U0001d7d8"]
    assert sort == "market_value" or listed == sorted(listed, reverse=descending)


def test_many_equal_figures_are_paged_in_order(lists: Lists) -> None:
    lists.add([a_report(f"u{i:02}", value=float(i % 3)) for i in range(30)])
    listed = lists.all_pages("market_value", descending=False)
    assert len(set(listed)) == 30
    keys = [(int(user_id[1:]) % 3, user_id) for user_id in listed]
    assert all(earlier < later for earlier, later in pairwise(keys))


def test_a_line_is_listed_as_it_was(lists: Lists) -> None:
    report = with_checks("a", 5.0, beta="breach", drawdown="warning", cash_share="unknown")
    lists.add([report])
    (listed,) = lists.first_page("market_value")
    assert listed == line_of(report).summary
    # A whole number stays one: JSON would show 1.0.
    assert [type(count) for count in (listed.warnings, listed.breaches, listed.unknowns)] == [int] * 3


def in_order(lines: list[Line], sort: SortField, *, descending: bool) -> list[str]:
    """Return the ids in the order of the lists, as one would sort them by hand."""
    if sort == "user_id":
        return sorted((line.summary.user_id for line in lines), reverse=descending)
    known = [line.summary for line in lines if getattr(line.summary, sort) is not None]
    known.sort(key=lambda own: (getattr(own, sort), own.user_id), reverse=descending)
    others = sorted(line.summary.user_id for line in lines if getattr(line.summary, sort) is None)
    return [own.user_id for own in known] + others


IDS = st.text(alphabet="aAb\u00e9\U0001d7d8-1", min_size=1, max_size=4)
FEW = st.sampled_from([None, -1.5, 0.0, 1e-9, 2.0, 1e18])
STATUSES: st.SearchStrategy[Status] = st.sampled_from(["analyzed", "skipped", "failed"])
COUNTS = st.integers(0, 2)
CROSSED = st.sets(st.sampled_from(["beta:warning", "beta:breach", "drawdown:unknown", "drawdown:breach"]))


@st.composite
def some_lines(draw: st.DrawFn) -> list[Line]:
    return [
        Line(
            Summary(
                user_id, draw(STATUSES), None, draw(FEW), draw(FEW), draw(FEW), draw(FEW), draw(COUNTS), 0, 0, None
            ),
            tuple(sorted(draw(CROSSED))),
        )
        for user_id in draw(st.lists(IDS, max_size=40, unique=True))
    ]


@given(
    lines=some_lines(),
    sort=st.sampled_from(["user_id", *FIGURES]),
    descending=st.booleans(),
    wanted=st.builds(
        Wanted,
        status=st.none() | STATUSES,
        check=st.none() | st.sampled_from(["beta", "drawdown"]),
        check_status=st.none() | st.sampled_from(["warning", "breach", "unknown"]),
        user_id_prefix=st.just("") | IDS,
    ),
    limit=st.integers(1, 5),
    size=st.integers(1, 7),
    few=st.integers(0, 3),
)
def test_any_list_is_in_order_and_whole(
    lines: list[Line], sort: SortField, descending: bool, wanted: Wanted, limit: int, size: int, few: int
) -> None:
    statuses = {wanted.check_status} if wanted.check_status else {"warning", "breach"}
    expected = [
        line for line in lines
        if wanted.status in (None, line.summary.status)
        and line.summary.user_id.startswith(wanted.user_id_prefix)
        and (wanted.check is None or {f"{wanted.check}:{status}" for status in statuses} & set(line.crossed))
    ]  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stores.rankings, "_LINES_PER_BLOCK", size)
        patch.setattr(stores.rankings, "_FEW_BLOCKS", few)
        rankings = rankings_of(Lines.from_pages([Lines(lines[:5]).to_bytes(), Lines(lines[5:]).to_bytes()]))
        found = list(pages(rankings, sort, descending=descending, wanted=wanted, limit=limit))
    assert found == in_order(expected, sort, descending=descending)


class Counting:
    """Rankings that count the blocks that are read."""

    def __init__(self, lines: Lines) -> None:
        self.read = 0
        self._rankings = rankings_of(lines)

    def __call__(self, sort: SortField) -> stores.rankings.Ranking:
        own = self._rankings(sort)

        def load(number: int) -> list[Line]:
            self.read += 1
            return own.load(number)

        return stores.rankings.Ranking(own.index, load)


def many() -> Lines:
    reports = [a_report(f"u{i:05}", value=float(i * 7919 % 20_000)) for i in range(20_000)]
    reports[11_111] = replace(reports[11_111], status="failed")
    lines = [line_of(report) for report in reports]
    lines[12_222] = Line(structs.replace(lines[12_222].summary, complete=False))
    return Lines(lines)


@pytest.mark.parametrize("sort", ["user_id", "market_value"])
@pytest.mark.parametrize(
    ("wanted", "after"),
    [
        (ALL_REPORTS, None),
        (ALL_REPORTS, (10_000.0, "u12345")),
        (Wanted(status="failed"), None),
        (Wanted(status="skipped"), None),
        (Wanted(complete=False), None),
        (Wanted(user_id_prefix="u111"), None),
    ],
    ids=["first page", "a page in the middle", "one of all", "none of all", "one incomplete", "a prefix"],
)
def test_a_page_of_a_long_list_reads_few_blocks(sort: SortField, wanted: Wanted, after: Place | None) -> None:
    rankings = Counting(many())
    page_of(rankings, limit=100, wanted=wanted, sort=sort, descending=True, after=after)
    assert rankings.read <= 2


def test_the_lines_of_a_run_take_few_bytes_each_and_come_back_as_they_were() -> None:
    number = 20_000
    chance, day = random.Random(1), date(2026, 1, 2)  # noqa: S311 - no secret
    crossed = ("largest_position:warning", "risk_concentration:breach", "volatility:breach")
    since = {"risk_concentration": day, "volatility": day}

    def line(place: int) -> Line:
        value = chance.random()
        summary = line_of(a_report(f"user-{place:07}", value=value, volatility=chance.random())).summary
        summary = replace(summary, max_drawdown=chance.random(), value_at_risk_95=chance.random())
        return Line(summary, crossed, Standing("USD", value, value, None, day, (), since))

    lines = [line(place) for place in range(number)]
    pages = [Lines(some).to_bytes() for some in batched(lines, 200, strict=True)]
    tracemalloc.start()
    try:
        kept = Lines.from_pages(pages)
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size / number < 300
    assert list(kept) == lines


def test_a_run_without_a_last_index_has_no_lists_yet(database: DocumentDatabase) -> None:
    store = RankingStore(database)
    store.ensure_indexes()
    store.write("run", Lines([line_of(a_report("a", value=1.0))]))
    database.portfolio_rankings.delete_one({"sort": "user_id", "number": -1})  # its writer died before
    assert store.of("run") is None
    store.write("run", Lines([line_of(a_report("a", value=1.0)), line_of(a_report("b", value=2.0))]))
    again = store.of("run")
    assert again is not None
    assert list(pages(again, "market_value", descending=True)) == ["b", "a"]


def test_the_lists_of_a_run_are_purged_step_by_step(
    database: DocumentDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores.rankings, "_LINES_PER_BLOCK", 1)
    monkeypatch.setattr(stores.rankings, "_BLOCKS_PER_DELETE", 3)
    store = RankingStore(database)
    store.ensure_indexes()
    for run_id in ("run", "other"):
        store.write(run_id, Lines([line_of(a_report(f"u{i}", value=float(i))) for i in range(7)]))
    assert store.boundaries("run") == [f"u{i}" for i in range(7)]
    while store.purge("run"):
        pass
    assert database.portfolio_rankings.distinct("run_id") == ["other"]
    assert store.boundaries("run") == []
