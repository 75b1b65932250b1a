"""The real Durable extension for tests: a program that hosts it, and its storage.

``DURABLE_HOST`` names the program. If ``TEST_ENGINE`` is ``extension``, the apps under test run on it instead of on
the in-memory engine.
"""

import atexit
import hashlib
import os
import re
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import override

import httpx
import pytest

from tests.conftest import ENGINE_PROGRAM, free_port
from tests.faults.servers import Server
from tests.plain_http import PLAIN_HTTP

_INSTALLED = Path(__file__).parent.parent / "build" / "azurite" / "node_modules" / ".bin"
# Not a secret: the well-known key of Azurite's default account.
_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
_ACCOUNT = "devstoreaccount1"
_SERVICES = ("blob", "queue", "table")
_REQUEST = re.compile(r'\] "[A-Z]+ ([^ ]+) HTTP/')


def is_chosen() -> bool:
    """Return whether the apps under test run on the real extension."""
    return os.environ.get("TEST_ENGINE", "memory") == "extension"


def missing() -> str | None:
    """Return what the real extension needs and this machine lacks; None if nothing is missing."""
    if not ENGINE_PROGRAM:
        return "DURABLE_HOST does not name a program that hosts the real Durable extension"
    if shutil.which(ENGINE_PROGRAM) is None:
        return f"DURABLE_HOST names {ENGINE_PROGRAM}, which cannot be executed"
    if _azurite() is None:
        return "azurite is not installed: run scripts/ensure-azurite"
    return None


def environment(folder: Path, storage: "Azurite | None" = None) -> dict[str, str]:
    """Return the settings of an app on the real extension; apps with the same folder share their orchestrations."""
    return {
        "DURABLE_HOST": ENGINE_PROGRAM,
        "AzureWebJobsStorage": (storage or shared_storage()).connection_string,
        "AzureFunctionsJobHost__extensions__durableTask__hubName": "T" + hashlib.sha256(bytes(folder)).hexdigest()[:16],
    }


@cache
def shared_storage() -> "Azurite":
    """Return the storage that all apps of a test run share; it is started once and stops with the test run."""
    if reason := missing():
        pytest.skip(reason)
    folder = Path(tempfile.mkdtemp(prefix="azurite-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    server = Azurite(folder / "server")
    server.start()
    atexit.register(server.kill)
    return server


def _azurite() -> str | None:
    return shutil.which("azurite", path=f"{os.environ['PATH']}{os.pathsep}{_INSTALLED}")


class Azurite(Server):
    """An emulator of Azure Storage without persistent data."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._ports = dict(zip(_SERVICES, (self.port, free_port(), free_port()), strict=True))

    @override
    def command(self) -> list[str]:
        program = _azurite()
        assert program is not None
        ports = [text for service, port in self._ports.items() for text in (f"--{service}Port", str(port))]
        # Newer extensions use versions of the API that Azurite does not know.
        return [program, "--skipApiVersionCheck", "--inMemoryPersistence", "--disableTelemetry", *ports]

    def requests(self) -> list[str]:
        """Return the path of each request so far, from its log in the common format of web servers."""
        return _REQUEST.findall((self.folder / "server.log").read_text())

    @property
    def connection_string(self) -> str:
        urls = ";".join(
            f"{service.title()}Endpoint=http://127.0.0.1:{port}/{_ACCOUNT}" for service, port in self._ports.items()
        )
        return f"DefaultEndpointsProtocol=http;AccountName={_ACCOUNT};AccountKey={_KEY};{urls}"

    @override
    def answers(self) -> bool:
        try:
            return all(
                httpx.get(f"http://127.0.0.1:{port}/", timeout=1, verify=PLAIN_HTTP).status_code
                for port in self._ports.values()
            )
        except httpx.HTTPError:
            return False
