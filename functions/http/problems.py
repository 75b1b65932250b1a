"""The HTTP form of errors: every error becomes one problem document."""

import logging

import azure.functions as func
import msgspec

from credentials.secrets import SecretMissing, SecretsUnavailable
from problems import Problem

_log = logging.getLogger(__name__)


class InternalError(Problem):
    """An error that no caller can do anything about."""

    status, slug, title = 500, "internal-error", "Internal error"
    detail = "An unexpected error occurred. The log has the details."


class DatabaseUnavailable(Problem):
    """The database, or the vault that holds its URL, does not answer."""

    status, slug, title = 503, "database-unavailable", "Database unavailable"
    detail = "The database is unavailable. Try again."
    retry_after = 10


class DatabaseRefused(Problem):
    """The database refuses a command, and would refuse it again, as for a lack of rights."""

    status, slug, title = 503, "database-refused", "Database refuses a command"
    arguments_of_example = ("13 Unauthorized: find on users",)

    def __init__(self, reason: str) -> None:
        super().__init__(f"The database refuses a command of the app ({reason}). Only its operator can change that.")
        self.reason = reason


class NotFound(Problem):
    """There is no such run, report or file; the detail names it."""

    status, slug, title = 404, "not-found", "Not found"
    arguments_of_example = ("There is no such run.",)


class MethodNotAllowed(Problem):
    """The path accepts only other methods."""

    status, slug, title = 405, "method-not-allowed", "Method not allowed"

    def __init__(self, *allowed: str) -> None:
        super().__init__(f"Use {' or '.join(allowed)} here.")
        self.allowed = ", ".join(allowed)

    @property
    def headers(self) -> dict[str, str]:
        """Return the header that names the accepted methods."""
        return {"Allow": self.allowed}


def problem_of(error: Exception) -> Problem:
    """Return the problem that a caller is shown for ``error``."""
    from pymongo.errors import PyMongoError

    from stores.refusals import refusal_of

    if isinstance(error, Problem):
        return error
    if reason := refusal_of(error):
        return DatabaseRefused(reason)
    if isinstance(error, SecretMissing | SecretsUnavailable | PyMongoError):
        return DatabaseUnavailable()
    return InternalError()


def answer_of(error: Exception) -> func.HttpResponse:
    """Return the answer to a caller for ``error``; an internal error is logged, and not shown."""
    problem = problem_of(error)
    if isinstance(problem, InternalError):
        _log.error("Unexpected error", exc_info=error)
    elif isinstance(problem, DatabaseRefused):
        _log.error("%s: %s", problem.title, problem.reason)
    elif problem.status == 503:  # noqa: PLR2004 - service unavailable
        _log.error("%s: %s", problem.title, type(error).__name__)
    return func.HttpResponse(
        msgspec.json.encode(problem.document()),
        status_code=problem.status,
        headers=problem.headers,
        mimetype="application/problem+json",
    )
