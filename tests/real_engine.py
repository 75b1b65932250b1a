"""The real Durable extension under the tests: a program that carries it, and its storage.

``DURABLE_HOST`` names the program. Where ``TEST_ENGINE`` is ``extension``, the apps under test run on it, in place of
the engine in memory.
"""

import atexit
import hashlib
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import override

import httpx
import pytest

from tests.conftest import ENGINE_PROGRAM, free_port
from tests.faults.servers import Server

_INSTALLED = Path(__file__).parent.parent / "build" / "azurite" / "node_modules" / ".bin"
# Everybody's: of the account that Azurite comes with.
_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
_ACCOUNT = "devstoreaccount1"
_SERVICES = ("blob", "queue", "table")


def is_chosen() -> bool:
    """Tell whether the apps under test are to run on the real extension."""
    return os.environ.get("TEST_ENGINE", "memory") == "extension"


def missing() -> str | None:
    """Give what the real extension lacks on this machine."""
    if not ENGINE_PROGRAM:
        return "DURABLE_HOST names no program that carries the real Durable extension"
    if shutil.which(ENGINE_PROGRAM) is None:
        return f"DURABLE_HOST names {ENGINE_PROGRAM}, which cannot be executed"
    if _azurite() is None:
        return "azurite is not installed; scripts/ensure-azurite does it"
    return None


def environment(folder: Path, storage: "Azurite | None" = None) -> dict[str, str]:
    """Give the settings of an app on the real extension; those with the same folder share their orchestrations."""
    return {
        "DURABLE_HOST": ENGINE_PROGRAM,
        "AzureWebJobsStorage": (storage or shared_storage()).connection_string,
        "AzureFunctionsJobHost__extensions__durableTask__hubName": "T" + hashlib.sha256(bytes(folder)).hexdigest()[:16],
    }


@cache
def shared_storage() -> "Azurite":
    """Start the storage that all apps of a test run share; it ends with the test run."""
    if reason := missing():
        pytest.skip(reason)
    server = Azurite(Path(tempfile.mkdtemp(prefix="azurite-")) / "server")
    server.start()
    atexit.register(server.kill)
    return server


def _azurite() -> str | None:
    return shutil.which("azurite", path=f"{os.environ['PATH']}{os.pathsep}{_INSTALLED}")


class Azurite(Server):
    """A stand-in of Azure Storage that keeps nothing."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._ports = dict(zip(_SERVICES, (self.port, free_port(), free_port()), strict=True))

    @override
    def command(self) -> list[str]:
        program = _azurite()
        assert program is not None
        ports = [text for service, port in self._ports.items() for text in (f"--{service}Port", str(port))]
        # Newer extensions speak versions of the API that it does not know by name.
        return [program, "--silent", "--skipApiVersionCheck", "--inMemoryPersistence", "--disableTelemetry", *ports]

    @property
    def connection_string(self) -> str:
        urls = ";".join(
            f"{service.title()}Endpoint=http://127.0.0.1:{port}/{_ACCOUNT}" for service, port in self._ports.items()
        )
        return f"DefaultEndpointsProtocol=http;AccountName={_ACCOUNT};AccountKey={_KEY};{urls}"

    @override
    def answers(self) -> bool:
        try:
            return all(httpx.get(f"http://127.0.0.1:{port}/", timeout=1).status_code for port in self._ports.values())
        except httpx.HTTPError:
            return False
