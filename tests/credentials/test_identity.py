"""No password: the app signs in to MongoDB and Redis with tokens of its identity."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis
import trustme
from pymongo.errors import ConnectionFailure, OperationFailure
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from functions.access.throttling import SIGN_IN_FAILURES, Counts
from stores.mongo import connect
from stores.redis_server import RedisServer
from stores.redis_server import connect as connect_redis
from tests.conftest import REDIS_PATH, free_port, missing_server
from tests.credentials.oidc_mongodb import Server, a_mongodb_that_takes
from tests.identity import Identity, an_identity

USER = "22222222-2222-2222-2222-222222222222"


@pytest.fixture
def identity(monkeypatch: pytest.MonkeyPatch) -> Iterator[Identity]:
    with an_identity(monkeypatch) as found:
        yield found


@pytest.fixture(scope="module")
def redis_over_tls() -> Iterator[tuple[str, redis.Redis]]:
    """Yield the URL of a Redis like Azure's, and a client that may change the token it accepts."""
    program = shutil.which("redis-server", path=REDIS_PATH)
    if program is None:
        missing_server("redis-server is not installed")
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost", "127.0.0.1")
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: str(Path(folder) / f"{name}.pem") for name in ("ca", "key", "cert")}
        authority.cert_pem.write_to_path(paths["ca"])
        certificate.private_key_pem.write_to_path(paths["key"])
        certificate.cert_chain_pems[0].write_to_path(paths["cert"])
        port, door = free_port(), str(Path(folder) / "redis.sock")
        command = [
            program,
            "--port",
            "0",
            "--tls-port",
            str(port),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--dir",
            folder,
        ]
        command += ["--tls-ca-cert-file", paths["ca"], "--tls-key-file", paths["key"], "--tls-cert-file", paths["cert"]]
        command += ["--tls-auth-clients", "no", "--unixsocket", door]
        with subprocess.Popen([*command], stdout=subprocess.DEVNULL) as process:
            operator = redis.Redis(unix_socket_path=door, retry=Retry(ConstantBackoff(0.05), 200))
            operator.acl_setuser(USER, enabled=True, passwords=["+token-1"], keys=["*"], categories=["+@all"])
            yield f"rediss://{USER}@localhost:{port}/0?ssl_ca_certs={paths['ca']}", operator
            operator.close()
            process.terminate()


def test_the_app_signs_in_to_redis_with_a_token_instead_of_a_password(
    identity: Identity, redis_over_tls: tuple[str, redis.Redis]
) -> None:
    url, _ = redis_over_tls
    with connect_redis(url) as client:
        assert client.acl_whoami() == USER
    assert identity.asked_for == ["https://redis.azure.com"]


def test_a_token_is_requested_once_while_it_is_valid(
    identity: Identity, redis_over_tls: tuple[str, redis.Redis]
) -> None:
    url, _ = redis_over_tls
    for _ in range(3):
        with connect_redis(url) as client:
            client.ping()
    assert len(identity.asked_for) == 1


def test_a_connection_that_redis_closes_when_its_token_expires_is_opened_again_with_the_next_token(
    identity: Identity, redis_over_tls: tuple[str, redis.Redis]
) -> None:
    url, operator = redis_over_tls
    identity.good_for_seconds = 1  # so close to its expiry the SDK requests another one
    server = RedisServer(url)
    failures = Counts(SIGN_IN_FAILURES, server)
    assert failures.add("client").count == 1
    identity.token = "token-2"
    operator.acl_setuser(USER, enabled=True, reset_passwords=True, passwords=["+token-2"])
    operator.client_kill_filter(user=USER)
    assert failures.add("client").count == 2
    server.close()
    operator.acl_setuser(USER, enabled=True, reset_passwords=True, passwords=["+token-1"])


@pytest.mark.parametrize("fault", ["no token", "wrong token"])
def test_if_the_sign_in_to_redis_fails_each_worker_counts_by_itself(
    fault: str, identity: Identity, redis_over_tls: tuple[str, redis.Redis], caplog: pytest.LogCaptureFixture
) -> None:
    url, _ = redis_over_tls
    identity.gives_none = fault == "no token"
    identity.token = "token-of-somebody-else"
    server = RedisServer(url)
    failures = Counts(SIGN_IN_FAILURES, server)
    assert [failures.add("client").count for _ in range(2)] == [1, 2]
    server.close()
    assert [record.message for record in caplog.records if record.name == "stores.redis_server"] == [
        "Redis is unavailable (AuthenticationError): rate limits and sign-in failures are counted by each worker"
    ]
    assert identity.token not in caplog.text


@pytest.mark.parametrize("url", ["redis://user@localhost:1", "rediss://user:word@localhost:1", "rediss://localhost:1"])
def test_a_token_is_never_sent_without_tls_or_if_a_password_is_given(url: str, identity: Identity) -> None:
    with connect_redis(url) as client, pytest.raises(redis.ConnectionError):
        client.ping()
    assert identity.asked_for == []


@pytest.fixture
def mongodb(mongodb_url: str) -> Iterator[Server]:
    with a_mongodb_that_takes("token-1", urlsplit(mongodb_url).port or 0) as server:
        yield server


def url_of(server: Server) -> str:
    return f"mongodb://127.0.0.1:{server.port}/?directConnection=true&authMechanism=MONGODB-OIDC&retryWrites=false&maxIdleTimeMS=120000"


def test_the_app_signs_in_to_mongodb_with_a_token_instead_of_a_password(identity: Identity, mongodb: Server) -> None:
    with connect(url_of(mongodb)) as client:
        client["signed_in"]["things"].insert_one({"name": "one"})
        assert client["signed_in"]["things"].find_one({}, {"_id": False}) == {"name": "one"}
    assert set(mongodb.shown) == {"token-1"}
    assert identity.asked_for == ["https://ossrdbms-aad.database.windows.net"]


def test_without_a_token_mongodb_counts_as_unavailable(identity: Identity, mongodb: Server) -> None:
    identity.gives_none = True
    with connect(url_of(mongodb)) as client, pytest.raises(ConnectionFailure):
        client.admin.command("ping")
    assert mongodb.shown == []


def test_a_refused_token_is_an_error_that_does_not_quote_it(identity: Identity, mongodb: Server) -> None:
    identity.token = "token-of-somebody-else"
    with connect(url_of(mongodb)) as client, pytest.raises(OperationFailure) as caught:
        client.admin.command("ping")
    assert identity.token not in str(caught.value)


def test_without_the_mechanism_in_its_url_the_app_does_not_sign_in_to_mongodb(
    identity: Identity, mongodb: Server
) -> None:
    with (
        connect(f"mongodb://127.0.0.1:{mongodb.port}/?directConnection=true") as client,
        pytest.raises(OperationFailure),
    ):
        client.admin.command("ping")
    assert identity.asked_for == []
