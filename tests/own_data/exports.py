"""Price files as other programs export them, made from the sample, so that the right figures are known."""

import functools
import gzip
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

import numpy as np

from analysis.prices import Bars
from tests.market_data.made_up import made_up_market

ALL = ("close", "adj_close", "high", "low")
RAW = ("close", "high", "low")
DECIMALS = 4


@dataclass(frozen=True)
class Day:
    """A day of the known figures."""

    date: date
    close: float
    adj_close: float
    high: float
    low: float

    @property
    def epoch(self) -> int:
        """Return the seconds since 1970 at half past one in the afternoon, UTC."""
        return int(datetime.combine(self.date, time(13, 30), UTC).timestamp())

    @property
    def midnight(self) -> int:
        """Return the seconds since 1970 at midnight UTC."""
        return int(datetime.combine(self.date, time(), UTC).timestamp())


@functools.cache
def days_of(symbol: str = "AAPL") -> tuple[Day, ...]:
    """Return the days of a symbol in about a year, with a split, and prices that pass 1,000."""
    bars = made_up_market()[symbol].between(date(2019, 12, 20), date(2020, 12, 31))
    assert bars.high is not None
    assert bars.low is not None
    columns = (np.round(12 * column, DECIMALS).tolist() for column in (bars.close, bars.adj_close, bars.high, bars.low))
    return tuple(map(Day, bars.dates.tolist(), *columns))


def bars_of(days: Sequence[Day], columns: Sequence[str] = ALL) -> Bars:
    """Return the bars that a file with these days and columns must give."""
    dates = np.array([day.date for day in days], dtype="datetime64[D]")
    found = {name: np.array([getattr(day, name) for day in days]) for name in columns}
    return Bars(dates, **({"adj_close": found["close"]} | found))


def number(value: float, decimal: str = ".", thousands: str = "") -> str:
    """Return a number in the form of another program."""
    return f"{value:,.{DECIMALS}f}".translate({ord(","): thousands, ord("."): decimal})


@dataclass(frozen=True)
class Export:
    """A way in which a program writes files: ``cells`` are those of a day, in the order of ``header``.

    Prices are written as ``number`` does it. ``above`` and ``below`` are other lines.
    """

    header: str
    cells: Callable[[Day], Sequence[object]]
    separator: str = ","
    number: Callable[[float], str] = number
    quoted: bool = False
    newest_first: bool = False
    above: str = ""
    below: str = ""

    def text(self, days: Iterable[Day]) -> str:
        """Return the text of a file with these days."""
        ordered = sorted(days, key=lambda day: day.date, reverse=self.newest_first)
        rows = [self.header.split(self.separator), *(list(map(self._cell, self.cells(day))) for day in ordered)]
        mark = '"' if self.quoted else ""
        lines = [self.separator.join(f"{mark}{cell}{mark}" for cell in row) for row in rows]
        return self.above + "\n".join(lines) + "\n" + self.below

    def _cell(self, value: object) -> str:
        return self.number(value) if isinstance(value, float) else str(value)


@dataclass(frozen=True)
class Shape:
    """A file of a folder, and what must be read from it for ``symbol``."""

    content: bytes
    columns: tuple[str, ...] = ALL
    file: str = "AAPL.csv"
    symbol: str = "AAPL"
    adjusted_only: bool = False


def euro(value: float) -> str:
    return number(value, ",", ".")


def dollars(value: float) -> str:
    return f"${number(value, thousands=',')}"


def us(day: Day) -> str:
    return f"{day.date:%m/%d/%Y}"


def german(day: Day) -> str:
    return f"{day.date:%d.%m.%Y}"


def plain(day: Day) -> list[object]:
    return [day.date, day.low, day.high, day.low, day.close, day.adj_close, 100]


PLAIN = Export("date,open,high,low,close,adj_close,volume", plain)
SEMICOLONS = Export("date;open;high;low;close;adj_close;volume", plain, ";")


def raw(day: Day) -> list[object]:
    return [day.date, day.low, day.high, day.low, day.close, 100]


def dated(form: Callable[[Day], object]) -> Export:
    """Return an export with dates in another form, quoted for those with commas."""
    return Export(PLAIN.header, lambda day: [form(day), *plain(day)[1:]], quoted=True)


def numbered(form: Callable[[float], str]) -> Export:
    """Return an export with numbers in another form."""
    return Export(PLAIN.header, plain, number=form, quoted=True)


