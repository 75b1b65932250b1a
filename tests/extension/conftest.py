from collections.abc import Iterator

import pytest

from tests import real_engine
from tests.faults.site import Site


@pytest.fixture(scope="session")
def standing_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    site = Site(folder, users=40, **real_engine.environment(folder))
    yield site
    site.close()


@pytest.fixture
def site(standing_site: Site) -> Site:
    """Return a site on the real extension with everything working."""
    standing_site.heal()
    return standing_site
