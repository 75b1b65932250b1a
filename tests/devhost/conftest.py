from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.devhost.harness import Host, running_host


@pytest.fixture(scope="session")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """Yield a host with the test app, shared by tests that do not change it."""
    with running_host(tmp_path_factory.mktemp("host")) as running:
        yield running


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """Return a folder with an empty app."""
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "host.json").write_text('{"version": "2.0"}')
    (folder / "function_app.py").write_text("import azure.functions as func\n\napp = func.FunctionApp()\n")
    return folder
