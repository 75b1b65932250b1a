"""The demo as a child process, with its output in a file."""

import contextlib
import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import psutil
import pytest

from devhost.sample_data import SAMPLE_USERS

ROOT = Path(__file__).parent.parent.parent
PATIENCE_SECONDS = 60


@contextmanager
def running_demo(folder: Path, **environment: str) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes]]]:
    """Start the demo and yield its process and its stderr."""
    with (folder / "out").open("wb") as out, (folder / "err").open("w+b") as err:
        process = subprocess.Popen(
            [sys.executable, "-m", "devhost.demo"], cwd=ROOT, env=os.environ | environment, stdout=out, stderr=err
        )
        try:
            yield process, err
        finally:
            process.kill()
            process.wait()


def children_of(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def assert_gone(processes: list[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(processes, timeout=PATIENCE_SECONDS)
    assert alive == []


def test_the_demo_reports_on_every_sample_user_and_on_one_portfolio_in_full(tmp_path: Path) -> None:
    # Settings of the user's shell do not affect the demo.
    theirs = {"MONGODB_URL": "mongodb://127.0.0.1:1", "ADMIN_SECRET": "theirs", "PORT": "1", "PRICES_DIR": "nowhere"}
    with running_demo(tmp_path, **theirs) as (process, err):
        code = process.wait(PATIENCE_SECONDS)
        err.seek(0)
        assert (code, err.read().decode()) == (0, "")
    output = (tmp_path / "out").read_text()
    for user in SAMPLE_USERS:
        assert user.user_id in output
    for title in ("Run summary", "All portfolios", "Special cases", "as of 2022-12-28"):
        assert title in output
    assert "Some of these users are broken on purpose" in output
    assert "Prices as of  2022-12-28 (long ago: the sample ends there on purpose)" in output
    assert max(map(len, output.splitlines())) <= 80
    assert "…" not in output
    assert output.replace("\n", "").isprintable()
    commands = [line.strip() for line in output.partition("What next:")[2].splitlines()[1::2]]
    assert commands == ["make start", "MONGODB_URL=mongodb://... PRICES_DIR=folder make check-data", "make test"]


def output_in_a_terminal(kind: str, columns: int) -> str:
    """Return what a terminal of this kind and width receives from the demo, without line ends."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "NO_COLOR"}}
    command = [sys.executable, "-m", "devhost.demo"]
    with subprocess.Popen(command, cwd=ROOT, env=environment | {"TERM": kind}, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        received = b""
        with contextlib.suppress(OSError):  # of Linux, at the end
            while part := os.read(ours, 65_536):
                received += part
        os.close(ours)
    assert process.returncode == 0
    return received.decode().replace("\r\n", "\n")


def test_a_terminal_that_can_show_nothing_but_text_gets_text_of_80_columns() -> None:
    output = output_in_a_terminal("dumb", 80)
    assert output.replace("\n", "").isprintable()
    assert max(map(len, output.splitlines())) <= 80
    assert "\n  Done\n" in output


def test_a_terminal_of_80_columns_shows_a_bar_and_whole_lines() -> None:
    output = output_in_a_terminal("xterm-256color", 80)
    assert "━" in output
    assert "…" not in output
    lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", output).replace("\r", "\n").splitlines()
    assert max(map(len, lines)) <= 80


def test_a_failed_step_is_shown_with_the_last_lines_of_the_app(tmp_path: Path) -> None:
    with running_demo(tmp_path, FUNCTIONS_WORKER_PROCESS_COUNT="none") as (process, err):
        assert process.wait(PATIENCE_SECONDS) == 1
        err.seek(0)
        output = err.read().decode()
    assert output.startswith("Demo failed. The app did not start: it exited with code 1.")
    assert output.splitlines()[-1].strip() == "FUNCTIONS_WORKER_PROCESS_COUNT must be a whole number from 1, not none"
    assert "Traceback" not in output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_leaves_nothing_running(tmp_path: Path, number: signal.Signals) -> None:
    with running_demo(tmp_path) as (process, err):
        deadline = time.monotonic() + PATIENCE_SECONDS
        # The app, MongoDB and Redis run from here on.
        while len(started := children_of(process)) < 3:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(number)
        assert process.wait(PATIENCE_SECONDS) == 130
        assert_gone(started)
        err.seek(0)
        assert err.read().decode() == "Stopped.\n"
