"""The memory of processes by kind, and its peaks."""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import psutil

_KINDS = {
    "devhost.worker": "workers", "secantus": "MongoDB server", "redis": "Redis server", "azurite": "storage emulator",
}  # fmt: skip
_SAMPLE_SECONDS = 0.2

type Processes = Callable[[], Iterable[psutil.Process]]


def kind_of(process: psutil.Process) -> str:
    """Return what a process is, by its command."""
    command = " ".join(process.cmdline())
    return next((kind for mark, kind in _KINDS.items() if mark in command), "host and engine")


@contextmanager
def peak_memory(processes: Processes) -> Iterator[dict[str, float]]:
    """Sample the resident memory of the largest process of each kind, in MB, while the body runs.

    The yielded value contains the peaks at the end.
    """
    peaks: dict[str, float] = defaultdict(float)
    over = threading.Event()

    def watch() -> None:
        while not over.wait(_SAMPLE_SECONDS):
            for process in processes():
                try:
                    kind, megabytes = kind_of(process), process.memory_info().rss / 1e6
                except psutil.Error:  # it has just ended
                    continue
                peaks[kind] = max(peaks[kind], megabytes)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peaks
    finally:
        over.set()
        watcher.join()
