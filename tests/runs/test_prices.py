"""The requests to a source for prices that are not stored yet, and the use of its answers."""

import logging
from collections.abc import Sequence
from copy import replace
from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np
import pytest

from analysis.prices import Bars
from market_data.patience import end_of_patience
from market_data.provider import (
    BadPrices,
    FetchedBars,
    KeyRefused,
    Listing,
    MissingPrices,
    ProviderUnavailable,
    bars_between,
)
from records import PriceIssue
from runs.prices import OVERLAP, Update, bring_up_to_date, fetch_histories
from stores.mongo import DocumentDatabase
from stores.symbols import History
from tests.builders import random_walk, weekdays, with_range
from tests.runs.steps import all_services

DAYS = weekdays(200)
START, SOURCE = date(2018, 1, 1), "test 1"


def day(index: int) -> date:
    value: date = DAYS[index].item()
    return value


@dataclass
class Source:
    """A source of prices that records its requests: symbols, first and last day."""

    bars: dict[str, Bars]
    last: date
    state: str = SOURCE
    bad: set[str] = field(default_factory=set)
    failing: dict[str, ProviderUnavailable | KeyRefused] = field(default_factory=dict)
    """The error for a request that contains the symbol; the symbols before it are answered."""
    issues: dict[str, tuple[PriceIssue, ...]] = field(default_factory=dict)
    symbols_per_batch: int = 100
    batches_at_once: int = 0
    became: dict[str, Listing] = field(default_factory=dict)
    knows_nothing: ProviderUnavailable | KeyRefused | None = None
    asked_what_became: list[tuple[tuple[str, ...], date]] = field(default_factory=list)
    asked: list[tuple[tuple[str, ...], date, date]] = field(default_factory=list)
    patience_ended: list[float] = field(default_factory=list)

    def spelling(self, symbol: str) -> str:
        return symbol

    def daily_bars(self, symbols: Sequence[str], start: date, end: date) -> FetchedBars:
        self.asked.append((tuple(symbols), start, end))
        self.patience_ended.append(end_of_patience())
        fetched = FetchedBars({}, {}, dict(self.issues))
        for symbol in symbols:
            if failure := self.failing.get(symbol):
                if isinstance(failure, ProviderUnavailable):
                    failure.fetched = fetched
                raise failure
            try:
                if symbol in self.bad:
                    raise BadPrices(symbol, "answer", "it is wrong")
                if symbol not in self.bars:
                    raise MissingPrices(symbol)
                fetched.bars[symbol] = bars_between(self.bars[symbol], symbol, start, min(end, self.last))
            except (BadPrices, MissingPrices) as error:
                fetched.errors[symbol] = error
        return fetched

    def version(self, symbol: str) -> str:  # noqa: ARG002 - the same for all
        return self.state

    def last_day(self) -> date:
        return self.last

    def listings(self, symbols: Sequence[str], since: date) -> dict[str, Listing]:
        self.asked_what_became.append((tuple(symbols), since))
        self.patience_ended.append(end_of_patience())
        if self.knows_nothing:
            raise self.knows_nothing
        return {symbol: self.became[symbol] for symbol in symbols if symbol in self.became}


@pytest.fixture
def source() -> Source:
    walks = {symbol: with_range(random_walk(DAYS, seed=seed), seed) for seed, symbol in enumerate("ABC")}
    return Source(walks, last=day(150))


def kept_until(source: Source, index: int, symbols: str = "ABC") -> dict[str, History]:
    """Return everything up to a day, as fetched by an earlier run."""
    source.last = day(index)
    kept = bring_up_to_date(source, {}, symbols, START, day(index)).histories
    source.asked.clear()
    source.last = day(150)
    return kept


def assert_same(own: Bars, expected: Bars) -> None:
    for column in ("dates", "close", "adj_close", "high", "low"):
        np.testing.assert_array_equal(getattr(own, column), getattr(expected, column))


def test_the_whole_history_of_a_new_symbol_is_requested_up_to_the_last_final_day(source: Source) -> None:
    update = bring_up_to_date(source, {}, "AB", START, day(100))
    assert source.asked == [(("A", "B"), START, day(150))]
    assert_same(update.histories["A"].bars, source.bars["A"].at(slice(151)))
    assert (update.histories["A"].start, update.histories["A"].end) == (START, day(150))