EXPORTS: dict[str, tuple[Export, tuple[str, ...]]] = {
    "plain": (PLAIN, ALL),
    "capitals": (Export(PLAIN.header.upper(), plain), ALL),
    "semicolons": (SEMICOLONS, ALL),
    "tabs": (Export(PLAIN.header.replace(",", "\t"), plain, "\t"), ALL),
    "bars": (Export(PLAIN.header.replace(",", "|"), plain, "|"), ALL),
    "newest first": (Export(PLAIN.header, plain, newest_first=True), ALL),
    "a line that names the separator": (Export(SEMICOLONS.header, plain, ";", above="sep=;\n"), ALL),
    "lines of text around": (
        Export(
            PLAIN.header, plain, above="\nPrices of Apple, Inc.\nas of today\n\n",
            below="\nSource: another system\n\n",
        ),
        ALL,
    ),
    "a zone above": (Export(PLAIN.header, plain, above="TIME,UTC\n"), ALL),
    "a day above": (Export(PLAIN.header, plain, above="Date,TODAY\n\n"), ALL),
    "only a close": (Export("date,close", lambda day: [day.date, day.close]), ("close",)),
    "Yahoo": (
        Export(
            "Date,Open,High,Low,Close,Adj Close,Volume", plain,
            below="2021-01-01,null,null,null,null,null,null\n2021-01-04,-,N/A,,,,\n",
        ),
        ALL,
    ),
    "yfinance with raw closes": (
        Export(
            "Price,Adj Close,Close,High,Low,Open,Volume\nTicker,AAPL,AAPL,AAPL,AAPL,AAPL,AAPL\nDate,,,,,,",
            lambda day: [day.date, day.adj_close, day.close, day.high, day.low, day.low, 100],
        ),
        ALL,
    ),
    "Stooq": (Export("Date,Open,High,Low,Close,Volume", raw), RAW),
    "Stooq in bulk": (
        Export(
            "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>",
            lambda day: ["AAPL.US", "D", f"{day.date:%Y%m%d}", "000000", *raw(day)[1:], 0],
        ),
        RAW,
    ),
    "Nasdaq": (
        Export(
            "Date,Close/Last,Volume,Open,High,Low",
            lambda day: [us(day), day.close, 100, day.low, day.high, day.low],
            number=lambda value: f"${number(value)}", newest_first=True,
        ),
        RAW,
    ),
    "Alpha Vantage": (
        Export("timestamp,open,high,low,close,adjusted_close,volume,dividend_amount,split_coefficient",
               lambda day: [*plain(day), "0.0000", "1.0"], newest_first=True),
        ALL,
    ),
    "Alpha Vantage as JSON": (
        Export("date,1. open,2. high,3. low,4. close,5. adjusted close,6. volume", plain, newest_first=True), ALL,
    ),
    "EODHD": (Export("Date,Open,High,Low,Close,Adjusted_close,Volume", plain), ALL),
    "Investing.com": (
        Export(
            "Date,Price,Open,High,Low,Vol.,Change %",
            lambda day: [us(day), day.close, day.low, day.high, day.low, "92.57M", "-0.77%"],
            number=lambda value: number(value, thousands=","), quoted=True, newest_first=True,
        ),
        RAW,
    ),
    "Investing.com in German": (
        Export(
            "Datum,Zuletzt,Eröffn.,Hoch,Tief,Vol.,+/- %",
            lambda day: [german(day), day.close, day.low, day.high, day.low, "92,57M", "-0,77%"],
            number=euro, quoted=True, newest_first=True,
        ),
        RAW,
    ),
    "Investing.com in French": (
        Export(
            "Date,Dernier,Ouv., Plus Haut,Plus Bas,Vol.,Variation %",
            lambda day: [f"{day.date:%d/%m/%Y}", day.close, day.low, day.high, day.low, "92,57K", "-0,77%"],
            number=lambda value: number(value, ",", "\u202f"), quoted=True, newest_first=True,
        ),
        RAW,
    ),
    "Polygon": (
        Export(
            "v,vw,o,c,h,l,t,n",
            lambda day: [1, 1.5, day.low, day.close, day.high, day.low, 1000 * day.epoch, 7],
        ),
        RAW,
    ),
    "Polygon's flat files": (
        Export(
            "ticker,volume,open,close,high,low,window_start,transactions",
            lambda day: ["AAPL", 1, day.low, day.close, day.high, day.low, 10**9 * day.epoch, 7],
        ),
        RAW,
    ),
    "Tiingo": (
        Export(
            "date,close,high,low,open,volume,adjClose,adjHigh,adjLow,adjOpen,adjVolume,divCash,splitFactor",
            lambda day: [f"{day.date}T00:00:00Z", day.close, day.high, day.low, 1, 1, day.adj_close, 1, 1, 1, 1, 0, 1],
        ),
        ALL,
    ),
    "TradingView": (
        Export("time,open,high,low,close,Volume", lambda day: [day.epoch, *raw(day)[1:]]), RAW,
    ),
    "TradingView with ISO times": (
        Export("time,open,high,low,close,Volume", lambda day: [f"{day.date}T23:30:00-04:00", *raw(day)[1:]]), RAW,
    ),
    "Euronext": (
        Export(
            "Date;Open;High;Low;Last;Close;Number of Shares;Number of Trades;Turnover;vwap",
            lambda day: [f"{day.date:%d/%m/%Y}", day.low, day.high, day.low, day.low, day.close, 1, 1, 1, 1],
            ";", newest_first=True, above='"Historical Data"\n"From 2019-12-20 to 2020-12-31"\nFR0000120271\n',
        ),
        RAW,
    ),
    "Barchart": (
        Export(
            "Time,Open,High,Low,Last,Change,%Chg,Volume",
            lambda day: [us(day), day.low, day.high, day.low, day.close, "-1.2", "-0.77%", 100], newest_first=True,
            below='"Downloaded from Barchart.com as of 12-31-2020 04:45pm CST"\n',
        ),
        RAW,
    ),
    "Barchart's latest prices": (
        Export("Time,Open,High,Low,Latest,Change", lambda day: [us(day), *raw(day)[1:-1], "-1.2"], newest_first=True),
        RAW,
    ),
    "a German bank": (
        Export(
            "Datum;Erster;Hoch;Tief;Schlusskurs;Stücke;Volumen",
            lambda day: [german(day), day.low, day.high, day.low, day.close, "1.234", ""], ";", number=euro,
        ),
        RAW,
    ),
    "a French bank": (
        Export(
            "Date;Ouverture;Plus haut;Plus bas;Clôture;Volume;Devise",
            lambda day: [f"{day.date:%d/%m/%Y}", day.low, day.high, day.low, day.close, "1 234", "EUR"], ";",
            number=lambda value: number(value, ",", " "),
        ),
        RAW,
    ),
    "compact dates": (dated(lambda day: f"{day.date:%Y%m%d}"), ALL),
    "dates with points, the year first": (dated(lambda day: f"{day.date:%Y.%m.%d}"), ALL),
    "dates with slashes, the year first": (dated(lambda day: f"{day.date:%Y/%m/%d}"), ALL),
    "dates with points": (dated(german), ALL),
    "dates with slashes, the day first": (dated(lambda day: f"{day.date:%d/%m/%Y}"), ALL),
    "dates with slashes, the month first": (dated(us), ALL),
    "dates without zeros": (dated(lambda day: f"{day.date.month}/{day.date.day}/{day.date.year}"), ALL),
    "dates with dashes, the day first": (dated(lambda day: f"{day.date:%d-%m-%Y}"), ALL),
    "dates with names of months": (dated(lambda day: f"{day.date:%d-%b-%Y}"), ALL),
    "dates with names of months first": (dated(lambda day: f"{day.date:%b %d, %Y}"), ALL),
    "dates with whole names of months": (dated(lambda day: f"{day.date:%d %B %Y}"), ALL),
    "years of two digits": (dated(lambda day: f"{day.date:%m/%d/%y}"), ALL),
    "years of two digits, the day first": (dated(lambda day: f"{day.date:%d.%m.%y}"), ALL),
    "years of two digits after names of months": (dated(lambda day: f"{day.date:%d-%b-%y}"), ALL),
    "dates with times": (dated(lambda day: f"{day.date:%m/%d/%Y} 16:00:00"), ALL),
    "dates with a zone": (dated(lambda day: f"{day.date} 00:00:00-05:00"), ALL),
    "seconds since 1970": (dated(lambda day: day.epoch), ALL),
    "seconds since 1970 at midnight UTC": (dated(lambda day: day.midnight), ALL),
    "milliseconds since 1970": (dated(lambda day: 1000 * day.epoch), ALL),
    "nanoseconds since 1970": (dated(lambda day: 10**9 * day.epoch), ALL),
    "dollars": (numbered(dollars), ALL),
    "euros": (numbered(lambda value: f"{euro(value)} €"), ALL),
    "thousands with commas": (numbered(lambda value: number(value, thousands=",")), ALL),
    "thousands with points": (numbered(euro), ALL),
    "thousands with apostrophes": (numbered(lambda value: number(value, thousands="'")), ALL),
    "thousands with spaces": (numbered(lambda value: number(value, ",", " ")), ALL),
    "thousands with spaces that do not break": (numbered(lambda value: number(value, ",", "\u00a0")), ALL),
    "decimal commas": (numbered(lambda value: number(value, ",")), ALL),
}  # fmt: skip


