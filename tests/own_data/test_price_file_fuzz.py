"""Price files of random forms: each gives the known figures or is refused, and never gives others."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from analysis.prices import Bars
from market_data.price_files.content import text_of
from market_data.price_files.faults import PriceFileFault
from market_data.price_files.series import prices_of_text
from tests.own_data.exports import Day, days_of
from tests.security.fuzzing import examples

# Forms of dates that name the order of their parts, and those that must be proved by the file.
CERTAIN_DATES = (
    "%Y-%m-%d", "%Y%m%d", "%Y.%m.%d", "%Y/%m/%d", "%d.%m.%Y", "%d-%b-%Y", "%d %B %Y", "%b %d, %Y", "%d-%b-%y",
    "%Y-%m-%d 16:00:00", "%Y-%m-%dT23:59:59-05:00", "%s", "%s000", "%s000000000",
)  # fmt: skip
DOUBTFUL_DATES = (
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%d.%m.%y",
    "%m/%d/%y",
    "%d/%m/%y",
    "%y.%m.%d",
    "%y/%m/%d",
)
HEADERS = (
    ("Date", "Close", "Adj Close"), ("date", "close", "adjusted_close"), ("Datum", "Schlusskurs", "adj_close"),
    ("timestamp", "Last", "adjClose"),
)  # fmt: skip
NULLS = ("", "null", "N/A", "-", ".", "#N/A")


@dataclass(frozen=True)
class Numbers:
    """A form of numbers."""

    decimals: int
    decimal: str
    thousands: str
    sign: str

    def text(self, value: float) -> str:
        marks = {ord(","): self.thousands, ord("."): self.decimal}
        return self.sign + f"{value:,.{self.decimals}f}".translate(marks)

    @property
    def are_certain(self) -> bool:
        return self.decimals in (1, 2, 4)


NUMBERS = st.builds(
    Numbers, st.integers(0, 4), st.sampled_from(".,"), st.sampled_from(["", ".", ",", "'", " ", "\u202f"]),
    st.sampled_from(["", "", "$"]),
).filter(lambda numbers: numbers.decimal != numbers.thousands)  # fmt: skip
LINES_ABOVE = st.sampled_from(["", "\n", "Prices of a share\n", "Apple, Inc.; daily\n\n", "sep={separator}\n"])
LINES_BELOW = st.sampled_from(["", "\n\n", "Downloaded from a server\n", "\nSource of data: a server\n \n"])
UNQUOTED: tuple[Callable[[float], str], ...] = (
    str, "{:g}".format, "{:.2f}".format, "{:,.2f}".format, "${:,.2f}".format,
    lambda value: f"{value:.2f}".replace(".", ","), lambda value: f"{value}".replace(".", ",").removesuffix(",0"),
)  # fmt: skip
SHUFFLED = 10
"""Rows are shuffled if they are fewer: the last three or four of a month may be in order in another reading."""
SCALES = (0.001, 0.1, 1.0, 30.0, 5000.0)


@dataclass(frozen=True)
class Written:
    """A file, its figures, and whether every cell says what it means, so that it must be read.

    There are none of a file whose rows are not in order.
    """

    content: bytes
    expected: Bars | None
    is_certain: bool


@st.composite
def files(draw: st.DrawFn) -> Written:
    """Return a file of a random form."""
    numbers, form = draw(NUMBERS), draw(st.sampled_from(CERTAIN_DATES + DOUBTFUL_DATES))
    days, scale = draw(gappy_days()), draw(st.sampled_from(SCALES))
    nulls = {day.date: draw(st.sampled_from(NULLS)) for day in days if draw(st.integers(0, 9)) == 0}

    def row(day: Day) -> list[str]:
        prices = [numbers.text(scale * day.close), numbers.text(scale * day.adj_close)]
        return [dated(day, form), *([nulls[day.date]] * 2 if day.date in nulls else prices)]

    written = draw(st.permutations(days)) if len(days) < SHUFFLED and draw(st.booleans()) else days
    content = draw(as_bytes(draw(as_text([row(day) for day in written]))))
    if written not in (days, days[::-1]):
        return Written(content, None, is_certain=False)
    given = [day for day in days if day.date not in nulls]
    columns = (
        [float(f"{scale * value:.{numbers.decimals}f}") for value in column]
        for column in ([day.close for day in given], [day.adj_close for day in given])
    )
    expected = Bars(np.array([day.date for day in given], dtype="datetime64[D]"), *map(np.array, columns))
    return Written(content, expected, form in CERTAIN_DATES and numbers.are_certain)


@st.composite
def unquoted(draw: st.DrawFn) -> Written:
    """Return a file with commas between its cells, and perhaps in its numbers, of which none is quoted."""
    names = draw(st.sampled_from([("Close",), ("Open", "Close"), ("Close", "Adj Close"), ("Volume", "Close")]))
    cents = st.lists(st.integers(1, 300_000), min_size=len(names), max_size=len(names))
    prices = draw(st.lists(cents.map(lambda row: [cent / 100 for cent in row]), min_size=1, max_size=4))
    days = [day.date for day in days_of()[: len(prices)]]
    form, more = draw(st.sampled_from(UNQUOTED)), draw(st.sampled_from([(), ("",), ("7",), ("", ""), ("7.5", "")]))
    header_end, row_end = draw(st.sampled_from([("", ""), ("", ","), (",", ",")]))
    header = ["Date", *names, *("Trades", "Turnover")[: len(more)]]
    rows = [[str(day), *map(form, row), *more] for day, row in zip(days, prices, strict=True)]
    lines = [",".join(header) + header_end, *(",".join(row) + row_end for row in rows)]
    columns = dict(zip(names, np.array(prices).T, strict=True))
    expected = Bars(np.array(days, dtype="datetime64[D]"), columns["Close"], columns.get("Adj Close", columns["Close"]))
    return Written("\n".join(lines).encode(), expected, is_certain=False)


@st.composite
def gappy_days(draw: st.DrawFn) -> list[Day]:
    """Return a part of the days, some of which are left out."""
    first, count = draw(st.integers(0, len(days_of()) - 1)), draw(st.sampled_from([1, 2, 4, 7, 60, 300]))
    share = draw(st.integers(1, 10))
    return [day for index, day in enumerate(days_of()[first : first + count]) if index * 7 % 10 < share]


def dated(day: Day, form: str) -> str:
    """Return a date in its form."""
    return day.date.strftime(form.replace("%s", str(day.epoch)))


@st.composite
def as_text(draw: st.DrawFn, rows: list[list[str]]) -> str:
    """Return a table of the rows, in either order, with blank lines and others around it."""
    separator = draw(st.sampled_from(",;\t|"))
    quoted = draw(st.booleans()) or any(separator in cell for row in rows for cell in row)
    mark, end = '"' if quoted else "", draw(st.sampled_from(["", separator]))
    ordered = rows[::-1] if draw(st.booleans()) else rows
    table = [draw(st.sampled_from(HEADERS)), *ordered]
    lines = [separator.join(f"{mark}{cell}{mark}" for cell in row) + end for row in table]
    if draw(st.booleans()):
        lines.insert(draw(st.integers(0, len(lines))), draw(st.sampled_from(["", " ", 3 * separator])))
    return draw(LINES_ABOVE).format(separator=separator) + "\n".join(lines) + "\n" + draw(LINES_BELOW)


@st.composite
def as_bytes(draw: st.DrawFn, text: str) -> bytes:
    """Return the text in an encoding that has its characters."""
    ended = text.replace("\n", draw(st.sampled_from(["\n", "\r\n", "\r"])))
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]))
    return ended.encode("utf-8" if encoding == "cp1252" and "\u202f" in text else encoding)


def outcome_of(content: bytes) -> Bars | PriceFileFault:
    try:
        return prices_of_text(text_of(content)).bars_of(None)
    except PriceFileFault as fault:
        return fault


def test_ten_digits_are_seconds_even_where_eight_of_them_look_like_a_date() -> None:
    assert prices_of_text("time,close\n1593091800,5\n").bars_of(None).dates.tolist() == [date(2020, 6, 25)]


@pytest.mark.parametrize(
    ("weekdays", "time_of_day"), [(range(7), 79_200), ((0, 1, 2, 3, 6), 0)], ids=["crypto", "Sunday to Thursday"]
)
def test_times_since_1970_may_fall_on_sundays(weekdays: Sequence[int], time_of_day: int) -> None:
    days = [day for day in map(date.fromordinal, range(737_700, 737_730)) if day.weekday() in weekdays]
    start = date(1970, 1, 1)
    rows = [f"{(day - start).days * 86_400 + time_of_day},5" for day in days]
    assert prices_of_text("\n".join(["time,close", *rows])).bars_of(None).dates.tolist() == days


@examples(600)
@given(files())
def test_a_file_of_any_form_gives_the_known_figures_or_is_refused(written: Written) -> None:
    assert_known_or_refused(written)


@examples(600)
@given(unquoted())
def test_commas_in_numbers_and_between_them_give_the_known_figures_or_are_refused(written: Written) -> None:
    assert_known_or_refused(written)


def assert_known_or_refused(written: Written) -> None:
    outcome = outcome_of(written.content)
    if isinstance(outcome, PriceFileFault):
        event(outcome.rule[:20])
        assert not written.is_certain, outcome
        return
    event("read")
    assert written.expected is not None
    for name in ("dates", "close", "adj_close"):
        assert getattr(outcome, name).tolist() == getattr(written.expected, name).tolist(), name
