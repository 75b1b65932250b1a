import json
import os
import signal
import socket
import stat
import subprocess
import time
from pathlib import Path

import httpx
import psutil
import pytest
import redis
from pymongo import MongoClient
from secantus import SecantusDBServer

from devhost.environment import PUBLISHED_SECRET
from stores.mongo import OWN_COLLECTIONS
from tests.devhost.harness import (
    HOST_APP,
    ROOT,
    Host,
    command,
    environment,
    eventually,
    no_services,
    refused_start,
    running_host,
)
from tests.plain_http import PLAIN_HTTP

HTTP_FUNCTION = """
@app.route("{route}")
def {name}(req: func.HttpRequest) -> str:
    return "ok"
"""


def add(app: Path, code: str) -> None:
    with (app / "function_app.py").open("a") as file:
        file.write(code)


def assert_refused(refused: subprocess.CompletedProcess[str], line: str) -> None:
    assert refused.returncode == 1
    assert refused.stderr == f"{line}\n"
    assert "Listening" not in refused.stdout


def assert_gone(processes: list[psutil.Process]) -> None:
    assert processes
    _, alive = psutil.wait_procs(processes, timeout=5)
    assert not alive


def url(host: Host, service: str) -> str:
    (line,) = [line for line in host.lines if line.startswith(f"{service} at ")]
    return line.removeprefix(f"{service} at ")


def test_the_lines_come_in_order_with_passwords_masked(tmp_path: Path) -> None:
    with running_host(tmp_path) as host:
        heads = [line.split(" at ")[0].split(" on ")[0] for line in host.lines if not line.startswith(" ")]
        assert heads == ["MongoDB", "Redis", "Listening"]
        assert url(host, "Redis") == "redis://:***@127.0.0.1:1"
        assert host.lines[-1] == f"Listening on {str(host.client.base_url).rstrip('/')}"


def test_the_development_secret_is_shown_only_where_it_is_in_use(app: Path, tmp_path: Path) -> None:
    (app / "local.settings.json").write_text('{"Values": {"ADMIN_SECRET": "for development"}}')
    with running_host(tmp_path, app) as host:
        assert "Development admin secret: for development" in host.lines
    with running_host(tmp_path, app, ADMIN_SECRET="real") as host:
        assert not [line for line in host.lines if "secret" in line]


PUBLISHED = json.dumps({"Values": {"ADMIN_SECRET": PUBLISHED_SECRET}})
SHOWN = "Development admin secret: "
SECRET_OF_THE_APP = """
import os

@app.route("secret")
def secret(req: func.HttpRequest) -> str:
    return os.environ["ADMIN_SECRET"]
"""


def secrets_of(host: Host) -> tuple[list[str], str]:
    """Return the secrets that the banner shows, and the app's."""
    shown = [line.removeprefix(SHOWN) for line in host.lines if line.startswith(SHOWN)]
    return shown, host.client.get("/api/secret").text


def test_for_data_that_are_not_the_samples_each_start_has_a_new_secret_that_is_shown_once(
    app: Path, tmp_path: Path
) -> None:
    (app / "local.settings.json").write_text(PUBLISHED)
    add(app, SECRET_OF_THE_APP)
    seen = set()
    for given in ({}, {"ADMIN_SECRET": PUBLISHED_SECRET}):
        with running_host(tmp_path, app, **given) as host:
            (shown,), used = secrets_of(host)
            assert shown == used
            assert len(used) >= 32
            assert used not in host.log()
            seen.add(used)
    assert len(seen) == 2
    assert PUBLISHED_SECRET not in seen


@pytest.mark.parametrize(
    "given", [{"ADMIN_SECRET": "chosen"}, {"ADMIN_SECRET": " "}, {"KEY_VAULT_URL": "https://vault.example"}], ids=str
)
def test_a_secret_of_the_caller_or_of_a_vault_is_neither_replaced_nor_shown(
    app: Path, tmp_path: Path, given: dict[str, str]
) -> None:
    (app / "local.settings.json").write_text(PUBLISHED)
    add(app, SECRET_OF_THE_APP)
    with running_host(tmp_path, app, **given) as host:
        shown, used = secrets_of(host)
        assert shown == []
        if "ADMIN_SECRET" in given:
            assert used == given["ADMIN_SECRET"]


