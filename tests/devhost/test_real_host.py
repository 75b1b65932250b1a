"""``make func`` with stand-ins for the two external programs, which are not installed everywhere."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from pymongo import MongoClient

from devhost.real_host import AZURITE, CORE_TOOLS
from tests.devhost.harness import eventually
from tests.infra.bicep import ROOT

FUNC = """#!{python}
import json, os, signal, sys
with open({record!r} + ".new", "w") as file:
    json.dump({{"arguments": sys.argv[1:], "folder": os.getcwd(), "environment": dict(os.environ)}}, file)
os.rename({record!r} + ".new", {record!r})
signal.pause()
"""
STORAGE = """#!{python}
import signal, socket
listening = [socket.create_server(("127.0.0.1", port)) for port in (10000, 10001, 10002)]
signal.pause()
"""


def start(path: Path) -> subprocess.Popen[str]:
    ours = {key: value for key, value in os.environ.items() if key not in {"MONGODB_URL", "REDIS_URL", "DATA_DIR"}}
    return subprocess.Popen(
        [sys.executable, "-m", "devhost", "func"],
        cwd=ROOT,
        env=ours | {"PATH": str(path), "PORT": "7099"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_missing_program_is_named_with_the_command_that_installs_it(tmp_path: Path) -> None:
    process = start(tmp_path)
    output, error = process.communicate(timeout=60)
    assert process.returncode == 1
    assert error.splitlines()[:2] == [
        f"Azure Functions Core Tools (func) is missing: npm install --global {CORE_TOOLS.package}",
        f"Azurite (azurite) is missing: npm install --global {AZURITE.package}",
    ]
    assert output == ""


def test_the_real_host_gets_our_python_our_servers_and_our_folder(tmp_path: Path) -> None:
    record = tmp_path / "record.json"
    for name, program in (("func", FUNC), ("azurite", STORAGE)):
        (tmp_path / name).write_text(program.format(python=sys.executable, record=str(record)))
        (tmp_path / name).chmod(0o755)
    process = start(tmp_path)
    try:
        eventually(lambda: record.exists() or process.poll() is not None)
        assert process.poll() is None, process.communicate()[1]
        given = json.loads(record.read_text())
        assert (given["arguments"], given["folder"]) == (["start", "--port", "7099"], str(ROOT))
        environment = given["environment"]
        assert environment["languageWorkers__python__defaultExecutablePath"] == sys.executable
        assert environment["PATH"].startswith(str(Path(sys.executable).parent))
        with MongoClient[dict[str, object]](environment["MONGODB_URL"]) as client:
            assert client["portfolio"]["users"].find_one() is not None
        assert environment["REDIS_URL"].startswith("redis://127.0.0.1:")
    finally:
        process.send_signal(signal.SIGTERM)
        _, error = process.communicate(timeout=30)
    assert (process.returncode, error) == (0, "")
