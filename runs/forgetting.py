"""What is kept about a person, and its erasure: in the app's own collections and in the lake.

Each place is erased as a whole before the next, by the same code that looks for traces; a repetition after a crash
erases the rest. The backend's documents are the backend's own: while they are there, the next night reports on the
person again. Why entries of the audit log stay, without the person: docs/operations.md, "Erasing a person".
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lake.pages import run_of_path, without_report
from lake.places import Lake
from runs.book import people_after_retry
from runs.services import Services
from runs.starting import RunActive


@dataclass(frozen=True, slots=True)
class Trace:
    """A place, and how many documents or files there are, or were, about a person."""

    place: str
    count: int


def forget(services: Services, user_id: str, *, erase: bool) -> Iterator[Trace]:
    """Yield what is kept about a person, place by place; with ``erase``, erase it before it is told.

    Raises:
        RunActive: a run is active, whose steps may write about the person again; nothing was looked at.
        LakeUnavailable: the lake does not answer; places told before are erased.
    """
    if (holder := services.lease.holder()) is not None:
        active = services.runs.get(holder)
        raise RunActive(holder, "" if active is None else active.requested_for)
    runs = services.runs.with_reports()
    # The lake first: the reports in the database name its files.
    if services.lake is not None:
        paths = services.reports.paths(user_id, list(runs))
        yield Trace("files of the lake", _forget_in_lake(services.lake, user_id, runs, paths, erase=erase))
    lists = (
        services.rankings.forget(kept, user_id, erase=erase) for run in runs for kept in (run, people_after_retry(run))
    )
    yield Trace("lists of portfolios", sum(lists))
    yield Trace("nights, among the first to look at", services.books.forget(user_id, erase=erase))
    yield Trace("events", services.outbox.forget(user_id, erase=erase))
    yield Trace("records of runs", services.runs.forget(user_id, erase=erase))
    yield Trace("entries of the audit log", services.audit.forget(user_id, erase=erase))
    yield Trace("reports", services.reports.forget(user_id, list(runs), erase=erase))


def _forget_in_lake(
    lake: Lake, user_id: str, runs: Mapping[str, bool], paths: Mapping[str, str], *, erase: bool
) -> int:
    """Erase a person from the lake: ``paths`` are the files by run, where the database knows them.

    Only the runs with all their reports in the database are known to have none on others; all files of any other run
    are read, which takes long in a lake of years.
    """
    found = 0
    for path in lake.paths():
        run_id = run_of_path(path)
        if run_id is None or path != paths.get(run_id, path):
            continue
        if run_id not in paths and runs.get(run_id, False):
            continue
        content = lake.read(path)
        left = None if content is None else without_report(content, user_id)
        if left is None:
            continue
        found += 1
        if erase and left:
            lake.write(path, left)
        elif erase:
            lake.delete(path)
    return found
