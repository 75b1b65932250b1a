"""The app as operators use it: over HTTP, and with access to its database."""

from collections.abc import Iterator

import pytest

from stores.mongo import DocumentDatabase, connect
from tests.end_to_end.app import App, running_app
from tests.infra.compiler import NOT_INSTALLED, Compiler, program


@pytest.fixture(scope="package")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    with running_app(tmp_path_factory.mktemp("app")) as running:
        yield running


@pytest.fixture
def app_database(app: App) -> Iterator[DocumentDatabase]:
    with connect(app.printed("MongoDB at ")) as client:
        yield client["portfolio"]


@pytest.fixture(scope="session")
def compiler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compiler]:
    """Run Microsoft's compiler, where there is one: no package index has it."""
    path = program()
    if path is None:
        pytest.skip(NOT_INSTALLED)
    running = Compiler(path, tmp_path_factory.mktemp("parameters"))
    yield running
    running.close()