def test_kept_data_have_the_published_secret_only_while_they_are_the_samples(app: Path, tmp_path: Path) -> None:
    (app / "local.settings.json").write_text(PUBLISHED)
    add(app, SECRET_OF_THE_APP)
    kept = {"MONGODB_URL": "", "DATA_DIR": str(tmp_path / "data")}
    for _ in range(2):
        with running_host(tmp_path, app, **kept) as host:
            assert secrets_of(host) == ([PUBLISHED_SECRET], PUBLISHED_SECRET)
            assert host.stop() == 0
    with running_host(tmp_path, app, **kept) as host:
        with MongoClient[dict[str, object]](url(host, "MongoDB")) as mongodb:
            mongodb["portfolio"]["holdings"].insert_one({"user_id": "me", "symbol": "AAPL", "quantity": 1})
        assert host.stop() == 0
    with running_host(tmp_path, app, **kept) as host:
        (shown,), used = secrets_of(host)
        assert shown == used != PUBLISHED_SECRET
        assert host.stop() == 0


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("before", ["missing", "empty", "ours"])
def test_kept_data_are_closed_to_other_users(tmp_path: Path, before: str) -> None:
    data = tmp_path / "data"
    if before != "missing":
        data.mkdir()
        data.chmod(0o755)
    if before == "ours":
        (data / "timers").mkdir(mode=0o755)
    embedded = {"MONGODB_URL": "", "REDIS_URL": "", "DATA_DIR": str(data)}
    with running_host(tmp_path, **embedded) as host:
        with redis.Redis.from_url(url(host, "Redis")) as cache:
            cache.set("kept", "value")
        assert host.stop() == 0
    assert mode(data) == 0o700
    made = [path for path in data.rglob("*") if before != "ours" or path.name != "timers"]
    assert len(made) > 3
    assert [path for path in made if mode(path) & 0o077] == []


def test_a_folder_that_others_use_is_neither_opened_nor_closed_to_them(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o755)
    (shared / "report.txt").write_text("of somebody")
    refused = refused_start(tmp_path, HOST_APP, MONGODB_URL="", DATA_DIR=str(shared))
    assert_refused(
        refused,
        f"DATA_DIR {shared} is open to other users of this machine and holds other files: "
        "name another folder, or run chmod 700 on it",
    )
    assert mode(shared) == 0o755
    shared.chmod(0o700)
    with running_host(tmp_path, MONGODB_URL="", DATA_DIR=str(shared)) as host:
        assert host.stop() == 0


def test_every_server_of_the_host_listens_on_the_loopback_interface_only(tmp_path: Path) -> None:
    with running_host(tmp_path, MONGODB_URL="", REDIS_URL="") as host:
        processes = [psutil.Process(host.process.pid), *host.children()]
        listening = [
            connection.laddr.ip.removeprefix("::ffff:")
            for process in processes
            for connection in process.net_connections("inet")
            if connection.status == psutil.CONN_LISTEN
        ]
        assert len(listening) >= 4, "HTTP, MongoDB, Redis and the engine"
        assert set(listening) == {"127.0.0.1"}
        assert host.stop() == 0


def test_local_settings_reach_the_app_below_the_real_environment(app: Path, tmp_path: Path) -> None:
    (app / "local.settings.json").write_text('{"Values": {"ONE": "file", "TWO": "file"}}')
    add(
        app,
        HTTP_FUNCTION.format(name="seen", route="seen").replace('"ok"', "f\"{os.environ['ONE']} {os.environ['TWO']}\""),
    )
    add(app, "\nimport os\n")
    with running_host(tmp_path, app, TWO="real") as host:
        assert host.client.get("/api/seen").text == "file real"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_everything_with_exit_code_0(tmp_path: Path, number: int) -> None:
    with running_host(tmp_path) as host:
        children = host.children()
        assert host.stop(number) == 0
        assert_gone(children)
        assert host.log() == ""


