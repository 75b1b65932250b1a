"""The demo as a program of its own, its output going into a file."""

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
    """Start the demo; gives its process and what it writes to stderr."""
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
    # What somebody's shell has set for an app of their own does not lead the demo astray.
    theirs = {"MONGODB_URL": "mongodb://127.0.0.1:1", "ADMIN_SECRET": "theirs", "PORT": "1", "PRICES_DIR": "nowhere"}
    with running_demo(tmp_path, **theirs) as (process, err):
        code = process.wait(PATIENCE_SECONDS)
        err.seek(0)
        assert (code, err.read().decode()) == (0, "")
    output = (tmp_path / "out").read_text()
    for user in SAMPLE_USERS:
        assert user.user_id in output
    for title in ("The run", "All portfolios", "Out of the ordinary", "in full, as of 2022-12-28"):
        assert title in output
    assert max(map(len, output.splitlines())) <= 100
    assert output.replace("\n", "").isprintable()


def test_a_step_that_fails_is_told_with_the_last_lines_of_the_app(tmp_path: Path) -> None:
    with running_demo(tmp_path, FUNCTIONS_WORKER_PROCESS_COUNT="none") as (process, err):
        assert process.wait(PATIENCE_SECONDS) == 1
        err.seek(0)
        said = err.read().decode()
    assert said.startswith("The demo failed. The app did not start: it ended with exit code 1.")
    assert said.splitlines()[-1].strip() == "FUNCTIONS_WORKER_PROCESS_COUNT must be a whole number from 1, not none"
    assert "Traceback" not in said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_leaves_nothing_running(tmp_path: Path, number: signal.Signals) -> None:
    with running_demo(tmp_path) as (process, err):
        deadline = time.monotonic() + PATIENCE_SECONDS
        # The app and its MongoDB and Redis: from then on there is something to leave behind.
        while len(started := children_of(process)) < 3:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(number)
        assert process.wait(PATIENCE_SECONDS) == 130
        assert_gone(started)
        err.seek(0)
        assert err.read().decode() == "Stopped.\n"
