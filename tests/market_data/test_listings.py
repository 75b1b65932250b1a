"""The providers' data about symbols that were renamed or are no longer traded."""

from collections.abc import Iterator
from datetime import date

import pytest

from market_data.provider import KeyRefused, Listing, Provider, ProviderUnavailable
from tests.clock import Clock
from tests.market_data.provider_apis import SENTENCES
from tests.market_data.provider_server import ProviderServer
from tests.market_data.remote import REMOTE, a_remote_provider

SINCE = date(2022, 1, 1)


@pytest.fixture(params=REMOTE)
def api(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def remote(api: str) -> Iterator[tuple[Provider, ProviderServer]]:
    with a_remote_provider(api, Clock()) as (provider, server):
        server.delisted = {"TWTR": "2022-10-28", "BRK-B" if api == "alphavantage" else "BRK.B": "2022-03-01"}
        server.delisted |= {"OLD": "2009-06-01", "LOST": "null"}
        server.renamed = {"FB": ("META", "2022-06-09")}
        yield provider, server


def test_symbols_that_are_no_longer_traded_are_returned_with_their_day_in_our_spelling(
    remote: tuple[Provider, ProviderServer],
) -> None:
    provider, server = remote
    found = provider.listings(["TWTR", "BRK/B", "AAPL", "OLD", "LOST", "^GSPC"], SINCE)
    assert found == {
        "TWTR": Listing("delisted", date(2022, 10, 28)),
        "BRK/B": Listing("delisted", date(2022, 3, 1)),
    }
    assert len(server.asked) == (2 if "symbols" in server.asked[0].params else 1)


def test_without_symbols_no_request_is_sent(remote: tuple[Provider, ProviderServer]) -> None:
    provider, server = remote
    assert provider.listings([], SINCE) == {}
    assert server.asked == []


def test_a_renamed_symbol_is_returned_with_its_new_name_if_the_source_has_it(
    api: str, remote: tuple[Provider, ProviderServer]
) -> None:
    expected = {"FB": Listing("renamed", date(2022, 6, 9), "META")} if api == "alpaca" else {}
    assert remote[0].listings(["FB", "KO"], SINCE) == expected


def test_for_a_symbol_of_two_companies_the_last_one_counts_in_any_order() -> None:
    with a_remote_provider("alpaca") as (provider, server):
        server.delisted = {"FB": "2022-02-01"}
        server.renamed = {"FB": ("META", "2022-06-09")}
        assert provider.listings(["FB"], SINCE) == {"FB": Listing("renamed", date(2022, 6, 9), "META")}
        server.delisted = {"FB": "2022-08-01"}
        assert provider.listings(["FB"], SINCE) == {"FB": Listing("delisted", date(2022, 8, 1))}


@pytest.mark.parametrize("failure", ["500", "not JSON", "no body", "body cut off", "429 with Retry-After in seconds"])
def test_a_temporary_failure_takes_one_more_request(remote: tuple[Provider, ProviderServer], failure: str) -> None:
    provider, server = remote
    server.failures.append(failure)
    assert set(provider.listings(["TWTR"], SINCE)) == {"TWTR"}
    assert len(server.asked) == 2


def test_a_permanent_failure_is_an_outage_and_a_refused_key_is_reported(
    remote: tuple[Provider, ProviderServer],
) -> None:
    provider, server = remote
    server.always = "503"
    with pytest.raises(ProviderUnavailable):
        provider.listings(["TWTR"], SINCE)
    server.always = "401"
    with pytest.raises(KeyRefused):
        provider.listings(["TWTR"], SINCE)


def test_a_symbol_that_invalidates_the_request_does_not_affect_others() -> None:
    with a_remote_provider("alpaca") as (provider, server):
        server.delisted = {"TWTR": "2022-10-28"}
        assert set(provider.listings(["X9", "TWTR", "aapl"], SINCE)) == {"TWTR"}
        assert server.params("symbols") == ["TWTR,X9", "TWTR"]


@pytest.mark.parametrize("sentence", ["the information of the day's limit", "the error of an invalid key"])
def test_a_message_instead_of_the_list_is_handled(sentence: str) -> None:
    with a_remote_provider("alphavantage") as (provider, server):
        server.always = sentence
        with pytest.raises((ProviderUnavailable, KeyRefused)) as caught:
            provider.listings(["TWTR"], SINCE)
    assert len(server.asked) == 1
    assert next(iter(SENTENCES[sentence].values())) not in str(caught.value)
