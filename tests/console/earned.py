"""Documents of what a person really earned, built of the app's own records, for the pages that show them."""

from copy import replace
from datetime import date, timedelta
from math import sin
from typing import Any

from analysis.models import (
    Check,
    Contribution,
    CurrencyExposure,
    DataQuality,
    HoldingReport,
    Income,
    MonthlyIncome,
    Order,
    OrderPlan,
    PeriodName,
    Report,
    ReturnPeriod,
    Returns,
    ReturnsIssue,
    SymbolIncome,
    Valuation,
)
from records import SymbolIssue

AS_OF = date(2022, 12, 28)
SINCE = date(2020, 3, 2)
STARTS: dict[PeriodName, date] = {
    "1m": date(2022, 11, 28),
    "3m": date(2022, 9, 28),
    "ytd": date(2021, 12, 31),
    "1y": date(2021, 12, 28),
    "since": SINCE - timedelta(days=1),
}


def a_period(period: PeriodName, start: date, *, share: float) -> ReturnPeriod:
    """Return a period with ``share`` of the whole gain; its parts add up to its end value."""
    parts: dict[str, Any] = {
        "net_flows": 20_000.0 * share,
        "price_gain": 6_100.0 * share,
        "income": 640.0 * share,
        "fees": 48.0 * share,
        "taxes": 96.0 * share,
        "fx_gain": -420.0 * share,
        "residual": 0.0,
    }
    gain = sum(parts.values()) - 2 * (parts["fees"] + parts["taxes"])
    days = (AS_OF - start).days
    twr = 0.318 * share
    return ReturnPeriod(
        period, start, AS_OF,
        twr=twr, twr_annualized=(1 + twr) ** (365 / days) - 1 if days >= 365 else None,
        mwr=0.0934 * share, dietz=0.2941 * share,
        start_value=30_000.0 - gain, end_value=30_000.0, **parts, benchmark_same_flows=28_750.0,
        max_drawdown=-0.214 * share, annual_volatility=0.163 if share > 0.1 else None,
    )  # fmt: skip


PERIODS = (
    a_period("1m", STARTS["1m"], share=0.02),
    a_period("3m", STARTS["3m"], share=0.08),
    a_period("ytd", STARTS["ytd"], share=0.35),
    replace(a_period("1y", STARTS["1y"], share=0.36), mwr=None, reason="no_solution"),
    ReturnPeriod("3y", None, AS_OF, reason="ledger_begins_later"),
    ReturnPeriod("5y", None, AS_OF, reason="ledger_begins_later"),
    a_period("since", STARTS["since"], share=1.0),
)
ISSUES = (
    ReturnsIssue(
        date(2020, 2, 3), "unexplained_cash", "Account main would have had -250.00 EUR: a deposit is missing."
    ),
    ReturnsIssue(date(2021, 5, 17), "amount_mismatch", "Transaction t-117 says 1,204.00, but its parts give 1,240.00."),
    ReturnsIssue(None, "prices_already_adjusted", "The prices of VOD have no dividends of their own: they count once."),
)
CONTRIBUTED: dict[PeriodName, float] = {"ytd": 0.35, "since": 1.0}
RETURNS = Returns(
    "account", SINCE, -0.041, PERIODS,
    contributions=tuple(
        Contribution(period, symbol, gain * share, gain / 6_176.0, gain / 21_000.0 * share)
        for period, share in CONTRIBUTED.items()
        for symbol, gain in (("SAP", 1_900.0), ("AAPL", 5_210.0), ("VOD", -1_014.0), (None, 80.0))
    ),
    issues=ISSUES,
    notes=("The transactions of one day without trading count on the next day.",),
)  # fmt: skip
INCOME = Income(
    "transactions",
    612.4,
    tuple(MonthlyIncome(f"2022-{month:02}", 51.1 if month % 3 else 50.5) for month in range(1, 13)),
    (
        SymbolIncome("AAPL", 120.2, 0.006, 0.011),
        SymbolIncome("VOD", 480.2, 0.061, None),
        SymbolIncome(None, 12.0, None, None),
    ),
    0.0204,
    0.0265,
    580.0,
)  # fmt: skip


def a_holding(symbol: str, currency: str, rate: float | None, price: float | None, quantity: float) -> HoldingReport:
    local = None if price is None else price * quantity
    value = None if local is None or rate is None else local * rate
    return HoldingReport(
        symbol, quantity, 100.0, currency, rate, price, AS_OF, value, local, 900.0,
        None if value is None else value / 30_000, None, None, 0.001, 0.02, 0.1, 0.2, 1.0, 0.2,
        "missing_fx_rate" if rate is None else None,
    )  # fmt: skip


