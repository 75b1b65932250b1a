"""Invented users with invented portfolios, most of them ordinary and some of them awkward.

No person, account or trade is real. The symbols are those of ``market_data/sample``, plus one that no feed has. The
transactions that led to these holdings and this cash are in :mod:`devhost.sample_ledgers`.
"""

from copy import replace
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SampleHolding:
    """A position. ``quantity`` is text for one that is stored as text, ``avg_price`` is ``None`` if it is unknown."""

    symbol: str
    quantity: float | str
    avg_price: float | None


@dataclass(frozen=True, slots=True)
class SampleAccount:
    """An account, its amounts in its currency; ``cash`` is text for a corrupt document."""

    account_id: str
    currency: str
    cash: float | str
    buying_power: float


@dataclass(frozen=True, slots=True)
class SampleUser:
    """A user as the existing backend stores one; without a ``base_currency`` that of the app applies."""

    user_id: str
    holdings: tuple[SampleHolding, ...]
    watchlist: tuple[str, ...]
    accounts: tuple[SampleAccount, ...]
    base_currency: str | None = None
    is_admin: bool = False
    is_active: bool = True


def _user(
    user_id: str,
    *positions: tuple[str, float | str, float | None],
    watching: str = "",
    cash: float | str = 0.0,
    buying_power: float = 0.0,
) -> SampleUser:
    holdings = tuple(SampleHolding(*position) for position in positions)
    return SampleUser(user_id, holdings, tuple(watching.split()), (_account(user_id, "USD", cash, buying_power),))


def _account(user_id: str, currency: str, cash: float | str, buying_power: float) -> SampleAccount:
    return SampleAccount(f"{user_id}-{currency.lower()}", currency, cash, buying_power)


def _based_in(currency: str, user: SampleUser, *further: tuple[str, float]) -> SampleUser:
    """Return a user with this base currency and account, and with further accounts, each a currency and its cash."""
    (own,) = user.accounts
    accounts = [_account(user.user_id, currency, own.cash, own.buying_power)]
    accounts += [_account(user.user_id, other, cash, cash) for other, cash in further]
    return replace(user, base_currency=currency, accounts=tuple(accounts))


