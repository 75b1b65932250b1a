"""The log on stderr, one line per record: time, level, function, message."""

import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import override

_function: ContextVar[str] = ContextVar("function", default="host")

_QUIET = ("asyncio", "durabletask", "grpc", "pymongo", "uvicorn")
_WORKERS, _CALLS = logging.getLogger("devhost.workers"), logging.getLogger("devhost.worker_pool")
# By RpcLog.Level of FunctionRpc.
_LEVELS = (
    logging.DEBUG,
    logging.DEBUG,
    logging.INFO,
    logging.WARNING,
    logging.ERROR,
    logging.CRITICAL,
    logging.NOTSET,
)
_TRACEBACK = "\nTraceback (most recent call last):\n"
_FRAME = re.compile(r'^  File "(?P<file>.+)", line (?P<line>\d+)', re.MULTILINE)


class LineFormatter(logging.Formatter):
    """Formats a record as one line; an exception as its last line and location, or in full when verbose."""

    def __init__(self, *, verbose: bool) -> None:
        super().__init__("%(asctime)s.%(msecs)03d %(levelname)-7s %(function)s: %(message)s", "%H:%M:%S")
        self._verbose = verbose

    @override
    def format(self, record: logging.LogRecord) -> str:
        record.function = _function.get()
        text = super().format(record)
        return text if self._verbose else _one_line(text)


def located(message: str, stack: str) -> str:
    """Return a failure's message with its location: ``ValueError: no price (report.py:41)``."""
    frames = list(_FRAME.finditer(stack))
    return f"{message} ({frames[-1]['file'].rpartition('/')[2]}:{frames[-1]['line']})" if frames else message


def last_line(error: BaseException) -> str:
    """Return type and message without module and traceback: ``SettingsError: REDIS_URL must be ...``."""
    return " ".join(f"{type(error).__name__}: {error}".split())


@contextmanager
def of_function(name: str) -> Iterator[None]:
    """Prefix the lines logged within with a function's name."""
    token = _function.set(name)
    try:
        yield
    finally:
        _function.reset(token)


def log_line_of_worker(level: int, text: str, function: str | None) -> None:
    """Log what a worker logged for an invocation of ``function``.

    Without one it is the worker's own, or of a thread without an invocation: as the Functions host discards such lines,
    they are shown only when verbose.
    """
    with of_function(function or "worker"):
        _WORKERS.log(_LEVELS[level] if function else logging.DEBUG, "%s", text)


def _one_line(text: str) -> str:
    head, _, trace = text.rpartition(_TRACEBACK)
    if head:
        head = head.partition(_TRACEBACK)[0]
        message = [line for line in trace.split("\n") if not line.startswith("  ")]
        text = f"{head} {located(' '.join(message), trace)}"
    return " ".join(text.split("\n"))


def configure(*, verbose: bool) -> None:
    """Send the log to stderr, without the verbose lines of the libraries."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter(verbose=verbose))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for own in (_WORKERS, _CALLS):
        own.setLevel(logging.DEBUG if verbose else logging.INFO)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