def test_a_signal_stops_a_host_whose_functions_and_clients_are_busy(tmp_path: Path) -> None:
    with running_host(tmp_path) as host:
        children = host.children()
        host.run("calls", {"activity": "slow_at_first", "input": "slow", "retry": True})
        eventually(lambda: host.notes("slow"))
        base_url = host.client.base_url
        with socket.create_connection((base_url.host, base_url.port or 0)) as client:
            client.sendall(b"GET /sleep?seconds=60 HTTP/1.1\r\nHost: x\r\n\r\n")
            eventually(lambda: host.notes("sleep"))
            host.process.send_signal(signal.SIGTERM)
            assert host.process.wait(timeout=5) == 0
        assert_gone(children)


def test_a_signal_that_arrives_twice_stops_the_host_in_order(tmp_path: Path) -> None:
    with running_host(tmp_path) as host:
        host.process.send_signal(signal.SIGTERM)
        time.sleep(0.02)
        assert host.stop(signal.SIGTERM) == 0


def test_a_second_signal_ends_a_slow_stop_at_once(tmp_path: Path) -> None:
    with running_host(tmp_path) as host:
        children = host.children()
        base_url = host.client.base_url
        with socket.create_connection((base_url.host, base_url.port or 0)) as client:
            client.sendall(b"GET /sleep?seconds=60 HTTP/1.1\r\nHost: x\r\n\r\n")
            eventually(lambda: host.notes("sleep"))
            host.process.send_signal(signal.SIGINT)
            time.sleep(0.7)
            assert host.stop(signal.SIGINT) == 1
        assert_gone(children)


def test_a_signal_during_the_start_stops_it_with_exit_code_0(app: Path, tmp_path: Path) -> None:
    add(app, "import time; time.sleep(60)\n")
    with subprocess.Popen(command(app), env=environment(tmp_path, no_services()), cwd=ROOT) as process:
        children = eventually(lambda: psutil.Process(process.pid).children())
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=5) == 0
        assert_gone(children)


def test_a_killed_host_leaves_no_process_behind(tmp_path: Path) -> None:
    with running_host(tmp_path) as host:
        children = host.children()
        host.process.kill()
        assert_gone(children)