def shapes() -> dict[str, Shape]:
    """Return the accepted shapes by their names."""
    days = days_of()
    text = PLAIN.text(days)
    found = {name: Shape(export.text(days).encode(), columns) for name, (export, columns) in EXPORTS.items()}
    german_text = EXPORTS["a German bank"][0].text(days)
    return found | {
        "a byte order mark": Shape(text.encode("utf-8-sig")),
        "UTF-16": Shape(text.encode("utf-16")),
        "UTF-16, the large byte first": Shape(b"\xfe\xff" + text.encode("utf-16-be")),
        "Windows-1252": Shape(german_text.replace(";100", ";100 €").encode("cp1252"), RAW),
        "carriage returns": Shape(text.replace("\n", "\r").encode()),
        "lines of Windows": Shape(text.replace("\n", "\r\n").encode()),
        "an open quote above": Shape(f'"Prices\n{text}'.encode()),
        "blank lines": Shape(("\n\n" + text.replace("\n2020-03-02", "\n\n , ,\n2020-03-02") + "\n \n").encode()),
        "separators at the end": Shape(text.replace("\n", ",\n").encode()),
        "separators at the end of rows": Shape(text.replace(",100\n", ",100,\n").encode()),
        "compressed": Shape(gzip.compress(text.encode()), file="AAPL.csv.gz"),
        "a name in small letters": Shape(text.encode(), file="aapl.CSV"),
        "a name of Stooq": Shape(found["Stooq in bulk"].content, RAW, "aapl.us.txt"),
        "a share with a class": Shape(text.encode(), file="BRK-B.csv", symbol="BRK.B"),
        "an index": Shape(text.encode(), file="^GSPC.csv", symbol="^GSPC"),
        **several_symbols(),
        **adjusted_only(),
    }


