"""The third step of a run, per batch of symbols: research."""

from collections.abc import Mapping
from datetime import date

import numpy as np
from msgspec.structs import replace

from analysis.histories import read_histories
from analysis.models import Instrument, Research
from analysis.price_issues import assumed_currency, symbol_issue
from analysis.price_table import prepare_prices
from analysis.prices import Bars, clean
from analysis.research import research_symbols
from records import Batch, BatchResult, PriceIssue, SymbolIssue
from runs.prices import history_start
from runs.services import Services
from stores.symbols import History


def research_batch(services: Services, batch: Batch) -> BatchResult:
    """Research the priced symbols of a batch and prepare their prices, once for all pages of the run.

    The research is also published, unless the run is dry.
    """
    run = services.runs.planned_run(batch.run_id, services.settings)
    if run is None:
        return BatchResult()
    services.runs.reach(batch.run_id, "research")
    as_of, benchmark, lookback_days = run.as_of, run.parameters.benchmark_symbol, run.parameters.lookback_days
    members = services.batches.members(batch.plan_id, "symbols", batch.number)
    histories = services.prices.load([*members, benchmark])
    priced = services.batches.priced_symbols(batch.plan_id, batch.number)

    start = history_start(as_of, lookback_days)

    def cut(symbol: str) -> Bars:  # a run has the same prices however many older ones are stored
        return histories[symbol].bars.since(start)

    # A symbol whose prices are bad has none, but the issue that says so.
    failed = sorted(set(histories) & set(members) - set(priced))
    bad = [symbol for symbol in failed if clean(cut(symbol), as_of).too_many]
    read = read_histories({symbol: cut(symbol) for symbol in (*priced, *bad)}, cut(benchmark), as_of)
    instruments = services.portfolios.instruments([*members, benchmark])
    found = [_with_facts(own, instruments.get(own.symbol)) for own in research_symbols(read)]
    issues = _source_issues(histories, benchmark, as_of)
    if any(symbol not in instruments or instruments[symbol].currency is None for symbol in priced):
        issues.append(assumed_currency(run.parameters.base_currency))
    prices = prepare_prices(read, lookback_days, issues, benchmark_symbol=benchmark, asked_on=run.asked_on)
    services.batches.record_research(batch.plan_id, batch.number, found, prices, instruments)
    if not run.dry_run:
        services.research.save(batch.run_id, found)
    return BatchResult()


def _with_facts(research: Research, instrument: Instrument | None) -> Research:
    if instrument is None:
        return research
    return replace(research, name=instrument.name, sector=instrument.sector, country=instrument.country)


def _source_issues(histories: Mapping[str, History], benchmark: str, as_of: date) -> list[SymbolIssue]:
    """Return the issues of the source, also for symbols without prices, and for a benchmark behind the market."""
    issues = [symbol_issue(symbol, issue) for symbol, own in histories.items() for issue in own.issues]
    missing = _days_without_benchmark(histories, benchmark)
    if missing and histories[benchmark].bars.dates[-1].item() == as_of:
        issues.append(symbol_issue(benchmark, PriceIssue("behind_market", missing[0], count=len(missing))))
    return issues


def _days_without_benchmark(histories: Mapping[str, History], benchmark: str) -> list[date]:
    """Return the days that most symbols have, but the benchmark, though requested, does not have yet."""
    known = [own.bars.dates for own in histories.values() if len(own.bars.dates)]
    last, asked = histories[benchmark].bars.dates[-1], np.datetime64(histories[benchmark].end)
    later = np.concatenate([dates[(dates > last) & (dates <= asked)] for dates in known])
    days, symbols = np.unique(later, return_counts=True)
    most: list[date] = days[2 * symbols > len(known)].tolist()
    return most