_ORDINARY = (
    _user(
        "ada-allrounder",
        ("AAPL", 900, 41.2), ("MSFT", 260, 88.4), ("JNJ", 210, 128.9), ("JPM", 240, 97.1), ("KO", 600, 44.8),
        ("PG", 190, 96.3), ("HD", 110, 172.5), ("UNH", 75, 246.0), ("XOM", 260, 61.7), ("WMT", 180, 92.4),
        ("LLY", 90, 118.6), ("PEP", 140, 112.0), ("MRK", 230, 62.1), ("CVX", 95, 104.8),
        watching="AMD PFE BBY", cash=64_000, buying_power=64_000,
    ),
    _user(
        "ben-bluechip",
        ("AAPL", 85, 124.8), ("JNJ", 60, 151.2), ("JPM", 70, 134.4), ("PG", 55, 139.0), ("MSFT", 40, 214.7),
        ("WMT", 45, 131.6), ("KO", 150, 52.3), ("HD", 18, 289.5), ("MRK", 80, 71.9),
        watching="UNH LLY", cash=9_500, buying_power=9_500,
    ),
    _user(
        "cleo-chips", ("AMD", 350, 38.7), ("AAPL", 120, 96.1), ("MSFT", 60, 168.2),
        watching="GE BBY", cash=4_200, buying_power=8_400,
    ),
    _user(
        "dan-dividend",
        ("KO", 420, 46.1), ("PEP", 130, 124.3), ("PG", 110, 118.8), ("JNJ", 95, 139.4), ("XOM", 240, 58.2),
        ("CVX", 105, 98.7), ("PFE", 380, 34.6), ("MRK", 160, 69.5),
        cash=18_750.5, buying_power=18_750.5,
    ),
    _user(
        "eve-energy", ("XOM", 300, 66.4), ("CVX", 160, 109.2),
        watching="RRC", cash=2_100, buying_power=2_100,
    ),
    _user(
        "finn-fifties",
        ("MSFT", 45, 251.3), ("UNH", 22, 468.7), ("LLY", 30, 248.1), ("HD", 28, 327.9), ("PEP", 50, 158.6),
        watching="AAPL", cash=21_000, buying_power=21_000,
    ),
    _user(
        "gus-garage", ("GE", 210, 92.6), ("BBY", 140, 88.3), ("WMT", 60, 121.7),
        cash=650.25, buying_power=1_300.5,
    ),
    # Lives in the euro area, and changes euros into dollars for an account of their own.
    _based_in(
        "EUR",
        _user(
            "hana-health",
            ("JNJ", 80, 144.9), ("PFE", 260, 38.8), ("MRK", 120, 72.4), ("LLY", 35, 221.0), ("UNH", 25, 412.6),
            watching="JNJ", cash=5_900, buying_power=5_900,
        ),
        ("USD", 1_850.4),
    ),
    _user(
        "ivo-indexer",
        ("AAPL", 30, 131.0), ("MSFT", 16, 242.0), ("JPM", 28, 126.5), ("JNJ", 22, 160.3), ("XOM", 32, 71.6),
        ("UNH", 7, 455.0), ("PG", 23, 140.8), ("HD", 11, 301.2), ("CVX", 20, 128.3), ("LLY", 10, 270.4),
        ("MRK", 32, 84.2), ("PEP", 20, 162.5), ("KO", 56, 57.9), ("BAC", 100, 36.8), ("WMT", 25, 138.0),
        cash=1_000, buying_power=1_000,
    ),
    # Lives in Great Britain, and pays for shares in dollars from an account in pounds, at the rates of a bank.
    _based_in(
        "GBP",
        _user(
            "jo-justbanks", ("JPM", 150, 118.3), ("BAC", 700, 31.5),
            watching="JPM BAC", cash=3_300, buying_power=3_300,
        ),
    ),
    _user(
        "kim-keepscash", ("KO", 40, 55.2), ("PG", 12, 141.7), ("JNJ", 10, 163.1),
        watching="AAPL MSFT UNH", cash=96_000, buying_power=96_000,
    ),
    _user(
        "leo-latecomer", ("AMD", 90, 131.4), ("AAPL", 60, 171.8), ("MSFT", 25, 321.5), ("BBY", 40, 112.6),
        cash=480, buying_power=480,
    ),
    _user(
        "mia-monthly",
        ("PEP", 15, 149.6), ("WMT", 20, 129.9), ("HD", 6, 296.4), ("MRK", 25, 78.8), ("BAC", 60, 33.7),
        ("CVX", 9, 121.0), ("AAPL", 18, 128.5), ("GE", 25, 70.2),
        watching="LLY", cash=2_250, buying_power=2_250,
    ),
)  # fmt: skip