def several_symbols() -> dict[str, Shape]:
    """Return the shapes of files with several symbols."""
    market = {symbol: days_of(symbol) for symbol in ("KO", "AAPL", "AMD")}

    def stacked(name: str) -> bytes:
        export = Export(f"{name},date,close", lambda day: [day.date, day.close])
        header, *_ = export.text(()).splitlines()
        rows = [f"{symbol},{line}" for symbol, days in market.items() for line in export.text(days).splitlines()[1:]]
        return "\n".join([header, *sorted(rows, key=lambda row: row.split(",")[1])]).encode()

    by_date = list(zip(*market.values(), strict=True))
    wide = [
        f"Date,{','.join(market)}",
        *(f"{row[0].date},{','.join(number(day.close) for day in row)}" for row in by_date),
    ]
    levels = [
        "Price,Close,Close,Close,Adj Close,Adj Close,Adj Close", "Ticker,KO,AAPL,AMD,KO,AAPL,AMD", "Date,,,,,,",
        *(
            ",".join([str(row[0].date), *(number(day.close) for day in row), *(number(day.adj_close) for day in row)])
            for row in by_date
        ),
    ]  # fmt: skip
    return {
        "a column of symbols": Shape(stacked("symbol"), ("close",), "prices.csv"),
        "a column of tickers": Shape(stacked("Ticker"), ("close",), "prices.csv"),
        "a column of names": Shape(stacked("Name"), ("close",), "all_stocks_5yr.csv"),
        "a column for each symbol": Shape("\n".join(wide).encode(), ("close",), "closes.csv"),
        "yfinance with several symbols": Shape("\n".join(levels).encode(), ("close", "adj_close"), "download.csv"),
    }


def adjusted_only() -> dict[str, Shape]:
    """Return the shapes whose closes are known to be adjusted, and that have no others."""
    days = days_of()
    yfinance = Export(
        "Price,Close,High,Low,Open,Volume\nTicker,AAPL,AAPL,AAPL,AAPL,AAPL\nDate,,,,,",
        lambda day: [day.date, day.close, day.high, day.low, day.low, 100],
    )
    history = Export(
        "Date,Open,High,Low,Close,Volume,Dividends,Stock Splits",
        lambda day: [f"{day.date} 00:00:00-05:00", *raw(day)[1:], 0, 0],
    )
    one_level = Export(
        "Date,Close,High,Low,Open,Volume", lambda day: [day.date, day.close, day.high, day.low, 1.0, 100]
    )
    some_raw = Export(
        "Price,Close,Close,Adj Close,High,Low\nTicker,AAPL,KO,KO,AAPL,AAPL\nDate,,,,,",
        lambda day: [day.date, day.close, 1.0, 1.0, day.high, day.low],
    )
    alone = Export("Date,Adj Close", lambda day: [day.date, day.close])
    return {
        "yfinance": Shape(yfinance.text(days).encode(), RAW, adjusted_only=True),
        "the history of yfinance": Shape(history.text(days).encode(), RAW, adjusted_only=True),
        "yfinance of one level": Shape(one_level.text(days).encode(), RAW, adjusted_only=True),
        "yfinance with raw closes of the last symbol": Shape(
            some_raw.text(days).encode(), RAW, "download.csv", adjusted_only=True
        ),
        "adjusted closes alone": Shape(alone.text(days).encode(), ("close",), adjusted_only=True),
    }
