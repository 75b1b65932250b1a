"""A whole run on the local host: 1,000 users of 20 holdings over 500 symbols and 1,260 days, through HTTP.

Reports the time of each phase, and the processor time by kind of process.
"""

from benchmarks.site import running_site
from benchmarks.tables import Group, Row
from benchmarks.workload import DAYS

USERS, SYMBOLS = 1_000, 500


def group() -> Group:
    """Measure, and return the table.

    Raises:
        RuntimeError: not every user was analyzed.
    """
    with running_site(USERS, SYMBOLS) as site:
        before = site.processor_seconds()
        first = site.run_once()
        after = site.processor_seconds()
        second = site.run_once()
    analyzed = [first["users_analyzed"], second["users_analyzed"]]
    if analyzed != [USERS, USERS]:
        raise RuntimeError(f"not every user was analyzed: {analyzed}")
    rows = [
        Row(name.removesuffix("_duration_seconds"), seconds, note=f"again: {second['metrics'][name]:.2f}")
        for name, seconds in first["metrics"].items()
        if not name.startswith("avg")
    ]
    rows += [Row(f"processor: {kind}", after[kind] - before.get(kind, 0)) for kind in sorted(after)]
    return Group(
        title=f"A whole run on the local host: {USERS:,} users, {SYMBOLS} symbols, {DAYS - 1:,} days",
        unit="s",
        ratio_to="",
        rows=rows,
        notes=["Again: a second run, which finds everything imported, connected and stored."],
    )