def test_prices_stored_up_to_the_wanted_day_are_not_requested_again(source: Source) -> None:
    kept = kept_until(source, 150)
    update = bring_up_to_date(source, kept, "ABC", START, day(150))
    assert source.asked == []
    assert all(update.histories[symbol] is kept[symbol] for symbol in "ABC")


def test_the_next_day_takes_one_request_for_the_new_day_and_a_few_before(source: Source) -> None:
    kept = kept_until(source, 149)
    update = bring_up_to_date(source, kept, "ABC", START, day(150))
    assert source.asked == [(("A", "B", "C"), day(149) - OVERLAP, day(150))]
    for symbol in "ABC":
        assert_same(update.histories[symbol].bars, source.bars[symbol].at(slice(151)))


def test_symbols_that_are_stored_up_to_different_days_are_requested_separately(source: Source) -> None:
    kept = kept_until(source, 145, "A") | kept_until(source, 149, "BC")
    bring_up_to_date(source, kept, "ABC", START, day(150))
    assert source.asked == [
        (("A",), day(145) - OVERLAP, day(150)),
        (("B", "C"), day(149) - OVERLAP, day(150)),
    ]


@pytest.mark.parametrize("column", ["close", "adj_close"])
def test_the_whole_history_of_a_symbol_whose_stored_days_have_changed_is_requested_again(
    source: Source, column: str
) -> None:
    kept = kept_until(source, 149)
    changed = getattr(source.bars["B"], column) * np.where(np.arange(200) < 150, 0.5, 1)
    source.bars["B"] = replace(source.bars["B"], **{column: changed})
    update = bring_up_to_date(source, kept, "ABC", START, day(150))
    assert source.asked[1:] == [(("B",), START, day(150))]
    assert_same(update.histories["B"].bars, source.bars["B"].at(slice(151)))


def test_all_requests_of_a_step_together_wait_no_longer_than_one(source: Source) -> None:
    source.bars["C"] = source.bars["C"].at(slice(100))
    kept = kept_until(source, 149, "A")
    source.bars["A"] = replace(source.bars["A"], close=source.bars["A"].close / 2)
    source.patience_ended.clear()
    bring_up_to_date(source, kept, "ABC", START, day(150))
    assert len(source.patience_ended) == 3  # for the new day, for whole histories, and for the listing of C
    assert len(set(source.patience_ended)) == 1


@pytest.mark.parametrize("had", [True, False], ids=["a day went", "a day came"])
def test_a_day_that_comes_or_goes_within_the_overlap_is_a_change(source: Source, *, had: bool) -> None:
    whole, holed = source.bars["A"], source.bars["A"].at(np.arange(200) != 147)
    source.bars["A"] = whole if had else holed
    kept = kept_until(source, 149, "A")
    source.bars["A"] = holed if had else whole
    update = bring_up_to_date(source, kept, "A", START, day(150))
    assert_same(update.histories["A"].bars, source.bars["A"].at(source.bars["A"].dates <= DAYS[150]))


def test_after_a_change_of_the_sources_state_everything_is_requested_again(source: Source) -> None:
    kept = kept_until(source, 150)
    source.state = "test 2"
    update = bring_up_to_date(source, kept, "ABC", START, day(150))
    assert source.asked == [(("A", "B", "C"), START, day(150))]
    assert update.histories["A"].source == "test 2"


def test_a_history_that_begins_too_late_is_requested_again(source: Source) -> None:
    kept = kept_until(source, 150)
    bring_up_to_date(source, kept, "A", START - timedelta(days=1), day(150))
    assert source.asked == [(("A",), START - timedelta(days=1), day(150))]


def test_an_earlier_day_needs_no_request(source: Source) -> None:
    kept = kept_until(source, 150)
    assert bring_up_to_date(source, kept, "A", START, day(20)).histories["A"] is kept["A"]
    assert source.asked == []


