"""Errors that leave a function, in a form that the host's worker can send."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager

_LONGEST_TEXT, _LONGEST_TRACE = 2_000, 20_000


@contextmanager
def tellable_errors() -> Iterator[None]:
    """Replace an error of the body that cannot be sent by one of the same name."""
    try:
        yield
    except Exception as error:
        told = tellable(error)
        if told is error:
            raise
        try:
            raise told from None
        finally:
            told.__context__ = None  # the SDK sends this, too


def tellable(error: Exception) -> Exception:
    """Return an error of the same name that can be sent: not too long, and without lone surrogates.

    The host's worker and the SDK put its text and the texts of its causes into protobuf unchanged. If that fails, no
    answer is sent, and the engine waits for the step forever.
    """
    text, trace = str(error), "".join(traceback.format_exception(error))
    if len(text) <= _LONGEST_TEXT and len(trace) <= _LONGEST_TRACE and _encodable(trace) == trace:
        return error
    kind: type[Exception] = type(type(error).__name__, (Exception,), {})
    return kind(_encodable(text[:_LONGEST_TEXT])).with_traceback(error.__traceback__)


def _encodable(text: str) -> str:
    return text.encode(errors="replace").decode()
