"""Users with arbitrary documents: each fails with a named reason or is told of them, and no other is affected."""

from typing import Any

from tests.end_to_end.app import BASE
from tests.faults.poison import GARBLED, Poison, poisons, write_unusable_user_ids
from tests.faults.site import Site
from tests.faults.truth import Figures, check, figures


def write(site: Site) -> list[Poison]:
    site.wire.garbled.update(GARBLED)
    written = list(poisons())
    for poison in written:
        poison.write(site.database)
    return written


def _told(report: dict[str, Any]) -> set[str]:
    """Return the parts of a report's data quality that tell of invalid documents."""
    quality = report["data_quality"]
    threshold = any("threshold" in note for note in quality["notes"])
    parts = {name for name in ("invalid_holdings", "unknown_cost_symbols") if quality[name]}
    return parts | ({"notes"} if threshold else set())


def test_only_users_with_poisonous_documents_fail_each_by_name_and_a_retry_succeeds_after_the_repair(
    site: Site, undisturbed: Figures
) -> None:
    written = write(site)
    unusable = write_unusable_user_ids(site.database)
    planned = [*site.user_ids, *(poison.user_id for poison in written)]
    run = check(site, site.trigger(), planned=planned, states=("completed_with_errors",))
    found = figures(site, run["run_id"])
    reasons = {user_id: report["reason"] for user_id, report in found.items() if report["status"] == "failed"}
    assert reasons == {poison.user_id: poison.reason for poison in written if poison.reason}
    told = {user_id: _told(report) for user_id, report in found.items() if report["status"] != "failed"}
    assert {poison.user_id for poison in written if poison.told and poison.told not in told[poison.user_id]} == set()
    assert told["zz-name"] == told["zz-two-accounts"] == set()
    (strange,) = [error for error in run["errors"] if error["user_id"] is None]
    assert (strange["error_type"], int(strange["error"].split()[0])) == ("invalid_user_id", unusable)
    assert {user_id: found[user_id] for user_id in undisturbed} == undisturbed

    for poison in written:
        poison.mend(site.database)
    answer = site.app.client.post(f"{BASE}/analysis-runs/{run['run_id']}/retry")
    assert answer.status_code == 202, answer.text
    again = check(site, answer.json()["run_id"], planned=sorted(reasons), states=("completed",))
    assert (again["retry_of"], again["users_analyzed"]) == (run["run_id"], len(reasons))
    assert {report["status"] for report in figures(site, again["run_id"]).values()} == {"analyzed"}
