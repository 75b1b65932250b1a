"""A run over 10,000 users and 5,000 symbols with prices from a local stand-in for Alpaca's server."""

from benchmarks.site import running_site
from benchmarks.tables import Group, Row
from benchmarks.workload import symbols, walks
from tests.market_data.made_up import traded
from tests.market_data.provider_apis import KEYS, alpaca
from tests.market_data.provider_server import a_provider_server

USERS, SYMBOLS = 10_000, 5_000


def group() -> Group:
    """Measure, and return the table.

    Raises:
        RuntimeError: not every user was analyzed.
    """
    names = ("SPY", *symbols(SYMBOLS))
    market = {symbol: traded(symbol, bars) for symbol, bars in zip(names, walks(SYMBOLS + 1), strict=True)}
    with (
        a_provider_server(alpaca, market) as server,
        running_site(
            USERS,
            SYMBOLS,
            MARKET_DATA_PROVIDER="alpaca",
            MARKET_DATA_REQUESTS_PER_MINUTE="100000",
            ALPACA_URL=server.url,
            ALPACA_KEY_ID=KEYS["alpaca-key-id"],
            ALPACA_SECRET_KEY=KEYS["alpaca-secret-key"],
        ) as site,
    ):
        rows: list[Row] = []
        for name in ("first run", "second run of the day"):
            server.asked.clear()
            with site.peak_memory() as peaks:
                run = site.run_once()
            if (run["users_analyzed"], run["symbols"]) != (USERS, SYMBOLS):
                raise RuntimeError(f"not every user was analyzed: {run['status']}, {run['errors']}")
            metrics = run["metrics"]
            rows += [
                Row(f"{name}, s", metrics["total_duration_seconds"]),
                Row(f"{name}: prices, s", metrics["market_data_duration_seconds"]),
                Row(f"{name}: research and alignment, s", metrics["research_duration_seconds"]),
                Row(f"{name}: pages of users, s", metrics["analyze_duration_seconds"]),
                Row(f"{name}: requests to the provider", len(server.asked)),
                *[Row(f"{name}: peak memory of {kind}, MB", peak) for kind, peak in sorted(peaks.items())],
            ]
    return Group(
        title=f"A run over {USERS:,} users and {SYMBOLS:,} symbols with a provider's server",
        unit="",
        ratio_to="",
        rows=rows,
        notes=[
            "The stand-in is written in Python and shares the two cores, as the embedded MongoDB does; this slows down",
            "the prices of the first run.",
        ],
    )
