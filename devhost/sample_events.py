"""What is special in the ledgers of the sample users; everything else in them follows from prices and holdings."""

from collections.abc import Mapping
from dataclasses import dataclass

from analysis.returns.ledger import TransactionType
from devhost.sample_data import SampleHolding

YIELDS: Mapping[str, float] = {
    "AAPL": 0.006, "BAC": 0.022, "BBY": 0.028, "CVX": 0.045, "GE": 0.005, "HD": 0.023, "JNJ": 0.026, "JPM": 0.030,
    "KO": 0.030, "LLY": 0.013, "MRK": 0.033, "MSFT": 0.009, "PEP": 0.027, "PFE": 0.034, "PG": 0.025, "UNH": 0.013,
    "WMT": 0.016, "XOM": 0.050,
}  # fmt: skip
"""Dividends of a year as a part of the price, roughly as these companies paid them; the others pay none."""


@dataclass(frozen=True, slots=True)
class CorporateAction:
    """A split or stock dividend on a trading day: new shares for an old one, and the size of the least whole lot.

    The closes of the sample are in new shares throughout, so trades before it are of fewer or more old shares.
    """

    type: TransactionType
    day: str
    ratio: float
    quantity: float
    unit: int


_SPLITS = {
    "AAPL": CorporateAction("split", "2020-08-31", 4.0, 4.0, 4),
    "GE": CorporateAction("split", "2021-08-02", 0.125, 0.125, 1),
}
"""The real splits of the sample's companies since 2015."""

_STOCK_DIVIDENDS = {("dan-dividend", "KO"): CorporateAction("stock_dividend", "2021-04-30", 1.05, 0.05, 21)}
"""Invented ones."""


def action_of(user_id: str, symbol: str) -> CorporateAction | None:
    """Return the corporate action of a user's position, if there is one."""
    return _STOCK_DIVIDENDS.get((user_id, symbol), _SPLITS.get(symbol))


@dataclass(frozen=True, slots=True)
class Special:
    """How a position came about, if not by purchases alone.

    Attributes:
        shares: those of the ledger, where the holding's cannot be read.
        transferred_at: the cost of shares that were transferred in.
        given_away: some are transferred out.
        unrecorded: there is no purchase in the ledger.
        before_action: all purchases are before the corporate action.
        pending: likewise, and the holding does not reflect it yet.
        sold: everything is sold again.
    """

    shares: float | None = None
    transferred_at: float | None = None
    given_away: bool = False
    unrecorded: bool = False
    before_action: bool = False
    pending: bool = False
    sold: bool = False


SPECIAL: Mapping[tuple[str, str], Special] = {
    ("ada-allrounder", "AMD"): Special(sold=True),
    ("dan-dividend", "KO"): Special(before_action=True),
    ("finn-fifties", "PEP"): Special(given_away=True),
    ("finn-fifties", "UNH"): Special(transferred_at=468.7),
    ("gia-gift", "JPM"): Special(transferred_at=0.0),
    ("nell-nothing-held", "PFE"): Special(sold=True),
    ("sid-split-missed", "AAPL"): Special(before_action=True, pending=True),
    ("una-unknown-cost", "XOM"): Special(unrecorded=True),
    ("xena-corrupt-holding", "AAPL"): Special(shares=10.0),
}

FORMER: Mapping[str, tuple[SampleHolding, ...]] = {
    "ada-allrounder": (SampleHolding("AMD", 600, 11.8),),
    "nell-nothing-held": (SampleHolding("PFE", 250, 33.5),),
}
"""Positions that are not held any more."""

NO_FEES = frozenset({"uma-fractions"})
"""Users whose savings plans cost nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A transaction as it is, in the currency of the account."""

    day: str
    type: TransactionType
    amount: float | None = None
    symbol: str | None = None
    quantity: float | None = None
    price: float | None = None
    fee: float | None = None
    tax: float | None = None
    to_symbol: str | None = None
    ratio: float | None = None


EVENTS: Mapping[str, tuple[Event, ...]] = {
    "ben-bluechip": tuple(Event(day=f"{year}-06-30", type="fee", amount=-45.0, fee=45.0) for year in (2021, 2022)),
    "eve-energy": (Event(day="2022-06-15", type="return_of_capital", amount=64.0, symbol="CVX"),),
    "gus-garage": (Event(day="2022-04-18", type="tax", amount=-212.4, tax=212.4),),
    "kim-keepscash": (Event(day="2022-02-01", type="transfer_in", amount=20_000.0),),
    # Without a price on any day: the ledger is there, but returns cannot be computed.
    "rosa-rare": (
        Event(day="2021-05-10", type="buy", amount=-1_251.0, symbol="NOSUCHOLD", quantity=100, price=12.5, fee=1.0),
        Event(day="2021-07-01", type="symbol_change", symbol="NOSUCHOLD", to_symbol="NOSUCH", ratio=1.0),
    ),
    "walt-underwater": (Event(day="2022-12-27", type="interest", amount=-54.25),),
}
