"""Kill -9 of the whole host in a step of a run, on the real extension: the next host continues the run."""

import pytest

from tests.devhost.harness import eventually
from tests.faults.moments import OF_ACTIVITIES
from tests.faults.site import FINAL, Site
from tests.faults.truth import Figures, check, figures

_PAUSE_SECONDS = 90
"""The delay of a run: messages taken by the dead host are hidden from the next one for up to a minute."""


@pytest.fixture(scope="module")
def undisturbed(standing_site: Site) -> Figures:
    standing_site.heal()
    run_id = standing_site.trigger()
    check(standing_site, run_id, states=("completed",))
    return figures(standing_site, run_id)


@pytest.mark.parametrize(
    "activity",
    [
        pytest.param(activity, marks=() if activity == "analyze_page" else pytest.mark.soak)
        for activity in OF_ACTIVITIES
    ],
)
def test_a_run_whose_host_is_killed_in_a_step_continues_within_90_seconds_without_lost_duplicate_or_wrong_reports(
    site: Site, undisturbed: Figures, activity: str
) -> None:
    with site.wire.holding(OF_ACTIVITIES[activity]) as hold:
        run_id = site.trigger()
        hold.wait()
        site.kill_app()
    site.start_app()
    eventually(lambda: site.record(run_id)["status"] in FINAL, _PAUSE_SECONDS)
    check(site, run_id, states=("completed",))
    assert figures(site, run_id) == undisturbed
