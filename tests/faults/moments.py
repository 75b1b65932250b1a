"""Exact moments of a run, each identified by its command to MongoDB."""

from tests.faults.wire import Moment

_RUNS = "portfolio_analysis_runs"

PLAN = Moment("insert", "run_batches")
PRICES = Moment("update", "symbol_prices", b"S03\0")  # not those of the benchmark, which are stored by the plan
READ = Moment("update", "run_batches", b"found\0")
COLLECTED = Moment("update", _RUNS, b"symbols_by\0")
RESEARCH = Moment("insert", "symbol_research")
PAGE = Moment("insert", "portfolio_analyses")
REPORTS_WRITTEN = Moment("insert", "portfolio_analyses", carried_out=True)  # but not yet told of
FINISH = Moment("update", _RUNS, b"completed_at")
LEASE_RELEASED = Moment("delete", "run_leases")
CLEARED_UP = Moment("delete", "run_batches")

RECORDED = Moment("insert", _RUNS)
LEASE_TAKEN = Moment("insert", "run_leases")
ATTEMPT_ON_RECORD = Moment("insert", "audit_log", carried_out=True)

# By the activity that is running at that moment.
OF_ACTIVITIES = {
    "plan_run": PLAN,
    "read_page": READ,
    "collect_symbols": COLLECTED,
    "load_prices": PRICES,
    "research_symbols": RESEARCH,
    "analyze_page": PAGE,
    "finish_run": FINISH,
}
