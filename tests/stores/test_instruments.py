import math
from typing import Any

import pytest
from bson import Decimal128

from analysis.models import Instrument
from stores.mongo import DocumentDatabase
from stores.portfolios import PortfolioStore


@pytest.fixture
def store(database: DocumentDatabase) -> PortfolioStore:
    return PortfolioStore(database)


def test_the_facts_about_requested_symbols_are_returned(database: DocumentDatabase, store: PortfolioStore) -> None:
    fund = {"symbol": "FUND", "kind": "fund", "diversified": True, "lot_size": "0.5", "fractional": False, "name": "F"}
    fund |= {"sector": " Energy\n", "country": 7}
    database.instruments.insert_many([fund, {"symbol": "BOND", "multiplier": Decimal128("0.01")}, {"symbol": "OTHER"}])
    assert store.instruments(["FUND", "BOND", "UNKNOWN"]) == {
        "FUND": Instrument(
            "fund", diversified=True, multiplier=1.0, lot_size=0.5, fractional=False, name="F", sector="Energy"
        ),
        "BOND": Instrument(multiplier=0.01),
    }


def test_a_backend_without_instruments_is_no_error(store: PortfolioStore) -> None:
    assert store.instruments(["AAPL"]) == {}
    assert store.instruments([]) == {}


def test_an_instrument_is_found_in_every_spelling_and_that_of_the_source_comes_first(
    database: DocumentDatabase, store: PortfolioStore
) -> None:
    database.instruments.insert_one({"symbol": "BRK B", "lot_size": 1})
    assert store.instruments(["BRK.B"]) == {"BRK.B": Instrument(lot_size=1.0)}
    database.instruments.insert_many([{"symbol": "BRK.B", "lot_size": 2}, {"symbol": "BRK/B", "lot_size": 3}])
    assert store.instruments(["BRK.B"]) == {"BRK.B": Instrument(lot_size=2.0)}


@pytest.mark.parametrize("value", ["much", 0, -1, True, [], float("nan")])
def test_a_multiplier_that_cannot_be_read_is_not_one(
    database: DocumentDatabase, store: PortfolioStore, caplog: pytest.LogCaptureFixture, value: object
) -> None:
    database.instruments.insert_one({"symbol": "BOND", "multiplier": value})
    assert math.isnan(store.instruments(["BOND"])["BOND"].multiplier)
    assert "instruments.multiplier of BOND is no positive number" in caplog.text


@pytest.mark.parametrize(
    "odd",
    [
        {"kind": 7},
        {"diversified": "yes"},
        {"lot_size": 0},
        {"lot_size": 1e-300},
        {"fractional": 1},
        {"symbol": ["ODD", "X"]},
    ],
)
def test_other_facts_that_cannot_be_read_are_as_if_absent(
    database: DocumentDatabase, store: PortfolioStore, odd: dict[str, Any]
) -> None:
    database.instruments.insert_one({"symbol": "ODD", **odd})
    assert store.instruments(["ODD"]).get("ODD", Instrument()) == Instrument()