@pytest.mark.parametrize(("days", "asked"), [(0, False), (1, False), (6, False), (7, True)])
def test_a_symbol_that_was_asked_for_in_vain_is_requested_again_after_a_week(
    source: Source, days: int, *, asked: bool
) -> None:
    lost = source.bars.pop("A").at(slice(100))
    kept = kept_until(source, 140, "A")
    assert len(kept["A"].bars.dates) == 0
    source.bars["A"], source.last = lost, day(140) + timedelta(days=days)
    update = bring_up_to_date(source, kept, "A", START, source.last)
    assert source.asked == ([(("A",), START, source.last)] if asked else [])
    assert_same(update.histories["A"].bars, lost if asked else kept["A"].bars)


def test_each_vain_request_begins_another_week(source: Source) -> None:
    del source.bars["A"]
    kept = kept_until(source, 100, "A")
    for week in (1, 2):
        source.last = day(100) + timedelta(days=7 * week)
        update = bring_up_to_date(source, kept, "A", START, source.last)
        assert update.histories["A"].end == source.last
        kept = update.histories
        source.last += timedelta(days=6)
        bring_up_to_date(source, kept, "A", START, source.last)
        assert len(source.asked) == week


def test_a_symbol_that_was_asked_for_in_vain_is_requested_at_once_on_demand(source: Source) -> None:
    lost = source.bars.pop("A").at(slice(100))
    kept = kept_until(source, 150, "AB")
    source.bars["A"] = lost
    update = bring_up_to_date(source, kept, "AB", START, day(150), ask_again=True)
    assert source.asked == [(("A",), START, day(150))]
    assert_same(update.histories["A"].bars, lost)


def test_a_symbol_that_was_asked_for_in_vain_is_requested_at_once_after_a_change_of_the_source(source: Source) -> None:
    del source.bars["A"]
    kept = kept_until(source, 150, "A")
    source.state = "test 2"
    bring_up_to_date(source, kept, "A", START, day(150))
    assert source.asked == [(("A",), START, day(150))]


def test_a_symbol_with_too_many_bad_rows_is_requested_in_full_by_each_run(source: Source) -> None:
    sound = source.bars["A"]
    source.bars["A"] = replace(sound, close=np.where(np.arange(200) < 6, 0.0, sound.close))
    kept = kept_until(source, 149, "A")
    source.bars["A"] = sound
    update = bring_up_to_date(source, kept, "A", START, day(150))
    assert source.asked == [(("A",), START, day(150))]
    assert_same(update.histories["A"].bars, sound.at(slice(151)))


def test_the_whole_history_of_a_symbol_that_ended_long_ago_is_not_requested(source: Source) -> None:
    source.bars["A"] = source.bars["A"].at(slice(100))
    kept = kept_until(source, 149, "A")
    update = bring_up_to_date(source, kept, "A", START, day(150))
    assert len(source.asked) == 1
    assert_same(update.histories["A"].bars, source.bars["A"])


def test_the_whole_history_is_requested_when_prices_return_after_weeks_because_they_may_have_been_adjusted(
    source: Source,
) -> None:
    before, after = source.bars["A"].at(slice(120)), source.bars["A"].at(np.r_[0:120, 150:200])
    source.bars["A"] = before
    kept = kept_until(source, 149, "A")
    split = after.adj_close * np.where(np.arange(len(after.dates)) < 120, 10, 1)
    source.bars["A"] = replace(after, adj_close=split)
    update = bring_up_to_date(source, kept, "A", START, day(150))
    assert source.asked == [(("A",), day(149) - OVERLAP, day(150)), (("A",), START, day(150))]
    assert_same(update.histories["A"].bars, source.bars["A"].at(slice(121)))


def test_a_last_day_that_the_source_reports_a_night_late_is_a_new_day_and_no_change(source: Source) -> None:
    whole = source.bars
    source.bars = {symbol: own.at(slice(149)) for symbol, own in whole.items()}
    kept = kept_until(source, 149)
    source.bars = {symbol: own.at(slice(150)) for symbol, own in whole.items()}
    update = bring_up_to_date(source, kept, "ABC", START, day(150))
    assert source.asked == [(("A", "B", "C"), day(149) - OVERLAP, day(150))]
    assert_same(update.histories["A"].bars, whole["A"].at(slice(150)))


