"""The second and third step of a run, per batch of symbols: prices, then what they say."""

from datetime import date

import msgspec

from analysis.research import research_symbols
from functions.messages import BatchInput, PricesResult, SymbolError
from functions.planning import history_start
from functions.runs import active_run
from functions.services import Services

_LONGEST_ERROR = 200


def load_batch(services: Services, batch: BatchInput) -> PricesResult:
    """Fetch the prices of a batch of symbols and keep them. A symbol without usable prices costs only itself."""
    as_of = _as_of(services, batch.run_id)
    services.runs.reach(batch.run_id, "market_data")
    symbols = services.batches.members(batch.plan_id, "symbols", batch.number)
    fetched = services.provider.daily_bars(symbols, history_start(as_of), as_of)
    services.prices.save(fetched.bars)
    services.batches.record_symbols(batch.plan_id, batch.number, failed=sorted(fetched.errors))
    errors = [
        SymbolError(symbol, error.error_type, str(error)[:_LONGEST_ERROR])
        for symbol, error in sorted(fetched.errors.items())
    ]
    return PricesResult(failed=len(errors), errors=errors)


def research_batch(services: Services, batch: BatchInput) -> int:
    """Research the priced symbols of a batch for the pages of this run, and publish it unless the run is dry."""
    run = active_run(services, batch.run_id)
    services.runs.reach(batch.run_id, "research")
    as_of = _as_of(services, batch.run_id)
    bars = services.prices.load(services.batches.priced_symbols(batch.plan_id, batch.number))
    found = research_symbols(bars, as_of)
    services.batches.record_research(batch.plan_id, batch.number, msgspec.to_builtins(found))
    if not run.dry_run:
        services.research.save(found)
    return len(found)


def _as_of(services: Services, run_id: str) -> date:
    as_of = active_run(services, run_id).as_of
    if as_of is None:
        raise ValueError(f"{run_id} was never planned")
    return as_of
