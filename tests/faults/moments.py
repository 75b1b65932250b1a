"""Exact moments of a run, each by the command to MongoDB that marks it."""

from tests.faults.wire import Moment

_RUNS = "portfolio_analysis_runs"

PLAN = Moment("insert", "run_batches")
PRICES = Moment("update", "symbol_prices", b"S03\0")  # not the benchmark's, which the plan keeps
RESEARCH = Moment("update", "symbol_research")
PAGE = Moment("insert", "portfolio_analyses")
REPORTS_WRITTEN = Moment("insert", "portfolio_analyses", carried_out=True)  # and not yet their summaries
FINISH = Moment("update", _RUNS, b"completed_at")
LEASE_GIVEN_BACK = Moment("delete", "run_leases")
CLEARED_UP = Moment("delete", "run_batches")

RECORDED = Moment("insert", _RUNS)
LEASE_TAKEN = Moment("insert", "run_leases")
ATTEMPT_ON_RECORD = Moment("insert", "audit_log", carried_out=True)

# By the activity that is under way then.
OF_ACTIVITIES = {
    "plan_run": PLAN,
    "load_prices": PRICES,
    "research_symbols": RESEARCH,
    "analyze_page": PAGE,
    "finish_run": FINISH,
}
