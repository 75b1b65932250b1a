"""The prices as runs would read them: files understood and refused, symbols held without prices, suspicious prices."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import batched, islice
from pathlib import Path

from analysis.currencies import MOST_DAYS_OLD
from analysis.histories import read_histories, resolve_as_of
from analysis.price_issues import symbol_issue
from analysis.price_table import prepare_prices
from analysis.prices import Bars, as_date, clean
from credentials.secrets import SecretMissing, Secrets, SecretsUnavailable
from devhost.findings import Finding, missing, note, ok
from devhost.formats import counted
from market_data.price_files.understanding import NO_FILE, understood
from market_data.provider import FetchedBars, KeyRefused, Provider, ProviderUnavailable
from market_data.providers import provider_from
from market_data.rate_files.understanding import understood_rates
from records import SymbolIssue
from settings import KeyName, Settings
from stores.rate_limit import Rate, RateLimit

_MOST_SHOWN = 50
_A_FORTNIGHT = timedelta(days=14)


def source(settings: Settings, secrets: Secrets) -> Provider:
    """Return the source of prices that runs would ask."""

    def key(name: KeyName) -> str:
        try:
            return secrets.get(name)
        except (SecretMissing, SecretsUnavailable):
            raise KeyRefused(f"{name} cannot be read from the vault") from None

    return provider_from(settings, key, lambda name, rate: RateLimit(None, name, Rate(rate)))


def prices(settings: Settings, provider: Provider, holders: Counter[str]) -> Iterator[Finding]:
    """Yield the findings about the prices of the benchmark and of the symbols that people hold."""
    if settings.market_data_provider == "csv" and settings.prices_dir is not None:
        yield from _files(settings.prices_dir)
    if settings.rates_dir is not None:
        yield from _rates(settings, settings.rates_dir)
    try:
        yield from _of_symbols(settings, provider, holders)
    except (ProviderUnavailable, KeyRefused) as error:
        yield missing("prices", f"{settings.market_data_provider} gives none: {error}", "correct its settings")


def _files(folder: Path) -> Iterator[Finding]:
    try:
        files = list(understood(folder))
    except OSError as error:
        yield missing("files", f"PRICES_DIR cannot be read: {error.strerror}", "correct PRICES_DIR")
        return
    accepted = [file for file in files if file.symbols]
    for file in islice(accepted, _MOST_SHOWN):
        yield ok("files", f"{file.file}: {file.sentence}, the last {file.newest}")
    if len(accepted) > _MOST_SHOWN:
        yield ok("files", f"and {len(accepted) - _MOST_SHOWN:,} more")
    for file in files:
        # What is no file at all is never read: nobody's prices are lost with it.
        told = note if file.refusals == NO_FILE else missing
        for refusal in file.refusals:
            yield told("files", f"{file.file}: {refusal}", f"correct {file.file}, or take it out of the folder")
        if not file.symbols and not file.refusals:
            yield note("files", f"{file.file}: {file.sentence}")
        if file.newest is not None and file.newest > datetime.now(UTC).date():
            text = f"{file.file}: it has prices of {file.newest}, which is yet to come, and are not used"
            yield note("files", text, "look at its dates")


def _rates(settings: Settings, folder: Path) -> Iterator[Finding]:
    """Yield the findings about the files of exchange rates, which a folder of prices need not have."""
    try:
        files = list(understood_rates(folder))
    except OSError as error:
        yield missing("rates", f"RATES_DIR cannot be read: {error.strerror}", "correct RATES_DIR")
        return
    if not any(file.currencies for file in files) and folder != settings.prices_dir:
        yield missing("rates", f"{folder} has none: no eurofxref-hist.csv, no EURUSD.csv", "correct RATES_DIR")
    today = datetime.now(UTC).date()
    for file in files:
        told = note if file.refusals == NO_FILE else missing
        for refusal in file.refusals:
            yield told("rates", f"{file.file}: {refusal}", f"correct {file.file}, or take it out of the folder")
        if file.newest is None:
            if not file.refusals:
                yield note("rates", f"{file.file}: {file.sentence}")
            continue
        yield ok("rates", f"{file.file}: {file.sentence}, the last {file.newest}")
        if today - file.newest > timedelta(days=MOST_DAYS_OLD):
            text = f"{file.file}: its last rate is more than {MOST_DAYS_OLD} days old: today it counts for nothing"
            yield note("rates", text, "replace it by a current one")


@dataclass(slots=True)
class _Found:
    """What the source has for some symbols: why it has no usable prices of some, the last day of each other one."""

    errors: dict[str, str] = field(default_factory=dict)
    last_days: dict[str, date] = field(default_factory=dict)
    issues: dict[SymbolIssue, None] = field(default_factory=dict)
    has_figures: bool = False
    """At least one has enough history for figures of risk."""


def _of_symbols(settings: Settings, provider: Provider, holders: Counter[str]) -> Iterator[Finding]:
    last, remote = provider.last_day(), settings.market_data_server is not None
    # Each request to a server costs: the newest prices of the most held symbols show whether it knows them.
    start = last - _A_FORTNIGHT if remote else date.min
    benchmark = provider.spelling(settings.benchmark_symbol)
    fetched = provider.daily_bars([benchmark], start, last)
    if benchmark not in fetched.bars or not len(clean(fetched.bars[benchmark], last).bars.dates):
        reason = fetched.errors.get(benchmark, "none of its prices is possible")
        change = f"correct the prices of {benchmark}, or set BENCHMARK_SYMBOL to a symbol that has some"
        yield missing("prices", f"the benchmark has none: {reason}", change)
        return
    held = [symbol for symbol, _ in holders.most_common()]
    asked = held[: provider.symbols_per_batch] if remote else held
    if len(asked) < len(held):
        yield note(
            "prices", f"only the {len(asked)} most held of {len(held):,} symbols are asked for, to save requests"
        )
    found = _Found()
    for symbols in list(batched(sorted(asked), provider.symbols_per_batch, strict=False)) or [()]:
        _add(found, settings, provider.daily_bars(symbols, start, last), fetched.bars[benchmark], whole=not remote)
    newest = as_date(fetched.bars[benchmark].dates[-1])
    priced = len(asked) - len(found.errors)
    yield ok("prices", f"{priced:,} of {counted(len(asked), 'symbol')} held; {benchmark} up to {newest}")
    yield from _missing(settings, found.errors, {symbol: holders[symbol] for symbol in asked})
    if priced and not remote and not found.has_figures:
        yield note("prices", "too few days for any figure of risk: 64 are needed", "add older prices")
    yield from _ended(found.last_days, newest)
    yield from _suspicious(settings, list(found.issues))


def _add(found: _Found, settings: Settings, fetched: FetchedBars, benchmark: Bars, *, whole: bool) -> None:
    """Add the source's answer for some symbols, judged as a run of today does if it is their ``whole`` history."""
    found.errors |= {symbol: str(error) for symbol, error in fetched.errors.items()}
    found.last_days |= {symbol: as_date(bars.dates[-1]) for symbol, bars in fetched.bars.items()}
    if not whole:
        return
    histories = read_histories(fetched.bars, benchmark, resolve_as_of(benchmark))
    for symbol in fetched.bars.keys() - histories.usable.keys():
        reason = "too many of its prices are impossible" if symbol in histories.bad else "none of its prices counts"
        found.errors[symbol] = f"{symbol}: {reason}"
    told = [symbol_issue(symbol, issue) for symbol, issues in fetched.issues.items() for issue in issues]
    today = datetime.now(UTC).date()
    prepared = prepare_prices(
        histories, settings.lookback_days, told, benchmark_symbol=settings.benchmark_symbol, asked_on=today
    )
    found.has_figures |= bool(prepared.included.any())
    found.issues |= dict.fromkeys((*prepared.run_issues, *prepared.issues))


