"""What is computed again behind a report, from documents and prices as they are stored."""

from collections.abc import Iterator

import pytest

from market_data.sample_prices import SampleProvider
from runs.earned import gains_behind
from runs.services import Services
from stores.mongo import DocumentDatabase
from tests.runs.steps import RUN_ID, all_services, analyze_all, prepare, start


@pytest.fixture
def services(database: DocumentDatabase, mongodb_url: str) -> Iterator[Services]:
    with all_services(database, mongodb_url, SampleProvider()) as made:
        yield made


def test_holdings_without_transactions_are_lots_of_unknown_cost_with_a_value(
    database: DocumentDatabase, services: Services
) -> None:
    start(services, database, users=1)
    analyze_all(services, prepare(services))
    report = services.reports.get(RUN_ID, "u0")
    assert report is not None
    (lot,) = gains_behind(services, report, None, None).gains.unrealized
    assert (lot.symbol, lot.quantity, lot.cost, lot.gain) == ("AAPL", 1, None, None)
    assert lot.value == pytest.approx(report["holdings"][0]["market_value"])
