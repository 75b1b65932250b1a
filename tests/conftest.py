"""The real servers that the tests use."""

import contextlib
import logging
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Generator, Iterator
from typing import Never

import pytest
import redis
from secantus import SecantusDBServer

from credentials.identity import credential
from stores.mongo import DocumentDatabase, connect
from tests.security.secret_patterns import certain_secrets

# Renamed, because otherwise every app started by a test would run on it.
ENGINE_PROGRAM = os.environ.setdefault("TEST_DURABLE_HOST", os.environ.pop("DURABLE_HOST", ""))
# Below the ephemeral ports of the system, so that no other program is given one of them before its use.
_PORTS = range(20_000, 32_000)
REDIS_PATH = f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin"


@pytest.fixture(scope="module")
def mongodb_url() -> Iterator[str]:
    """Yield the address of a server of the module's own: the more writes one has had, the longer each takes."""
    server = SecantusDBServer(storage_path=":memory:")
    server.start()
    yield f"mongodb://127.0.0.1:{server.port}"
    stopping = threading.Thread(target=server.stop)
    stopping.start()
    while stopping.is_alive():
        # It waits two seconds for its thread that accepts connections, which only a connection wakes.
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", server.port)).close()
        stopping.join(0.01)


@pytest.fixture
def database(mongodb_url: str) -> Iterator[DocumentDatabase]:
    client = connect(mongodb_url)
    name = f"test_{secrets.token_hex(4)}"
    yield client[name]
    client.drop_database(name)
    client.close()


@pytest.fixture(autouse=True)
def no_identity_of_another_test() -> Iterator[None]:
    """Let each test sign in with the identity in its own environment."""
    yield
    credential.cache_clear()


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    server = shutil.which("redis-server", path=REDIS_PATH)
    if server is None:
        missing_server("redis-server is not installed")
    port = free_port()
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(
            [server, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder],
            stdout=subprocess.DEVNULL,
        ) as process,
    ):
        url = f"redis://127.0.0.1:{port}"
        _wait_until_it_answers(url)
        yield url
        process.terminate()


def pytest_configure() -> None:
    """Silence the request log of the tests' own client: some addresses contain a secret."""
    logging.getLogger("httpx").setLevel(logging.WARNING)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests that need the real extension if it is not found."""
    from tests import real_engine

    if real_engine.is_chosen() and (reason := real_engine.missing()):
        for item in items:
            item.add_marker(pytest.mark.skip(reason))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test that passes but logged or printed a secret."""
    report = yield
    leaks = sorted({kind for _, text in report.sections for kind, _ in certain_secrets(text)})
    if report.passed and leaks:
        report.outcome, report.longrepr = "failed", f"a secret was logged: {', '.join(leaks)}"
    return report


def missing_server(reason: str) -> Never:
    """Skip the test because a server is missing; in CI, where everything must be installed, fail it."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def free_port() -> int:
    """Return a free port; other test processes try other ports, and the system does not assign it meanwhile."""
    while True:
        port = secrets.choice(_PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def _wait_until_it_answers(url: str) -> None:
    from redis.backoff import ConstantBackoff
    from redis.retry import Retry

    with redis.Redis.from_url(
        url, retry=Retry(ConstantBackoff(0.05), 100), retry_on_error=[redis.ConnectionError]
    ) as client:
        client.ping()