def _ended(last_days: Mapping[str, date], newest: date) -> Iterator[Finding]:
    """Yield the symbols whose prices end long before those of the benchmark, the oldest first."""
    stale = sorted((day, symbol) for symbol, day in last_days.items() if newest - day > _A_FORTNIGHT)
    for day, symbol in stale[:_MOST_SHOWN]:
        yield note("prices", f"{symbol}: its prices end on {day}", "correct the symbol, or add newer prices")
    if len(stale) > _MOST_SHOWN:
        yield note("prices", f"and {len(stale) - _MOST_SHOWN:,} more symbols whose prices end early")


def _missing(settings: Settings, errors: Mapping[str, str], holders: Mapping[str, int]) -> Iterator[Finding]:
    worst = sorted(errors, key=lambda symbol: (-holders[symbol], symbol))
    for symbol in worst[:_MOST_SHOWN]:
        where = f"add its prices to {settings.prices_dir}" if settings.prices_dir else "see what the source calls it"
        text = f"held by {holders[symbol]:,}: {errors[symbol]}"
        yield missing("prices", text, f"{where}, or correct the symbol where it is held")
    if len(worst) > _MOST_SHOWN:
        yield missing("prices", f"and {len(worst) - _MOST_SHOWN:,} more symbols without prices")
    positions = sum(holders.values())
    priced = positions - sum(holders[symbol] for symbol in errors)
    if positions and priced / positions < settings.min_success_rate:
        rate = f"{settings.min_success_rate:.0%}"
        text = f"only {priced:,} of {positions:,} positions have prices, {rate} are needed: a run fails"
        yield missing("prices", text, "add prices, or lower ANALYSIS_MIN_SUCCESS_RATE")


def _suspicious(settings: Settings, issues: Sequence[SymbolIssue]) -> Iterator[Finding]:
    for issue in issues[:_MOST_SHOWN]:
        if issue.kind == "old_prices" and settings.market_data_provider == "sample":
            yield note("prices", "the sample ends in 2022 on purpose", "set PRICES_DIR or MARKET_DATA_PROVIDER")
            continue
        yield note("prices", f"{issue.symbol}: {issue.text}" if issue.symbol else issue.text, "look at these prices")
    if len(issues) > _MOST_SHOWN:
        yield note("prices", f"and {len(issues) - _MOST_SHOWN:,} more price issues")
