"""Commands that MongoDB refuses, as for a lack of rights: named without their parameters, which may be personal."""

import traceback
from collections.abc import Mapping

from pymongo.errors import OperationFailure

_PASSING = frozenset({
    6, 7, 43, 50, 64, 89, 91, 112, 134, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436, 16500,
})  # fmt: skip
"""The codes after which another attempt makes sense: an election, a restart, a lost cursor, a deadline, throttling."""


class CommandRefused(Exception):
    """MongoDB refuses a command, and would refuse it again. The message names code, command and collection."""


def refusal_of(error: Exception) -> str | None:
    """Return the code, command and collection of a refused command; ``None`` if another attempt may succeed."""
    if isinstance(error, CommandRefused):
        return str(error)
    if not isinstance(error, OperationFailure) or error.timeout or error.code is None or error.code in _PASSING:
        return None
    name = (error.details or {}).get("codeName")
    code = f"{error.code} {name}" if name else str(error.code)
    command = _command_of(error)
    return code if command is None else f"{code}: {command}"


def _command_of(error: OperationFailure) -> str | None:
    """Return the command that failed and its collection.

    The error has neither, and its text, in which some servers quote the whole command, must not be shown. A listener
    would have to note every command of every step for this. The driver's innermost frame has the command.
    """
    for frame, _ in reversed(list(traceback.walk_tb(error.__traceback__))):
        sent = frame.f_locals.get("cmd")
        if isinstance(sent, Mapping) and sent:
            command, collection = next(iter(sent.items()))
            return f"{command} on {collection}" if isinstance(collection, str) else str(command)
    return None
