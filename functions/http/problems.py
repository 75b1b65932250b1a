"""The mapping of errors to problem documents (RFC 9457), in one place."""

import logging
from dataclasses import dataclass, field
from http import HTTPStatus

import azure.functions as func
import msgspec

from credentials.secrets import SecretMissing
from credentials.vault import SecretsUnavailable
from functions.access.administrators import AuthenticationUnavailable, Forbidden, Unauthorized
from functions.access.throttling import TooManyFailures
from functions.engine import EngineUnavailable
from functions.http.requests import (
    IDEMPOTENCY_KEY,
    MAX_BODY_BYTES,
    BodyTooLarge,
    InvalidMember,
    LengthRequired,
    MalformedId,
)
from runs.starting import InvalidAsOf, KeyReused, NothingFailed, RunActive, RunOver

_log = logging.getLogger(__name__)
_RETRY_SOON = {"Retry-After": "10"}
_RETRY_LATER = {"Retry-After": "30"}


class NotFound(Exception):
    """There is no such run or report; the message names it."""


class MethodNotAllowed(Exception):
    """The route accepts only the method named."""

    def __init__(self, allowed: str) -> None:
        super().__init__(allowed)
        self.allowed = allowed


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem document: ``slug`` is the end of its ``type``, ``detail`` one sentence a person can act on."""

    status: HTTPStatus
    slug: str
    title: str
    detail: str
    members: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)

    def document(self) -> dict[str, object]:
        """Return the document itself."""
        return {
            "type": f"urn:portfolio-analysis:problem:{self.slug}",
            "title": self.title,
            "status": self.status.value,
            "detail": self.detail,
            **self.members,
        }

    def to_response(self) -> func.HttpResponse:
        """Return the document as a response."""
        return func.HttpResponse(
            msgspec.json.encode(self.document()),
            status_code=self.status.value,
            headers=self.headers,
            mimetype="application/problem+json",
        )


def answer_of(error: Exception) -> func.HttpResponse:
    """Return the response to a caller for ``error``; an internal error is logged, and not shown."""
    problem = problem_of(error)
    if problem.status == HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.error("Unforeseen error", exc_info=error)
    elif problem.status == HTTPStatus.SERVICE_UNAVAILABLE:
        _log.error("%s: %s", problem.title, type(error).__name__)
    return problem.to_response()


def problem_of(error: Exception) -> Problem:
    """Return the problem to show a caller for ``error``."""
    match error:
        case Unauthorized() | Forbidden() | AuthenticationUnavailable():
            return _problem_of_credentials(error)
        case MethodNotAllowed():
            return Problem(
                HTTPStatus.METHOD_NOT_ALLOWED,
                "method-not-allowed",
                "Method not allowed",
                f"Use {error.allowed} here.",
                headers={"Allow": error.allowed},
            )
        case TooManyFailures():
            return Problem(
                HTTPStatus.TOO_MANY_REQUESTS,
                "too-many-failures",
                "Too many failed sign-ins",
                f"Wait {error.seconds} seconds, then send the right credentials.",
                headers={"Retry-After": str(error.seconds)},
            )
        case _:
            return _problem_of_state(error) or _problem_of_input(error) or _problem_of_dependency(error)


def _problem_of_credentials(error: Unauthorized | Forbidden | AuthenticationUnavailable) -> Problem:
    match error:
        case Unauthorized():
            return Problem(
                HTTPStatus.UNAUTHORIZED,
                "unauthorized",
                "Not signed in",
                "Send the admin secret in the header X-Admin-Secret, or a valid bearer token in Authorization.",
                headers={"WWW-Authenticate": "Bearer"},
            )
        case Forbidden():
            return Problem(
                HTTPStatus.FORBIDDEN,
                "forbidden",
                "No administrator",
                "The token is valid, but whom it stands for is no administrator; ask one.",
            )
        case AuthenticationUnavailable():
            return Problem(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "authentication-unavailable",
                "Credentials cannot be checked",
                "What credentials are checked with is not set or cannot be reached; an operator must look at the "
                "settings, the key vault and the token issuer.",
                headers=_RETRY_LATER,
            )


def _problem_of_state(error: Exception) -> Problem | None:
    match error:
        case RunActive():
            return _conflict(
                "run-active",
                "A run is active",
                f"Run {error.run_id} is under way; wait until it is over or look at its status.",
                error.run_id,
            )
        case RunOver():
            return _conflict(
                "run-over",
                "The run is over",
                f"Run {error.run_id} has ended, there is nothing to cancel.",
                error.run_id,
            )
        case NothingFailed():
            return _conflict(
                "nothing-failed",
                "Nothing failed",
                f"Run {error.run_id} has no failed user whose report is kept; start a new run instead.",
                error.run_id,
            )
        case KeyReused():
            return _invalid(
                IDEMPOTENCY_KEY, f"{IDEMPOTENCY_KEY}: was used within a day for another request; use a new one."
            )
    return None


def _conflict(slug: str, title: str, detail: str, run_id: str) -> Problem:
    return Problem(HTTPStatus.CONFLICT, slug, title, detail, members={"run_id": run_id})


def _problem_of_input(error: Exception) -> Problem | None:
    match error:
        case InvalidMember():
            return _invalid(error.member, f"{error.member}: {error.rule}.")
        case InvalidAsOf():
            return _invalid("as_of", f"{error}.")
        case MalformedId():
            return Problem(
                HTTPStatus.BAD_REQUEST, "malformed-id", "Malformed id", f"The {error} in the path cannot be one."
            )
        case NotFound():
            return Problem(HTTPStatus.NOT_FOUND, "not-found", "Not found", str(error))
    return _problem_of_body(error)


def _problem_of_body(error: Exception) -> Problem | None:
    match error:
        case LengthRequired():
            return Problem(
                HTTPStatus.LENGTH_REQUIRED,
                "length-required",
                "Length required",
                "Send the body in one piece with its Content-Length, without Transfer-Encoding.",
            )
        case BodyTooLarge():
            return Problem(
                HTTPStatus.CONTENT_TOO_LARGE,
                "body-too-large",
                "Body too large",
                f"Send at most {MAX_BODY_BYTES} bytes.",
            )
    return None


def _invalid(member: str, detail: str) -> Problem:
    return Problem(
        HTTPStatus.UNPROCESSABLE_CONTENT, "invalid-member", "Invalid request", detail, members={"member": member}
    )


def _problem_of_dependency(error: Exception) -> Problem:
    from pymongo.errors import PyMongoError  # noqa: PLC0415 - slow, not needed for indexing

    match error:
        case SecretMissing() | SecretsUnavailable() | PyMongoError():
            return Problem(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "database-unavailable",
                "Database unavailable",
                "The database cannot be reached now; try again.",
                headers=_RETRY_SOON,
            )
        case EngineUnavailable():
            return Problem(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "engine-unavailable",
                "Orchestration engine unavailable",
                "The orchestration engine cannot be reached now; no run was started; try again.",
                headers=_RETRY_SOON,
            )
        case _:
            return Problem(
                HTTPStatus.INTERNAL_SERVER_ERROR,
                "internal-error",
                "Internal error",
                "Something unforeseen happened; the log has the details.",
            )
