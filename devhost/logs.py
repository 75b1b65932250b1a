"""One line a log record on stderr: time, level, function, message."""

import logging
import sys
import traceback
from contextvars import ContextVar
from typing import override

current_function: ContextVar[str] = ContextVar("current_function", default="host")

_QUIET = ("asyncio", "azure", "durabletask", "azure.durable_functions", "grpc", "pymongo", "uvicorn")


class LineFormatter(logging.Formatter):
    """Keeps a record on one line; an exception is its last line and where it was raised, or in full when verbose."""

    def __init__(self, *, verbose: bool) -> None:
        super().__init__("%(asctime)s.%(msecs)03d %(levelname)-7s %(function)s: %(message)s", "%H:%M:%S")
        self._verbose = verbose

    @override
    def format(self, record: logging.LogRecord) -> str:
        record.function = current_function.get()
        text = super().format(record)
        return text if self._verbose else " ".join(text.split("\n"))

    @override
    def formatException(self, ei: object) -> str:
        error = ei[1] if isinstance(ei, tuple) else None
        if not isinstance(error, BaseException):
            return ""
        return "".join(traceback.format_exception(error)).rstrip() if self._verbose else summary(error)


def summary(error: BaseException) -> str:
    """``ValueError: no price (report.py:41)``."""
    line = last_line(error)
    frames = traceback.extract_tb(error.__traceback__)
    return f"{line} ({frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno})" if frames else line


def last_line(error: BaseException) -> str:
    """``SettingsError: REDIS_URL must be ...``: type and message without module and traceback."""
    return " ".join(f"{type(error).__name__}: {error}".split())


def configure(*, verbose: bool) -> None:
    """Send the log to stderr, without the chatter of the libraries."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter(verbose=verbose))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
