"""The demo as a child process, with its output in a file."""

import os
import signal
import subprocess
import sys
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
    assert max(map(len, output.splitlines())) <= 100
    assert output.replace("\n", "").isprintable()


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