def a_report(run_id: str, user_id: str, **changes: Any) -> Report:  # noqa: ANN401 - any member
    """Return a report in euros, with holdings in three currencies and one without a rate."""
    issue = "AAPL without a currency in instruments: taken to be in USD."
    members: dict[str, Any] = {
        "valuation": Valuation(27_000.0, 3_000.0, 21_000.0, 6_000.0, 28.57, 120.5, 0.45, 0.0, complete=False),
        "holdings": (
            a_holding("SAP", "EUR", 1.0, 96.12, 100),
            a_holding("AAPL", "USD", 0.9423, 126.04, 120),
            a_holding("VOD", "GBX", 0.01132, 84.3, 3_300),
            a_holding("NPN", "ZAc", None, None, 5),
        ),
        "currency_exposure": (
            CurrencyExposure("USD", 0.47), CurrencyExposure("EUR", 0.42), CurrencyExposure("GBP", 0.11)
        ),
        "returns": RETURNS,
        "income": INCOME,
        "checks": (Check("currency_exposure", "ok", 0.47, 0.5, "47 % is in a currency other than EUR."),),
        "order_plan": OrderPlan(
            (
                Order("AAPL", "SELL", 10, 126.04, 1_187.67, 10.0, 10.0, 1, None),
                Order("IBM", "BUY", 5, 141.0, 664.32, 10.0, 10.0, 2, None),
            ), 1_187.67, 664.32, 3_000.0,
            scaling_applied=False, scaling_factor=1.0, orders_skipped=0, reason=None, notes=(),
        ),
        "data_quality": DataQuality(
            0.97,
            price_issues=(
                SymbolIssue(None, "assumed_currency", None, issue, count=1),
                SymbolIssue("VOD", "suspected_minor_unit", AS_OF, "Check whether one of them is in pence."),
            ),
        ),
    }  # fmt: skip
    return Report(run_id, user_id, AS_OF, "EUR", "analyzed", **members | changes)


def a_series(points: int = 148) -> list[dict[str, Any]]:
    """Return the weekly series since the start."""
    return [
        {
            "date": (SINCE + timedelta(weeks=week) - timedelta(days=1)).isoformat(),
            "value": 4_000 + 176 * week + 900 * sin(week / 9),
            "invested": 4_000 + 135 * (week // 4 * 4),
            "twr_index": 1 + 0.318 * week / 147 + 0.05 * sin(week / 9),
            "benchmark_index": 1 + 0.27 * week / 147 + 0.04 * sin(week / 8),
        }
        for week in range(points)
    ]  # fmt: skip


def a_lot(symbol: str, opened: str | None, gain: float | None, **changes: Any) -> dict[str, Any]:  # noqa: ANN401
    lot = {
        "symbol": symbol, "account_id": "main", "opened": opened, "closed": "2022-06-10", "quantity": 10.0,
        "proceeds": 1_300.0, "cost": None if gain is None else 1_300.0 - gain, "gain": gain,
        "days": None if opened is None else 400, "term": "unknown" if opened is None else "long", "wash_sale": False,
    }  # fmt: skip
    return lot | changes


def gains_of(year: int, method: str) -> dict[str, Any]:
    """Return the answer of the route for a year and a method; nothing was sold but in 2022."""
    realized = [
        a_lot("AAPL", "2021-05-06", 240.5),
        a_lot("VOD", "2022-02-01", -85.25, days=129, term="short", wash_sale=True),
        a_lot("SAP", None, None),
    ]
    held = [
        a_lot("AAPL", "2020-03-02", 4_100.0, cost=1_300.0, value=5_400.0, days=1031),
        a_lot("SAP", None, None, value=961.2),
    ]
    nothing = {"proceeds": 0.0, "cost": 0.0, "gain": 0.0}
    return {
        "year": year,
        "method": method,
        "currency": "EUR",
        "realized": realized if year == 2022 else [],
        "totals": {
            "short": {"proceeds": 1_300.0, "cost": 1_385.25, "gain": -85.25},
            "long": {"proceeds": 1_300.0, "cost": 1_059.5, "gain": 240.5},
            "unknown": {"proceeds": 1_300.0, "cost": 0.0, "gain": 0.0},
        }
        if year == 2022
        else {"short": nothing, "long": nothing, "unknown": nothing},
        "unrealized": [
            {key: value for key, value in lot.items() if key not in ("closed", "proceeds", "wash_sale")} for lot in held
        ],
        "issues": [{"date": "2022-06-10", "kind": "lot_not_found", "text": "Lot x-1 is unknown: the oldest was sold."}],
    }
