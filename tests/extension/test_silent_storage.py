"""Storage of the engine that keeps its connections but does not answer, as behind a firewall that drops packets."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from tests import real_engine
from tests.devhost.harness import eventually
from tests.end_to_end.app import App, running_app

_ANSWER_SECONDS = 12
"""The time limit of a request on a machine that does nothing else."""
_NO_ANSWER_SECONDS = 60
_OTHERS = timedelta(seconds=7)
"""The time limit of a request that only checks whether the engine is alive."""
_RUN = "run_20200101_000000_abcd"
_TRIGGER = ("post", "/api/admin/portfolio/trigger-analysis")


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[real_engine.Azurite]:
    """Yield separate storage: other apps must not be affected."""
    if reason := real_engine.missing():
        pytest.skip(reason)
    server = real_engine.Azurite(tmp_path / "storage")
    server.start()
    yield server
    server.kill()


@pytest.fixture
def app(tmp_path: Path, storage: real_engine.Azurite) -> Iterator[App]:
    with running_app(tmp_path, **real_engine.environment(tmp_path, storage)) as running:
        yield running
        storage.resume()


def routes(app: App) -> list[tuple[str, str]]:
    """Return the method and path of every route."""
    paths = app.client.get("/api/openapi.json").json()["paths"]
    return [
        (method, path.format(run_id=_RUN, user_id="somebody", event_id=f"evt_{'0' * 32}", endpoint_id="ops"))
        for path, methods in paths.items()
        for method in methods.keys() & {"get", "post"}
    ]


@pytest.mark.parametrize(
    ("seconds", "answer_seconds"),
    [(1, _NO_ANSWER_SECONDS), pytest.param(60, _ANSWER_SECONDS, marks=pytest.mark.soak)],
)
def test_every_route_answers_while_storage_is_silent_and_a_run_completes_once_it_is_back(
    app: App, storage: real_engine.Azurite, seconds: float, answer_seconds: float
) -> None:
    asked = [*routes(app), _TRIGGER, _TRIGGER, _TRIGGER]
    assert _TRIGGER in routes(app)
    app.client.timeout = httpx.Timeout(answer_seconds)
    storage.pause()
    began = time.monotonic()
    with ThreadPoolExecutor(len(asked)) as threads:
        while time.monotonic() < began + seconds:
            answers = list(threads.map(lambda route: app.client.request(*route), asked))
            statuses = {route: answer.status_code for route, answer in zip(asked, answers, strict=True)}
            unhurried = {route for route, answer in zip(asked, answers, strict=True) if answer.elapsed > _OTHERS}
            assert {method for method, _ in unhurried} <= {"post"}, unhurried
            assert statuses["get", "/api/health"] == 503
            assert statuses[_TRIGGER] in {409, 503}
    storage.resume()
    # Each worker notices independently that the engine answers again.
    accepted = eventually(lambda: app.trigger().json().get("status") == "started" and newest_run(app))
    assert app.wait(accepted)["status"] == "completed_with_errors"


def newest_run(app: App) -> str:
    return str(app.client.get("/api/admin/portfolio/analysis-runs").json()["runs"][0]["run_id"])