def test_prices_that_the_source_withdraws_are_kept_and_updated_when_it_has_them_again(source: Source) -> None:
    kept = kept_until(source, 148, "A")
    withdrawn = source.bars.pop("A")
    update = bring_up_to_date(source, kept, "A", START, day(149))
    assert update.errors == {}
    assert_same(update.histories["A"].bars, withdrawn.at(slice(149)))
    source.bars["A"] = withdrawn
    update = bring_up_to_date(source, update.histories, "A", START, day(151))
    assert_same(update.histories["A"].bars, withdrawn.at(slice(151)))


def test_wrong_prices_are_an_error_of_the_symbol_and_replace_nothing(source: Source) -> None:
    kept = kept_until(source, 149)
    source.bad = {"B"}
    update = bring_up_to_date(source, kept, "ABC", START, day(150))
    assert (set(update.histories), set(update.errors)) == ({"A", "C"}, {"B"})
    assert len(source.asked) == 1


def test_days_without_highs_and_lows_do_not_cost_those_of_other_days(source: Source) -> None:
    kept = kept_until(source, 149, "A")
    whole = source.bars["A"]
    source.bars["A"] = replace(whole, high=None, low=None)
    bars = bring_up_to_date(source, kept, "A", START, day(150)).histories["A"].bars
    assert bars.high is not None
    assert whole.high is not None
    since = int(np.isnan(bars.high).argmax())
    assert DAYS[since].item() == day(149) - OVERLAP
    np.testing.assert_array_equal(bars.high[:since], whole.high[:since])
    assert np.isnan(bars.high[since:]).all()


def test_an_adjusted_close_that_is_still_missing_is_no_change(source: Source) -> None:
    adj_close = source.bars["A"].adj_close.copy()
    adj_close[145] = np.nan
    source.bars["A"] = replace(source.bars["A"], adj_close=adj_close)
    kept = kept_until(source, 149, "A")
    update = bring_up_to_date(source, kept, "A", START, day(150))
    assert len(source.asked) == 1
    assert_same(update.histories["A"].bars, source.bars["A"].at(slice(151)))


def test_a_history_keeps_one_issue_of_each_kind(source: Source) -> None:
    source.issues = {
        "A": (PriceIssue("duplicate_days", day(3), count=1), PriceIssue("unordered_days", day(4), count=2))
    }
    kept = kept_until(source, 149, "A")
    newer = PriceIssue("duplicate_days", day(150), count=1)
    source.issues = {"A": (newer,)}
    update: Update = bring_up_to_date(source, kept, "A", START, day(150))
    assert set(update.histories["A"].issues) == {newer, PriceIssue("unordered_days", day(4), count=2)}


def test_the_listing_of_a_symbol_is_requested_after_its_prices_have_stopped_and_then_stored(source: Source) -> None:
    source.bars["B"] = source.bars["B"].at(slice(100))
    source.became = {"B": Listing("renamed", day(100), "NEW"), "X": Listing("delisted", None)}
    kept = kept_until(source, 149, "ABX")
    assert source.asked_what_became == [(("B", "X"), START)]
    renamed = PriceIssue("renamed", day(100), new_symbol="NEW")
    assert [kept[symbol].issues for symbol in "ABX"] == [(), (renamed,), (PriceIssue("delisted"),)]
    update = bring_up_to_date(source, kept, "ABX", START, day(150))
    assert [update.histories[symbol].issues for symbol in "ABX"] == [kept[symbol].issues for symbol in "ABX"]
    assert len(source.asked_what_became) == 1


def test_a_symbol_that_trades_again_is_no_longer_reported_as_delisted(source: Source) -> None:
    whole, source.bars["A"] = source.bars["A"], source.bars["A"].at(slice(100))
    source.became = {"A": Listing("delisted", day(100))}
    kept = kept_until(source, 149, "A")
    source.bars["A"] = whole
    assert bring_up_to_date(source, kept, "A", START, day(150)).histories["A"].issues == ()


