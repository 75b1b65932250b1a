"""The outcome of a batch for each kind of failure of the provider's server."""

import logging
import traceback
from collections.abc import Iterator
from datetime import date

import pytest

from analysis.prices import clean
from market_data.provider import FetchedBars, KeyRefused, Provider, ProviderUnavailable
from records import PriceIssue
from tests.clock import Clock
from tests.market_data.provider_apis import KEYS
from tests.market_data.provider_server import ProviderServer
from tests.market_data.remote import REMOTE, a_remote_provider

START, END = date(2022, 1, 3), date(2022, 1, 31)
BATCH = ["AAPL", "AMD", "KO"]
INF = float("inf")
ATTEMPTS = 5
MOMENTARY = [
    "408", "429", "429 with Retry-After in seconds", "429 with Retry-After as a date", "429 with X-RateLimit-Reset",
    "429 with an invalid Retry-After", "500", "502", "503", "503 with Retry-After", "not JSON", "another JSON",
    "no UTF-8", "no body", "truncated JSON", "body cut off", "connection lost",
]  # fmt: skip


@pytest.fixture(scope="module", params=REMOTE)
def api(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def remote(api: str, clock: Clock) -> Iterator[tuple[Provider, ProviderServer]]:
    with a_remote_provider(api, clock) as made:
        yield made


@pytest.fixture
def server(remote: tuple[Provider, ProviderServer], clock: Clock) -> ProviderServer:
    clock.advance(3600)  # ends a pause caused by the previous test
    remote[1].forget()
    return remote[1]


@pytest.fixture
def provider(remote: tuple[Provider, ProviderServer], server: ProviderServer) -> Provider:  # noqa: ARG001 - as new
    return remote[0]


def fetch(provider: Provider) -> FetchedBars:
    return provider.daily_bars(BATCH, START, END)


def outcome(fetched: FetchedBars) -> dict[str, str]:
    return dict.fromkeys(fetched.bars, "bars") | {
        symbol: type(error).__name__ for symbol, error in fetched.errors.items()
    }


@pytest.mark.parametrize("failure", MOMENTARY)
def test_a_temporary_failure_takes_one_more_request(provider: Provider, server: ProviderServer, failure: str) -> None:
    fetch(provider)
    needed = len(server.asked)
    server.failures.append(failure)
    assert outcome(fetch(provider)) == dict.fromkeys(BATCH, "bars")
    assert len(server.asked) == 2 * needed + 1


@pytest.mark.parametrize("failure", MOMENTARY)
def test_a_failure_that_stays_makes_the_provider_unavailable_after_five_attempts(
    provider: Provider, server: ProviderServer, failure: str
) -> None:
    server.always = failure
    with pytest.raises(ProviderUnavailable):
        fetch(provider)
    assert len(server.asked) == ATTEMPTS


@pytest.mark.parametrize(
    ("failure", "seconds"),
    [
        ("429", 15),
        ("429 with Retry-After in seconds", 30),
        ("429 with Retry-After as a date", 28),
        ("429 with X-RateLimit-Reset", 28),
        ("429 with an invalid Retry-After", 15),
        ("503 with Retry-After", 30),
    ],
)
def test_no_request_is_sent_before_the_time_in_retry_after(
    provider: Provider, server: ProviderServer, clock: Clock, failure: str, seconds: float
) -> None:
    before = clock.seconds
    server.failures.append(failure)
    fetch(provider)
    assert clock.seconds - before > seconds


def test_an_error_with_the_reset_time_of_the_limit_does_not_delay_requests(
    provider: Provider, server: ProviderServer, clock: Clock
) -> None:
    before = clock.seconds
    server.failures.append("503 with X-RateLimit-Reset")  # which every answer of Alpaca contains
    fetch(provider)
    assert clock.seconds - before < 15


def test_a_retry_after_beyond_the_time_limit_is_not_waited_for(
    provider: Provider, server: ProviderServer, clock: Clock
) -> None:
    before = clock.seconds
    server.failures.append("429 with a Retry-After that is too long")
    with pytest.raises(ProviderUnavailable, match="rate limit"):
        fetch(provider)
    with pytest.raises(ProviderUnavailable, match="rate limit"):
        fetch(provider)
    assert len(server.asked) == 1
    assert clock.seconds - before < 60


@pytest.mark.parametrize("status", ["401", "403", "403 that is no UTF-8"])
def test_a_refused_key_is_not_used_again_and_its_settings_are_named(
    api: str, provider: Provider, server: ProviderServer, status: str
) -> None:
    server.always = status
    with pytest.raises(KeyRefused, match=f"{status[:3]}.*{api.upper()}_") as caught:
        fetch(provider)
    assert len(server.asked) == 1
    assert not any(key in str(caught.value) for key in KEYS.values())


def test_a_wrong_key_is_refused(api: str) -> None:
    with a_remote_provider(api, key=lambda _: "wrong") as (provider, server), pytest.raises(KeyRefused):
        fetch(provider)
    assert len(server.asked) == 1


@pytest.mark.parametrize("key", ["", "two words", "a\nb", "\N{LATIN SMALL LETTER E WITH ACUTE}"])
def test_an_invalid_key_is_never_sent(api: str, key: str) -> None:
    with a_remote_provider(api, key=lambda _: key) as (provider, server), pytest.raises(KeyRefused):
        fetch(provider)
    assert server.asked == []


@pytest.mark.parametrize("status", ["302", "400", "404"])
def test_a_request_with_a_meaningless_answer_is_not_repeated(
    provider: Provider, server: ProviderServer, status: str
) -> None:
    server.always = status
    with pytest.raises(ProviderUnavailable, match=status):
        fetch(provider)
    assert len(server.asked) == 1


def test_a_request_that_times_out_is_repeated(api: str) -> None:
    with a_remote_provider(api, read_seconds=0.2) as (provider, server):
        server.failures.append("time-out")
        assert set(fetch(provider).bars) == set(BATCH)
        server.always = "time-out"
        with pytest.raises(ProviderUnavailable, match="ReadTimeout"):
            fetch(provider)


def test_a_server_that_is_not_there_is_unavailable(api: str) -> None:
    clock = Clock()
    with a_remote_provider(api, clock) as (provider, server):
        server.stop()
        before = clock.seconds
        with pytest.raises(ProviderUnavailable, match="ConnectError"):
            fetch(provider)
    assert 15 <= clock.seconds - before < 60


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        ("rows of another shape", "BadPrices"),
        ("no rows but a word", "BadPrices"),
        ("a row without an instant", "BadPrices"),
        ("an empty history", "MissingPrices"),
    ],
)
def test_an_error_of_one_symbol_affects_only_that_symbol(
    provider: Provider, server: ProviderServer, failure: str, error: str
) -> None:
    server.failures.append(failure)
    assert outcome(fetch(provider)) == {"AAPL": error, "AMD": "bars", "KO": "bars"}


