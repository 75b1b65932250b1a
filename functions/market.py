"""The second and third step of a run, per batch of symbols: prices, then what they say."""

from datetime import date

from analysis.research import research_symbols
from analysis.returns import prepare_prices
from functions.messages import BatchInput, BatchResult
from functions.planning import history_start
from functions.services import Services, settings
from functions.steps import drop_prices_if_over, prices_of, wanted_run
from stores.records import Run, RunError

_LONGEST_ERROR = 200


def load_batch(services: Services, batch: BatchInput) -> BatchResult:
    """Fetch the prices of a batch of symbols and keep them. A symbol without usable prices costs only itself."""
    run = wanted_run(services, batch.run_id)
    if run is None:
        return BatchResult()
    services.runs.reach(run.run_id, "market_data")
    as_of = _as_of(run)
    symbols = services.batches.members(batch.plan_id, "symbols", batch.number)
    fetched = services.provider.daily_bars(symbols, history_start(as_of), as_of)
    prices_of(services, run).save(fetched.bars)
    drop_prices_if_over(services, run)
    errors = {
        symbol: RunError(None, error.error_type, str(error)[:_LONGEST_ERROR])
        for symbol, error in fetched.errors.items()
    }
    services.batches.record_symbols(batch.plan_id, batch.number, errors)
    return BatchResult(failed=len(errors), failed_symbols=tuple(sorted(errors)))


def research_batch(services: Services, batch: BatchInput) -> BatchResult:
    """Research the priced symbols of a batch and prepare their prices, once for all pages of the run.

    The research is published, too, unless the run is dry.
    """
    run = wanted_run(services, batch.run_id)
    if run is None:
        return BatchResult()
    services.runs.reach(run.run_id, "research")
    symbols, benchmark = services.batches.priced_symbols(batch.plan_id, batch.number), settings().benchmark_symbol
    bars = prices_of(services, run).load([*symbols, benchmark])
    of_batch = {symbol: bars[symbol] for symbol in symbols}
    found = research_symbols(of_batch, _as_of(run))
    prices = prepare_prices(of_batch, bars[benchmark], _as_of(run), settings().lookback_days)
    services.batches.record_research(batch.plan_id, batch.number, found, prices)
    if not run.dry_run:
        services.research.save(found)
    return BatchResult()


def _as_of(run: Run) -> date:
    if run.as_of is None:
        raise ValueError(f"{run.run_id} was never planned")
    return run.as_of
