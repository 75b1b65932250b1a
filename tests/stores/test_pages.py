import math

import pytest

from analysis.models import Account, Holding, InvalidHolding, Portfolio
from records import Outcome
from stores.backend import TEXT
from stores.batches import BatchStore, PageErrors
from stores.lines import Lines
from stores.mongo import DocumentDatabase
from stores.pages import Crowds, Found, Kept, Page, PageStore
from stores.portfolio_documents import InvalidPortfolio
from stores.ranges import IdRange

RICH = Portfolio(
    "a",
    holdings=(Holding("AAPL", -1.5, None), Holding("BRK.B", 2e-200, 0.1 + 0.2)),
    watchlist=("é", "XOM"),
    cash=-0.0,
    buying_power=1e12,
    invalid_holdings=(InvalidHolding("?", "symbol is not a text that can be one", 3.0, None),),
    thresholds={"volatility": {"warning": 0.1, "breach": 0.2}},
    notes=("An account counts as empty.",),
    accounts=(Account("", 1.0, 2.0, "USD"), Account("7", 1.0, 2.0, "CHF")),
    base_currency="CHF",
    lot_method="average",
)
INVALID = InvalidPortfolio("b", "too_many_holdings", "There are more than 5000 holdings.")


@pytest.fixture
def pages(database: DocumentDatabase) -> PageStore:
    BatchStore(database).ensure_indexes()
    return PageStore(database)


def test_a_page_has_its_range_or_its_members_from_the_beginning(pages: PageStore) -> None:
    pages.write("run", "plan", 0, [IdRange(TEXT, None, "m")])
    pages.write("run", "plan", 1, [["x", "y"]])
    pages.write("run", "late-plan", 0, [["z"]])
    assert pages.get("plan", 0) == Page(IdRange(TEXT, None, "m"))
    assert pages.get("plan", 1) == Page(["x", "y"])
    assert pages.get("plan", 2) is None


def test_portfolios_come_back_as_they_were_read(pages: PageStore) -> None:
    pages.write("run", "plan", 0, [IdRange(TEXT)])
    pages.record_read("plan", 0, Found(), {}, Kept.of([INVALID, RICH]))
    page = pages.get("plan", 0)
    assert page is not None
    assert page.is_read
    assert page.kept is not None
    assert page.kept.all() == [RICH, INVALID]


def test_a_threshold_that_cannot_be_read_stays_one(pages: PageStore) -> None:
    pages.write("run", "plan", 0, [IdRange(TEXT)])
    odd = Portfolio("a", thresholds={"beta": {"warning": math.nan}})
    pages.record_read("plan", 0, Found(), {}, Kept.of([odd]))
    page = pages.get("plan", 0)
    assert page is not None
    assert page.kept is not None
    assert math.isnan(page.kept.portfolios[0].thresholds["beta"]["warning"])


def test_what_a_page_found_is_recorded_once(pages: PageStore) -> None:
    pages.write("run", "plan", 0, [IdRange(TEXT, None, "m"), IdRange(TEXT, "m")])
    first = Found(users=2, holders={"AAPL": 2}, watched=["XOM"], currencies={"CHF": 1})
    crowds = Crowds([["A", "B"], ["B"]], left_out=3)
    pages.record_read("plan", 0, first, {"watchlists": crowds, "transactions": Crowds()}, Kept())
    pages.record_read("plan", 0, Found(users=9), {"transactions": crowds}, Kept.of([RICH]))
    with pytest.raises(LookupError):  # not treated as a page of nobody
        list(pages.found("plan"))
    pages.record_read("plan", 1, Found(), {}, Kept())
    assert list(pages.found("plan")) == [first, Found()]
    assert list(pages.crowds("plan", "watchlists")) == [crowds]
    assert list(pages.crowds("plan", "transactions")) == []


def test_the_portfolios_of_a_page_go_with_its_outcome(pages: PageStore, database: DocumentDatabase) -> None:
    pages.write("run", "plan", 0, [IdRange(TEXT)])
    pages.record_read("plan", 0, Found(), {}, Kept.of([RICH]))
    assert BatchStore(database).record_page("plan", 0, Outcome(analyzed=1), PageErrors(), Lines())
    assert pages.get("plan", 0) == Page(IdRange(TEXT), is_read=True, outcome=Outcome(analyzed=1))


def test_a_page_of_a_run_that_is_over_is_not_written_again(pages: PageStore, database: DocumentDatabase) -> None:
    pages.record_read("plan", 0, Found(users=1), {}, Kept())
    assert database.run_batches.count_documents({}) == 0