def test_a_listing_that_ended_long_before_the_prices_stopped_was_of_another_company(source: Source) -> None:
    source.bars |= {"A": source.bars["A"].at(slice(100, 140)), "B": source.bars["B"].at(slice(100))}
    source.became = {symbol: Listing("delisted", day(90)) for symbol in "AX"}
    source.became["B"] = Listing("delisted", day(98))  # some sources report it a day or two early
    kept = kept_until(source, 150, "ABX")
    assert [len(kept[symbol].issues) for symbol in "ABX"] == [0, 1, 1]


@pytest.mark.parametrize("error", [ProviderUnavailable("it is away"), KeyRefused("not in the subscription")])
def test_a_source_without_listings_does_not_lose_prices(
    source: Source, caplog: pytest.LogCaptureFixture, error: ProviderUnavailable | KeyRefused
) -> None:
    source.bars["A"] = source.bars["A"].at(slice(100))
    source.knows_nothing = error
    with caplog.at_level(logging.WARNING):
        update = bring_up_to_date(source, {}, "A", START, day(150))
    assert_same(update.histories["A"].bars, source.bars["A"])
    assert f"Listing status of 1 symbols is unavailable: {error}" in caplog.text


def test_answers_received_before_the_source_failed_are_not_requested_again(source: Source) -> None:
    for kept in ({}, kept_until(source, 149)):
        source.failing = {"C": ProviderUnavailable("it is away")}
        update = bring_up_to_date(source, kept, "ABC", START, day(150))
        assert update.failure is source.failing["C"]
        assert len(source.asked) == 1
        assert set(update.histories) == {"A", "B"}
        source.failing.clear()
        source.asked.clear()
        update = bring_up_to_date(source, kept | update.histories, "ABC", START, day(150))
        assert update.failure is None
        assert [symbols for symbols, _, _ in source.asked] == [("C",)]
        for symbol in "ABC":
            assert_same(update.histories[symbol].bars, source.bars[symbol].at(slice(151)))
        source.asked.clear()


@pytest.mark.parametrize("error", [ProviderUnavailable("it is away"), KeyRefused("not in the subscription")])
def test_after_a_failure_of_the_source_nothing_more_is_requested_and_complete_histories_remain(
    source: Source, error: ProviderUnavailable | KeyRefused
) -> None:
    kept = kept_until(source, 145, "A") | kept_until(source, 149, "BC")
    source.failing = {"B": error}
    update = bring_up_to_date(source, kept, "ABCX", START, day(150))
    assert [symbols for symbols, _, _ in source.asked] == [("A",), ("B", "C")]
    assert source.asked_what_became == []
    assert update.failure is error
    assert set(update.histories) == {"A"}
    assert_same(update.histories["A"].bars, source.bars["A"].at(slice(151)))


def test_symbols_whose_prices_stopped_are_left_to_an_attempt_that_can_request_their_listings(source: Source) -> None:
    source.bars["A"] = source.bars["A"].at(slice(100))
    source.became = {"A": Listing("delisted", day(100))}
    source.failing = {"C": ProviderUnavailable("it is away")}
    update = bring_up_to_date(source, {}, "AXBC", START, day(150))
    assert set(update.histories) == {"B"}
    assert source.asked_what_became == []
    source.failing.clear()
    source.asked.clear()
    update = bring_up_to_date(source, update.histories, "AXBC", START, day(150))
    assert [symbols for symbols, _, _ in source.asked] == [("A", "X", "C")]
    assert source.asked_what_became == [(("A", "X"), START)]
    assert update.histories["A"].issues == (PriceIssue("delisted", day(100)),)


def test_a_symbol_known_to_be_delisted_is_extended_even_if_the_source_fails_for_others(source: Source) -> None:
    source.bars["A"] = source.bars["A"].at(slice(100))
    source.became = {"A": Listing("delisted", day(100))}
    kept = kept_until(source, 149)
    source.failing = {"C": ProviderUnavailable("it is away")}
    update = bring_up_to_date(source, kept, "ABC", START, day(150))
    assert set(update.histories) == {"A", "B"}
    assert (update.histories["A"].end, update.histories["A"].issues) == (day(150), kept["A"].issues)
    assert len(source.asked_what_became) == 1


