"""Users with arbitrary documents: each of them fails with a named reason, and no other user is affected."""

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
