"""The prepared symbols of a run in the instance's file give the very tables that its batches give."""

import tempfile
from collections.abc import Collection, Iterator, Sequence
from copy import replace
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.models import Instrument
from analysis.price_table import PriceTable, join_prices
from analysis.returns.payments import Payments
from records import SymbolIssue
from stores.batches import Researched
from stores.prepared import Gone, prepared_symbols
from stores.shared_files import discard, shared_folder, symbols_file
from tests.builders import a_research
from tests.stores.test_batches import prepared

PLAN = "run-0a1b"
OF_BENCHMARK = SymbolIssue("SPY", "behind_market", None, "SPY is behind.")


@pytest.fixture(autouse=True)
def temp_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def batch(symbols: str, *, without_prices: Collection[str] = (), multiplier: float = 1.0) -> Researched:
    """Return a batch of these symbols, each a character, with an issue each and one of the benchmark."""
    prices = prepared(*(symbol for symbol in symbols if symbol not in without_prices))
    days = np.array(["2024-01-03", "2024-02-01", "2024-01-31"], dtype="datetime64[D]")
    paid = np.array([0, 0, 1]) if len(prices.symbols) > 1 else np.empty(0, np.int64)
    payments = Payments(paid, days[: len(paid)], np.array([0.1, 0.2, 0.3])[: len(paid)], prices.payments.without)
    issues = [SymbolIssue(symbol, "bad_prices", None, f"{symbol} has bad prices.", count=2) for symbol in symbols]
    instruments = {symbol: Instrument("stock", currency="EUR" if symbol == "B" else "USD") for symbol in symbols}
    return Researched(
        list(symbols),
        [a_research(symbol, 0.5) for symbol in prices.symbols],
        replace(prices, issues=(OF_BENCHMARK, *prices.issues, *issues), payments=payments),
        instruments | {"SPY": Instrument("fund", multiplier=multiplier)},
    )


BATCHES = [batch("AB"), batch("CXD", without_prices="X", multiplier=2.0), batch("Y", without_prices="Y")]


def no_batches() -> Sequence[Researched]:
    raise AssertionError("the file is there")


def part_of(table: PriceTable, symbols: Collection[str]) -> dict[str, Any]:
    """Return the members of a table that concern some of its symbols, in its order."""
    columns = np.array([column for symbol, column in table.columns.items() if symbol in symbols], dtype=np.int64)
    members = {field.name: getattr(table, field.name) for field in fields(PriceTable)}
    own = {name: members[name][..., columns] for name in _BY_COLUMN}
    payments = table.payments.of(columns)
    return members | own | {
        "columns": {symbol: number for number, symbol in enumerate(s for s in table.columns if s in symbols)},
        "reported": table.reported[:, [*columns, -1]],
        "figures": {symbol: figures for symbol, figures in table.figures.items() if symbol in symbols},
        "issues": {symbol: issues for symbol, issues in table.issues.items() if symbol in symbols},
        "later_splits": {symbol: ratio for symbol, ratio in table.later_splits.items() if symbol in symbols},
        **{f"payments.{field.name}": getattr(payments, field.name) for field in fields(Payments)},
        "payments": None,
    }  # fmt: skip


_BY_COLUMN = (
    *("returns", "first_day", "included", "close", "quoted_close", "day_return", "day_before", "volatility"),
    "episode_returns",
)


@pytest.mark.parametrize("symbols", ["ABCXDY", "BD", "DA", "X", "Q", "", ["SPY", "A"]])
def test_a_table_of_some_symbols_is_bit_for_bit_the_part_of_the_whole_one(symbols: Collection[str]) -> None:
    read = prepared_symbols(PLAN, lambda: BATCHES).of(set(symbols))
    table, whole = join_prices([read.prices]), join_prices([own.prices for own in BATCHES])
    expected, found = part_of(whole, symbols), part_of(table, symbols)
    for name in found:
        np.testing.assert_array_equal(found[name], expected[name], err_msg=name)
    assert found["returns"].tobytes() == expected["returns"].tobytes()
    assert table.columns.keys() == expected["columns"].keys()
    assert list(read.research) == [own for part in BATCHES for own in part.research if own.symbol in symbols]
    instruments = {symbol: own for part in BATCHES for symbol, own in part.instruments.items()}
    assert read.instruments == {symbol: own for symbol, own in instruments.items() if symbol in symbols}


def test_what_is_of_the_whole_run_is_known_without_reading_any_symbol() -> None:
    whole = prepared_symbols(PLAN, lambda: BATCHES)
    assert whole.currencies == {symbol: "EUR" if symbol == "B" else "USD" for symbol in "ABCXDY"}
    assert whole.multipliers == {}  # the last batch says so
    assert prepared_symbols("other", lambda: BATCHES[:2]).multipliers == {"SPY": 2.0}


def test_the_file_is_written_once_and_read_by_all() -> None:
    first = prepared_symbols(PLAN, lambda: BATCHES)
    second = prepared_symbols(PLAN, no_batches)
    assert first.of({"A"}).research == second.of({"A"}).research == [a_research("A", 0.5)]


def test_batches_are_written_one_by_one() -> None:
    """Each batch is asked for after the one before was written."""
    sizes: list[int] = []

    def some() -> Iterator[Researched]:
        for own in BATCHES:
            (file,) = shared_folder().glob("*.unfinished")
            yield own
            sizes.append(file.stat().st_size)

    prepared_symbols(PLAN, some)
    assert len(sizes) == len(BATCHES)


def damage(content: bytes, how: str) -> bytes:
    match how:
        case "empty":
            return b""
        case "truncated":
            return content[:-1]
        case "without its middle":
            return content[:100] + content[200:]
        case "with other bytes in its index":
            return content[:-40] + b"\xff" * 20 + content[-20:]
        case "longer":
            return content + b"more"
        case _:
            return b"another program's, as long as it takes"


@pytest.mark.parametrize(
    "how", ["empty", "truncated", "without its middle", "with other bytes in its index", "longer", "foreign"]
)
def test_a_damaged_file_is_written_again(how: str) -> None:
    prepared_symbols(PLAN, lambda: BATCHES)
    path = shared_folder() / f"{PLAN}.symbols"
    path.write_bytes(damage(path.read_bytes(), how))
    assert prepared_symbols(PLAN, lambda: BATCHES[:1]).of(set("AC")).symbols == ["A"]


def test_the_file_of_another_plan_under_this_name_is_written_again() -> None:
    prepared_symbols("other", lambda: BATCHES)
    folder = shared_folder()
    (folder / "other.symbols").rename(folder / f"{PLAN}.symbols")
    assert prepared_symbols(PLAN, lambda: BATCHES[:1]).of(set("AC")).symbols == ["A"]


def test_a_file_that_is_gone_or_written_again_is_told() -> None:
    whole = prepared_symbols(PLAN, lambda: BATCHES)
    discard(symbols_file(PLAN))
    with pytest.raises(Gone):
        whole.of({"A"})
    prepared_symbols(PLAN, lambda: BATCHES[:1])
    with pytest.raises(Gone):
        whole.of({"A"})


def test_of_a_run_that_is_over_there_is_no_file() -> None:
    def over() -> Iterator[Researched]:
        yield BATCHES[0]
        raise LookupError("the run is over")

    with pytest.raises(LookupError, match="over"):
        prepared_symbols(PLAN, over)
    assert not list(shared_folder().glob("*.symbols"))
