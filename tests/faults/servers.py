"""Real servers in separate processes, which tests stop, kill, pause and start again on the same port."""

import os
import shutil
import signal
import subprocess
import sys
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import override

import psutil
import redis
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from tests.conftest import free_port, missing_server
from tests.devhost.harness import ROOT, eventually

# So that servers do not outlive a killed test run.
_LAUNCHER = (sys.executable, "-I", "-S", str(ROOT / "devhost" / "launcher.py"))

# On Linux, the parent of a process is the thread that started it: this one lives as long as the test run.
_starter = ThreadPoolExecutor(1, thread_name_prefix="starter")
_PATIENCE_SECONDS = 10


class Server(ABC):
    """A server on its own port; the data in its folder survives a stop or a kill."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self) -> list[str]:
        """Return the command that runs the server."""

    @abstractmethod
    def answers(self) -> bool:
        """Return whether the server answers."""

    @property
    def is_running(self) -> bool:
        return self._process is not None

    def start(self) -> None:
        """Start the server if it is not running, and wait until it answers."""
        if self._process is None:
            self._process = _starter.submit(self._start).result()
        eventually(self.answers)

    def _start(self) -> subprocess.Popen[bytes]:
        command = [*_LAUNCHER, str(os.getpid()), *self.command()]
        with (self.folder / "server.log").open("ab") as log:
            return subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Stop the server with a signal if it is running."""
        if self._process is not None:
            self._process.send_signal(number)
            try:
                self._process.wait(_PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:  # as a supervisor of servers does
                self._process.kill()
                self._process.wait()
            self._process = None

    def kill(self) -> None:
        """Kill the server, as a power failure would."""
        self.stop(signal.SIGKILL)

    def pause(self) -> None:
        """Pause the server: it keeps its connections but does not answer."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        process = psutil.Process(self._process.pid)
        eventually(lambda: process.status() == psutil.STATUS_STOPPED)

    def resume(self) -> None:
        """Resume the server if it is paused."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)


class MongoDB(Server):
    """SecantusDB, a MongoDB-compatible server; acknowledged writes survive a kill."""

    @override
    def command(self) -> list[str]:
        kept = ["--sync-on-commit", "--storage-path", str(self.folder / "data")]
        return [sys.executable, "-m", "secantus", "--port", str(self.port), "--log-level", "ERROR", *kept]

    @override
    def answers(self) -> bool:
        url = f"mongodb://127.0.0.1:{self.port}/?directConnection=true"
        try:
            with MongoClient[dict[str, object]](url, serverSelectionTimeoutMS=250) as client:
                client.admin.command("ping")
        except PyMongoError:
            return False
        return True


class Redis(Server):
    """A redis-server without persistent data."""

    @override
    def command(self) -> list[str]:
        program = shutil.which("redis-server", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
        if program is None:
            missing_server("redis-server is not installed")
        return [program, "--bind", "127.0.0.1", "--port", str(self.port), "--save", "", "--dir", str(self.folder)]

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    @override
    def answers(self) -> bool:
        try:
            with redis.Redis.from_url(self.url, socket_timeout=1) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False
