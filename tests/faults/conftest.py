from collections.abc import Iterator

import pytest

from tests.faults.site import Site
from tests.faults.truth import Figures, check, figures


@pytest.fixture(scope="session")
def standing_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = Site(tmp_path_factory.mktemp("site"))
    yield site
    site.close()


@pytest.fixture
def site(standing_site: Site) -> Site:
    """Return the site with everything working, whatever the previous test did."""
    standing_site.heal()
    return standing_site


@pytest.fixture(scope="session")
def undisturbed(standing_site: Site) -> Figures:
    """Return the figures of every user after a run without faults."""
    standing_site.heal()
    run_id = standing_site.trigger()
    check(standing_site, run_id, states=("completed",))
    return figures(standing_site, run_id)
