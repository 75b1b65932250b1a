"""The product's reports against those of the oracle, figure by figure, on markets and portfolios of every kind."""

import math
from collections.abc import Iterator, Mapping, Sequence
from copy import replace
from datetime import date
from typing import Any

import msgspec
import numpy as np
import pytest

from analysis.decisions import Adviser
from analysis.histories import read_histories, resolve_as_of
from analysis.models import Holding, Instrument, InvalidHolding, Portfolio
from analysis.price_table import join_prices, prepare_prices
from analysis.prices import Bars
from analysis.report import analyze_portfolios
from analysis.research import research_symbols
from stores.document_values import symbol_reader
from stores.portfolio_documents import UserDocuments, read_portfolio
from tests.builders import document_of
from tests.oracle import cases, inputs
from tests.oracle.report import analyze

PEOPLE = 50
"""In each of the five markets of each seed."""

_RELATIVE, _ABSOLUTE = 1e-9, 1e-9


def bars_of(rows: Sequence[inputs.Row]) -> Bars:
    """Return the rows as a provider hands them on: infinite where a cell cannot be read, NaN where it is empty."""

    def column(name: str) -> Any:  # noqa: ANN401 - of floats
        values = (getattr(row, name) for row in rows)
        return np.array([math.nan if v is None else math.inf if math.isnan(v) else float(v) for v in values])

    dates = np.array([row.day for row in rows], dtype="datetime64[D]")
    return Bars(dates, *map(column, ("close", "adj_close", "high", "low", "split")))


def portfolio_of(user_id: str, person: inputs.Person) -> Portfolio:
    cash = person.cash or 0.0
    read = read_portfolio(
        user_id, UserDocuments(users=[{"analysis_thresholds": dict(person.thresholds)}]), symbol_reader(str)
    )
    assert isinstance(read, Portfolio)
    return Portfolio(
        user_id,
        tuple(Holding(held.symbol, held.quantity, held.avg_price) for held in person.holdings if held.quantity),
        person.watchlist,
        cash,
        cash if person.buying_power is None else person.buying_power,
        tuple(
            InvalidHolding(held.symbol, "invalid", held.quantity, held.avg_price)
            for held in person.invalid
            if held.quantity != 0
        ),
        read.thresholds,
    )


def instrument_of(known: inputs.Instrument) -> Instrument:
    multiplier = 1.0 if known.multiplier is None else known.multiplier
    return Instrument(known.kind, known.diversified, multiplier, known.lot_size, known.fractional)


def reports_of(market: inputs.Market, people: Sequence[inputs.Person]) -> list[dict[str, Any]]:
    """Return the product's reports as documents, all people on one page."""
    bars = {symbol: bars_of(rows) for symbol, rows in market.rows.items() if rows}
    benchmark = bars[market.benchmark]
    histories = read_histories(bars, benchmark, resolve_as_of(benchmark, market.as_of))
    table = join_prices([prepare_prices(histories, market.lookback_days, benchmark_symbol=market.benchmark)])
    research = research_symbols(histories)
    adviser = Adviser({found.symbol: found for found in research})
    instruments = {symbol: instrument_of(known) for symbol, known in market.instruments.items()}
    portfolios = [portfolio_of(f"u{number:04}", person) for number, person in enumerate(people)]
    reports = analyze_portfolios(portfolios, table, adviser, instruments, "run", market.risk_free_rate)
    own = {found.symbol: found for found in research}
    return [
        plain(
            document_of(report, research) | {"research": {symbol: own.get(symbol) for symbol in symbols_of(portfolio)}}
        )
        for report, portfolio in zip(reports, portfolios, strict=True)
    ]


def symbols_of(portfolio: Portfolio) -> set[str]:
    return {*(holding.symbol for holding in portfolio.holdings), *portfolio.watchlist}


def plain(document: Mapping[str, Any]) -> dict[str, Any]:
    decoded: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(document, enc_hook=dict))
    return decoded


def told_once(issues: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return price issues in order. The product tells all jumps of a symbol at once, and all long gaps."""
    found: dict[object, dict[str, Any]] = {}
    for issue in sorted(issues, key=lambda issue: (str(issue["symbol"]), issue["kind"], str(issue["date"]))):
        if issue["kind"] in ("jump", "long_gap"):
            found.setdefault((issue["symbol"], issue["kind"]), issue | {"count": None, "days": None})
        else:
            found[len(found)] = issue
    return list(found.values())


def in_order(report: dict[str, Any]) -> dict[str, Any]:
    """Return a report with the lists of its data quality sorted: their order means nothing."""
    if quality := report.get("data_quality"):
        lists = {name: sorted(value, key=str) for name, value in quality.items() if isinstance(value, list)}
        issues = told_once(quality["price_issues"])
        report = report | {"data_quality": quality | lists | {"price_issues": issues}}
    return report


def differences(mine: Any, theirs: Any, where: str = "") -> Iterator[str]:  # noqa: ANN401 - JSON
    """Yield what differs; members that only the product has are not compared."""
    if isinstance(theirs, Mapping) and isinstance(mine, Mapping):
        for name, value in theirs.items():
            yield from differences(mine.get(name, "absent"), value, f"{where}.{name}")
    elif isinstance(theirs, list | tuple) and isinstance(mine, list) and len(mine) == len(theirs):
        for number, (one, other) in enumerate(zip(mine, theirs, strict=True)):
            yield from differences(one, other, f"{where}[{number}]")
    elif not _agree(mine, theirs):
        yield f"{where}: {mine!r} is not {theirs!r}"


def _agree(mine: object, theirs: object) -> bool:
    if isinstance(theirs, float) and isinstance(mine, float | int) and not isinstance(mine, bool):
        return math.isclose(mine, theirs, rel_tol=_RELATIVE, abs_tol=_ABSOLUTE * max(1.0, abs(theirs)))
    return mine == (theirs.isoformat() if isinstance(theirs, date) else theirs)


def people_of(market: inputs.Market, seed: int, count: int = PEOPLE) -> list[inputs.Person]:
    """Return people whose watchlists are in order, as the store reads them."""
    return [replace(one, watchlist=tuple(sorted(set(one.watchlist)))) for one in cases.people(market, seed, count)]


@pytest.mark.parametrize("seed", range(4))
def test_reports_are_those_that_the_definitions_give(seed: int) -> None:
    for name, market in enumerate(cases.markets(seed)):
        people = people_of(market, seed)
        for number, (mine, person) in enumerate(zip(reports_of(market, people), people, strict=True)):
            found = list(differences(in_order(mine), in_order(analyze(market, person))))
            assert not found, f"{name}, person {number}: {person}\n" + "\n".join(found[:20])
