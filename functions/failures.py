"""Errors on their way out of a function: they must be such that the host's worker can send them."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager

_LONGEST_TEXT, _LONGEST_TRACE = 2_000, 20_000


@contextmanager
def tellable_errors() -> Iterator[None]:
    """Replace an error of the body by one of the same name where it could not be sent as it is."""
    try:
        yield
    except Exception as error:
        told = tellable(error)
        if told is error:
            raise
        try:
            raise told from None
        finally:
            told.__context__ = None  # the SDK looks there, too


def tellable(error: Exception) -> Exception:
    """Return an error of the same name that can cross the wire: of no great length, and without lone surrogates.

    The host's worker and the SDK put its text, and the texts of what caused it, into protobuf as they are. Where that
    fails there is no answer, and the engine waits for the step for ever.
    """
    text, trace = str(error), "".join(traceback.format_exception(error))
    if len(text) <= _LONGEST_TEXT and len(trace) <= _LONGEST_TRACE and _encodable(trace) == trace:
        return error
    kind: type[Exception] = type(type(error).__name__, (Exception,), {})
    return kind(_encodable(text[:_LONGEST_TEXT])).with_traceback(error.__traceback__)


def _encodable(text: str) -> str:
    return text.encode(errors="replace").decode()