def test_stored_days_that_have_changed_are_requested_again_by_the_attempt_after_a_failure(source: Source) -> None:
    kept = kept_until(source, 149)
    source.bars["B"] = replace(source.bars["B"], close=source.bars["B"].close / 2)
    source.failing = {"C": ProviderUnavailable("it is away")}
    update = bring_up_to_date(source, kept, "ABC", START, day(150))
    assert set(update.histories) == {"A"}
    source.failing.clear()
    source.asked.clear()
    update = bring_up_to_date(source, kept | update.histories, "ABC", START, day(150))
    assert source.asked == [(("B", "C"), day(149) - OVERLAP, day(150)), (("B",), START, day(150))]
    assert_same(update.histories["B"].bars, source.bars["B"].at(slice(151)))


def test_row_12_a_correction_of_long_ago_is_found_within_thirty_days_whatever_the_source_shows_of_it() -> None:
    dates = weekdays(80, "2026-01-05")
    symbols = [f"S{number}" for number in range(200)]
    source = Source({symbol: random_walk(dates, seed) for seed, symbol in enumerate(symbols)}, last=dates[29].item())
    wrong = source.bars
    kept = bring_up_to_date(source, {}, symbols, START, source.last).histories
    halved = np.where(np.arange(80) < 10, 0.5, 1.0)
    source.bars = {symbol: replace(own, adj_close=own.adj_close * halved) for symbol, own in wrong.items()}
    reread: list[int] = []
    for night in range(1, 31):
        source.last = dates[29].item() + timedelta(days=night)
        source.asked.clear()
        kept = bring_up_to_date(source, kept, symbols, START, source.last).histories
        reread += [len(asked) for asked, start, _ in source.asked if start == START]
        if source.last.weekday() > 4:
            assert [start for _, start, _ in source.asked] != [START]
    for symbol, own in kept.items():
        assert_same(own.bars, source.bars[symbol].between(START, source.last))
    # A twentieth a weekday, and a few of them twice in six weeks.
    assert sum(reread) <= 200 * 22 / 20 + 20
    assert max(reread) <= 25


def test_nights_that_were_left_out_are_made_up_for(source: Source) -> None:
    symbols = [f"S{number}" for number in range(50)]
    source.bars = {symbol: random_walk(DAYS, seed) for seed, symbol in enumerate(symbols)}
    source.last = day(100)
    kept = bring_up_to_date(source, {}, symbols, START, day(100)).histories
    source.last = day(120)
    source.asked.clear()
    bring_up_to_date(source, kept, symbols, START, day(120))
    assert source.asked == [(tuple(symbols), START, day(120))]


def test_prices_that_the_source_withdraws_are_kept_when_it_is_their_turn(source: Source) -> None:
    kept = kept_until(source, 100, "A")
    withdrawn = source.bars.pop("A")
    update = bring_up_to_date(source, kept, "A", START, day(150))
    assert [start for _, start, _ in source.asked] == [START]
    assert_same(update.histories["A"].bars, withdrawn.at(slice(101)))


@pytest.mark.parametrize(
    ("error", "stored"),
    [(ProviderUnavailable("it is away"), {"A", "B"}), (KeyRefused("not in the subscription"), set[str]())],
)
def test_received_answers_are_stored_before_the_error_is_raised(
    source: Source,
    database: DocumentDatabase,
    mongodb_url: str,
    error: ProviderUnavailable | KeyRefused,
    stored: set[str],
) -> None:
    source.failing = {"C": error}
    with all_services(database, mongodb_url, source) as services:
        with pytest.raises(type(error), match=str(error)):
            fetch_histories(services, ["A", "B", "C"], day(150), services.settings.lookback_days, ask_again=False)
        assert set(services.prices.load(["A", "B", "C"])) == stored
        source.failing.clear()
        source.asked.clear()
        update = fetch_histories(services, ["A", "B", "C"], day(150), services.settings.lookback_days, ask_again=False)
        assert [set(symbols) for symbols, _, _ in source.asked] == [{"A", "B", "C"} - stored]
        assert set(services.prices.load(["A", "B", "C"])) == set(update.histories) == {"A", "B", "C"}
