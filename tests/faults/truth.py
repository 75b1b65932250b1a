"""The invariants after every run, whatever failed: its record agrees with the stored data."""

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from stores.mongo import Document
from tests.faults.site import FINAL, Site
from tests.stored import stored_reports

type Figures = dict[str, dict[str, Any]]


@dataclass
class Verdict:
    """The errors of a run: users with a lost or duplicate result, and other violated claims."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        return not (self.lost or self.doubled or self.wrong)


def check(site: Site, run_id: str, *, planned: list[str] | None = None, states: tuple[str, ...] = FINAL) -> Document:
    """Return the record of an ended run after comparing it with everything stored and logged."""
    run = site.wait(run_id)
    verdict = judge(site, run, planned=planned, states=states)
    assert verdict.is_clean, f"{verdict}\n{run}\n{site.log()}"
    return run


def judge(site: Site, run: Document, *, planned: list[str] | None = None, states: tuple[str, ...] = FINAL) -> Verdict:
    """Return the errors of a run's record compared with everything stored and logged; by default for all users."""
    expected = set(site.user_ids if planned is None else planned)
    reports = list(site.database.portfolio_analyses.find({"run_id": run["run_id"]}, {"report": False}))
    found = Counter(report["user_id"] for report in reports)
    verdict = Verdict(doubled=sorted(user_id for user_id, number in found.items() if number > 1))
    if run["status"].startswith("completed"):
        verdict.lost = sorted(expected - set(found))
    claims = _claims(site, run, reports) | {
        f"only planned users have reports, not {set(found) - expected}": set(found) <= expected,
        f"the state is one of {states}": run["status"] in states,
    }
    verdict.wrong = [claim for claim, is_true in claims.items() if not is_true]
    return verdict


def _claims(site: Site, run: Document, reports: list[Document]) -> dict[str, bool]:
    by_status = Counter(report["status"] for report in reports)
    errors = {(error["user_id"], error["error_type"]) for error in run["errors"]}
    failed = {(report["user_id"], report["reason"]) for report in reports if report["status"] == "failed"}
    completed = run["status"].startswith("completed")
    return {
        "the counts are those of the reports": _counts(run) == tuple(by_status[s] for s in _STATUSES),
        "portfolios_analyzed is users_analyzed": run["portfolios_analyzed"] == run["users_analyzed"],
        "a completed run accounts for every user": not completed or sum(_counts(run)) == run["users_to_analyze"],
        "a completed run has done every page": not completed or run["progress"]["pages_done"] == _pages_total(run),
        "completed means without errors": (run["status"] == "completed") == (completed and not run["errors_count"]),
        "every failed user is named": failed <= errors or run["errors_count"] > len(run["errors"]),
        "the errors are counted": run["errors_count"] >= len(run["errors"]),
        "a failed run has a reason": run["status"] != "failed" or run["errors"][0]["user_id"] is None,
        "the phase is done": run["progress"]["phase"] == "done",
        "the times are in order": run["requested_at"] <= run["completed_at"],
        "no lease is held": site.database.run_leases.count_documents({}) == 0,
        "no batches are left": site.database.run_batches.count_documents({}) == 0,
        "its end is logged once": site.ends_logged(run["run_id"]) == 1,
    }


_STATUSES = ("analyzed", "skipped", "failed")


def _counts(run: Document) -> tuple[int, ...]:
    return tuple(run[f"users_{status}"] for status in _STATUSES)


def _pages_total(run: Document) -> int:
    return int(run["progress"]["pages_total"])


def alike(one: object, other: object) -> bool:
    """Return whether two reports, or parts of them, have the same figures.

    Those of research differ in their last digits where the symbols were in other batches.
    """
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(alike(value, other[name]) for name, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)
    return one == other


def figures(site: Site, run_id: str) -> Figures:
    """Return each user's report in a run, without the fields that differ between runs."""
    reports = stored_reports(site.database, run_id=run_id)
    return {report["user_id"]: {**report, "run_id": None} for report in reports}