_AWKWARD = (
    # A gift, transferred in kind: its cost is known to be 0, so its gain is its value, and has no percentage.
    _user("gia-gift", ("JPM", 40, 0.0), ("PG", 30, 132.6), cash=3_000, buying_power=3_000),
    # No holdings, but a watchlist: research and decisions, but nothing to value.
    _user("nell-nothing-held", watching="AAPL LLY XOM", cash=25_000, buying_power=25_000),
    # Neither holdings nor watchlist: never planned.
    _user("otto-onlooker", cash=500, buying_power=500),
    # One holding: no correlation, no diversification.
    _user("pia-pepsi-only", ("PEP", 200, 141.3), cash=1_500, buying_power=1_500),
    # A short position: negative weight.
    _user(
        "quinn-short",
        ("MSFT", 50, 208.9),
        ("JNJ", 70, 152.0),
        ("AMD", -120, 94.6),
        ("KO", 160, 53.3),
        cash=14_000,
        buying_power=6_000,
    ),
    # A symbol that no feed has: excluded from the market value, and reported by the run.
    _user("rosa-rare", ("NOSUCH", 100, 12.5), ("WMT", 60, 126.2), ("PG", 40, 133.9), cash=2_000, buying_power=2_000),
    # A split of 2020 that the holdings do not reflect yet: a fourth of today's shares, at four times their cost.
    _user("sid-split-missed", ("AAPL", 30, 384.4), ("MSFT", 35, 171.2), cash=2_900, buying_power=2_900),
    # A stale price in a small part: valued, but excluded from return-based figures.
    _user("sam-stale-share", ("RRC", 150, 18.4), ("XOM", 120, 63.8), ("CVX", 60, 112.9), ("AAPL", 50, 109.7), cash=900),
    # A stale price in most of it: too little left for return-based figures.
    _user("tess-stale-mostly", ("RRC", 900, 21.7), ("KO", 100, 54.0), cash=1_200, buying_power=1_200),
    # A quantity stored as text, as some exports do.
    _user("tim-text", ("KO", "12.5", 51.7), ("PEP", 8, 139.9), cash=700, buying_power=700),
    # Fractional shares, as in savings plans.
    _user(
        "uma-fractions",
        ("AAPL", 3.14159, 148.2),
        ("MSFT", 0.75, 262.9),
        ("LLY", 1.2345, 301.6),
        ("HD", 0.0625, 312.0),
        cash=42.17,
        buying_power=42.17,
    ),
    # A holding of unknown cost: valued, but without a gain, and in no sum of gains. The ledger is incomplete: it begins
    # after this purchase.
    _user("una-unknown-cost", ("XOM", 70, None), ("CVX", 40, 104.5), ("HD", 9, 281.3), cash=2_600, buying_power=2_600),
    # An inactive user: never planned.
    replace(_user("vic-vanished", ("AAPL", 10, 120.0)), is_active=False),
    # Debt above the value of all holdings: no weights can be computed.
    _user("walt-underwater", ("PFE", 100, 51.8), cash=-12_000),
    # The only holding's quantity is text.
    _user("xena-corrupt-holding", ("AAPL", "ten", 130.0), cash=1_000, buying_power=1_000),
    # The account's cash is text.
    _user("yuri-corrupt-account", ("KO", 30, 56.1), cash="1.000,00", buying_power=1_000),
)

# The administrator, who also has a portfolio.
_ADMINISTRATOR = replace(
    _user(
        "zoe-admin",
        ("MSFT", 12, 199.4),
        ("UNH", 4, 388.1),
        ("JPM", 25, 114.2),
        watching="GE",
        cash=5_000,
        buying_power=5_000,
    ),
    is_admin=True,
)

SAMPLE_STOCKS = {
    "AAPL": "Apple",
    "AMD": "Advanced Micro Devices",
    "BAC": "Bank of America",
    "BBY": "Best Buy",
    "CVX": "Chevron",
    "GE": "General Electric",
    "HD": "Home Depot",
    "JNJ": "Johnson & Johnson",
    "JPM": "JPMorgan Chase",
    "KO": "Coca-Cola",
    "LLY": "Eli Lilly",
    "MRK": "Merck",
    "MSFT": "Microsoft",
    "PEP": "PepsiCo",
    "PFE": "Pfizer",
    "PG": "Procter & Gamble",
    "RRC": "Range Resources",
    "UNH": "UnitedHealth",
    "WMT": "Walmart",
    "XOM": "Exxon Mobil",
}
"""The names of the companies with prices in the sample, by symbol."""

SAMPLE_SECTORS = {
    "AAPL": "Technology", "AMD": "Technology", "BAC": "Financials", "BBY": "Consumer discretionary", "CVX": "Energy",
    "GE": "Industrials", "HD": "Consumer discretionary", "JNJ": "Health care", "JPM": "Financials",
    "KO": "Consumer staples", "LLY": "Health care", "MRK": "Health care", "MSFT": "Technology",
    "PEP": "Consumer staples", "PFE": "Health care", "PG": "Consumer staples", "RRC": "Energy", "UNH": "Health care",
    "WMT": "Consumer staples", "XOM": "Energy",
}  # fmt: skip
"""Their sectors; all of them are in the United States."""

SAMPLE_INDEX = {"SP500": "S&P 500"}
"""The name of the index, likewise."""

SAMPLE_USERS = (*_ORDINARY, *_AWKWARD, _ADMINISTRATOR)