@pytest.mark.parametrize(
    ("failure", "close"),
    [("a negative price", -1.0), ("a price of nothing", None), ("a price that is not a number", INF)],
)
def test_a_row_with_a_bad_price_is_handed_on_and_one_without_a_price_is_left_out(
    provider: Provider, server: ProviderServer, failure: str, close: float | None
) -> None:
    expected = fetch(provider).bars["AAPL"].close.tolist()
    server.failures.extend([failure] * 2)  # of raw and adjusted bars alike, where these are two answers
    bars = fetch(provider).bars["AAPL"]
    assert bars.close.tolist() == [expected[0], *([] if close is None else [close]), *expected[2:]]
    assert len(clean(bars, END).bars.dates) == len(expected) - 1


def test_rows_out_of_order_result_in_the_same_bars_and_an_issue(provider: Provider, server: ProviderServer) -> None:
    expected = fetch(provider)
    server.failures.append("rows out of order")
    fetched = fetch(provider)
    assert fetched.bars["AAPL"].adj_close.tolist() == expected.bars["AAPL"].adj_close.tolist()
    assert fetched.issues == {"AAPL": (PriceIssue("unordered_days", START, count=1),)}


@pytest.mark.parametrize(
    "failure", [*MOMENTARY, "401", "403", "302", "404", "another symbol", "a negative price", "none"]
)
def test_no_key_is_ever_logged_or_part_of_an_error(
    provider: Provider, server: ProviderServer, caplog: pytest.LogCaptureFixture, failure: str
) -> None:
    caplog.set_level(logging.DEBUG)
    server.always = failure
    try:
        output = repr(fetch(provider))
    except (ProviderUnavailable, KeyRefused) as error:
        output = "".join(traceback.TracebackException.from_exception(error).format(chain=True))
    output += repr(provider) + "".join(map(repr, vars(provider).values()))
    output += "".join(f"{record.getMessage()} {record.args!r} {record.exc_text}" for record in caplog.records)
    assert server.asked
    assert any(record.name.startswith("httpcore") for record in caplog.records)
    assert not [name for name, key in KEYS.items() if key in output]
