"""A MongoDB that throttles the writes of a run, as a small cluster in Azure does."""

from stores.mongo import OWN_COLLECTIONS
from tests.faults.meddling import Throttling
from tests.faults.site import Site
from tests.faults.truth import Figures, check, figures


def test_a_throttled_run_completes_in_its_first_attempt_and_sends_few_documents_again(
    site: Site, undisturbed: Figures
) -> None:
    calm, throttling = Throttling(1e9, OWN_COLLECTIONS), Throttling(30, OWN_COLLECTIONS)
    run_once(site, calm)
    run_id = run_once(site, throttling)
    assert figures(site, run_id) == undisturbed
    needed = sum(calm.received)
    assert needed < sum(throttling.received) < 2 * needed
    assert throttling.commands["find"] > 0
    assert "failed" not in site.log()


def run_once(site: Site, throttling: Throttling) -> str:
    """Return a run that completes with this server."""
    site.wire.meddling.append(throttling)
    try:
        run_id = site.trigger()
        check(site, run_id, states=("completed",))
    finally:
        site.wire.meddling.remove(throttling)
    return run_id
