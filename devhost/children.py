"""Child processes that never outlive this one."""

import asyncio
import contextlib
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

_LAUNCHER = (sys.executable, "-I", "-S", str(Path(__file__).with_name("launcher.py")))
_running: set[Process] = set()


async def start_child(
    *command: str,
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    pass_fds: Sequence[int] = (),
    output: int | IO[bytes] = DEVNULL,
) -> Process:
    """Start a command in a process group of its own, so that a Ctrl-C in the terminal reaches only the host."""
    process = await asyncio.create_subprocess_exec(
        *_LAUNCHER,
        str(os.getpid()),
        *command,
        env=environment,
        cwd=cwd,
        pass_fds=pass_fds,
        process_group=0,
        stdin=DEVNULL,
        stdout=output,
        stderr=output,
    )
    _running.add(process)
    return process


async def stop_child(process: Process, *, grace: float) -> None:
    """Send SIGTERM, and SIGKILL to the whole group after ``grace`` seconds; without grace SIGKILL at once."""
    try:
        if grace > 0:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), grace)
    finally:
        _kill_group(process)
        await process.wait()
        _running.discard(process)


def kill_all() -> None:
    """Send SIGKILL to every child that still runs; for an immediate exit."""
    for process in _running:
        _kill_group(process)


def _kill_group(process: Process) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