def test_a_port_in_use_is_one_line_and_exit_code_1(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = refused_start(tmp_path, HOST_APP, PORT=str(port))
    assert_refused(refused, f"port {port} cannot be used: Address already in use; choose another port with PORT")


def test_a_mongodb_that_cannot_be_reached_is_one_line_without_its_password_and_exit_code_1(tmp_path: Path) -> None:
    refused = refused_start(tmp_path, HOST_APP, MONGODB_URL="mongodb://user:hidden@127.0.0.1:1/shop")
    assert_refused(
        refused,
        "MongoDB at mongodb://user:***@127.0.0.1:1/shop cannot be used: 127.0.0.1:1: [Errno 111] Connection refused; "
        "start that server or correct MONGODB_URL (without MONGODB_URL, an embedded one is used)",
    )


def test_two_databases_that_differ_are_one_line_and_exit_code_1(tmp_path: Path) -> None:
    refused = refused_start(
        tmp_path, HOST_APP, MONGODB_URL="mongodb://user:hidden@127.0.0.1:1/shop", MONGODB_DATABASE="portfolio"
    )
    assert refused.returncode == 1
    assert refused.stderr.startswith("MONGODB_DATABASE is not the database that MONGODB_URL names: ")
    assert refused.stderr.count("\n") == 1
    assert "hidden" not in refused.stderr


def test_an_app_that_refuses_its_settings_is_one_line_and_exit_code_1(app: Path, tmp_path: Path) -> None:
    add(app, "class SettingsError(Exception): ...\nraise SettingsError('PAGE_SIZE must be a\\nwhole number')\n")
    assert_refused(refused_start(tmp_path, app), "SettingsError: PAGE_SIZE must be a whole number")


def test_an_app_that_exits_during_import_is_refused(app: Path, tmp_path: Path) -> None:
    add(app, "import os; os._exit(3)\n")
    assert_refused(refused_start(tmp_path, app), "the app exited during import with code 3")


def test_a_reserved_route_is_refused_at_start(app: Path, tmp_path: Path) -> None:
    add(app, HTTP_FUNCTION.format(name="users", route="admin/users"))
    assert_refused(
        refused_start(tmp_path, app),
        "function users: the route 'admin/users' starts with 'admin', which is reserved for the Functions host",
    )


def test_a_duplicate_function_name_is_refused_at_start(app: Path, tmp_path: Path) -> None:
    add(app, HTTP_FUNCTION.format(name="users", route="a") + HTTP_FUNCTION.format(name="users", route="b"))
    refused = refused_start(tmp_path, app)
    assert refused.returncode == 1
    assert "users" in refused.stderr
    assert refused.stderr.count("\n") == 1


def test_an_unsupported_trigger_is_refused_at_start(app: Path, tmp_path: Path) -> None:
    add(app, HTTP_FUNCTION.format(name="users", route="users"))
    add(app, "@app.queue_trigger('message', 'orders', 'Q')\ndef orders(message: func.QueueMessage) -> None: ...\n")
    assert_refused(refused_start(tmp_path, app), "function orders: the local host does not support queueTrigger")


def test_an_ill_formed_host_json_is_refused_at_start(app: Path, tmp_path: Path) -> None:
    (app / "host.json").write_text('{"extensions": {"http": {"routePrefix": 7}}}')
    refused = refused_start(tmp_path, app)
    assert refused.returncode == 1
    assert refused.stderr.startswith("host.json is ill-formed: Expected `str`, got `int`")


def test_embedded_servers_keep_their_data_in_data_dir_and_die_with_the_host(tmp_path: Path) -> None:
    embedded = {"MONGODB_URL": "", "REDIS_URL": "", "DATA_DIR": str(tmp_path / "data")}
    with running_host(tmp_path, **embedded) as host:
        with MongoClient[dict[str, object]](url(host, "MongoDB")) as mongodb:
            mongodb["test"]["kept"].insert_one({"_id": "document"})
            created = mongodb["portfolio"].list_collection_names()
            assert {*OWN_COLLECTIONS, "health"} <= set(created), "two clients that create one hang SecantusDB"
        with redis.Redis.from_url(url(host, "Redis")) as cache:
            cache.set("kept", "value")
        children = host.children()
        assert host.stop() == 0
        assert_gone(children)
    with running_host(tmp_path, **embedded) as host:
        with MongoClient[dict[str, object]](url(host, "MongoDB")) as mongodb:
            assert mongodb["test"]["kept"].find_one() == {"_id": "document"}
            assert mongodb["portfolio"]["users"].find_one(), "sample users"
        if any("redis-server" in line for line in host.lines):
            with redis.Redis.from_url(url(host, "Redis")) as cache:
                assert cache.get("kept") == b"value"
        assert_refused(
            refused_start(tmp_path, HOST_APP, PORT=str(host.client.base_url.port), **embedded),
            f"DATA_DIR {tmp_path / 'data'} is in use by another start: stop that one, or name another folder",
        )
        children = host.children()
        assert len(children) == 3, "MongoDB, Redis and a worker"
        host.process.kill()
        assert_gone(children)


def test_an_external_mongodb_is_seeded_only_on_request(app: Path, tmp_path: Path) -> None:
    with SecantusDBServer(storage_path=":memory:") as server, MongoClient[dict[str, object]](server.uri) as mongodb:
        external = {"MONGODB_URL": f"{server.uri.rstrip('/')}/external"}
        with running_host(tmp_path, app, **external):
            assert not mongodb["external"].list_collection_names()
        with running_host(tmp_path, app, SEED="1", **external):
            assert mongodb["external"]["users"].find_one()


def test_without_redis_server_on_path_fakeredis_is_used_and_named(tmp_path: Path) -> None:
    with running_host(tmp_path, REDIS_URL="", PATH=os.fspath(tmp_path)) as host:
        with redis.Redis.from_url(url(host, "Redis")) as cache:
            assert cache.ping()
        assert any("fakeredis (no redis-server on PATH)" in line for line in host.lines)
        assert host.stop() == 0


def test_requests_during_the_start_wait_until_it_is_done(app: Path, tmp_path: Path) -> None:
    add(app, "import time; time.sleep(0.5)\n" + HTTP_FUNCTION.format(name="ping", route="ping"))
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]

    def answer() -> str:
        try:
            return httpx.get(f"http://127.0.0.1:{port}/api/ping", timeout=30, trust_env=False, verify=PLAIN_HTTP).text
        except httpx.ConnectError:
            return ""

    with running_host(tmp_path, app, PORT=str(port)):
        assert eventually(answer) == "ok"
