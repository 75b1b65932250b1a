"""The app as operators use it: over HTTP, and with access to its database."""

from collections.abc import Iterator

import pytest

from stores.mongo import DocumentDatabase, connect
from tests.end_to_end.app import App, running_app


@pytest.fixture(scope="package")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    with running_app(tmp_path_factory.mktemp("app")) as running:
        yield running


@pytest.fixture
def app_database(app: App) -> Iterator[DocumentDatabase]:
    with connect(app.printed("MongoDB at ")) as client:
        yield client["portfolio"]
