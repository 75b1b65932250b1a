"""Sign-in of the persons themselves, by a bearer token, for their own reports only."""

import re
from dataclasses import dataclass

import azure.functions as func

from credentials.secrets import SecretMissing, Unavailable
from functions.access.administrators import AuthenticationUnavailable, Unauthorized, bearer_token
from functions.access.audit import record_refusal
from functions.access.throttling import REQUESTS, SIGN_IN_FAILURES, client_of, count_failure, refuse_after_failures
from functions.access.tokens import InvalidToken, verified
from functions.http.problems import NotFound
from functions.services import Worker
from problems import Problem
from records import USER_ID_PATTERN

_USER_ID = re.compile(USER_ID_PATTERN)


class Inactive(Problem):
    """The token is valid, but its person is not active."""

    status, slug, title = 403, "inactive", "Not active"
    detail = "The token is valid, but its user is not active. Ask an administrator for access."


class TooManyRequests(Problem):
    """The person sent too many requests, and has to wait."""

    status, slug, title = 429, "too-many-requests", "Too many requests"
    arguments_of_example = (60,)

    def __init__(self, seconds: int) -> None:
        super().__init__(f"Wait {seconds} seconds: at most {REQUESTS.most} requests a minute are answered.")
        self.retry_after = seconds


@dataclass(frozen=True, slots=True)
class Person:
    """A signed-in person, who may read what is about ``user_id`` and nothing else."""

    user_id: str


def sign_in_person(request: func.HttpRequest, worker: Worker) -> Person:
    """Return the active person that the request's bearer token belongs to; other credentials are ignored.

    Raises:
        NotFound: the setting ME_API is off, or there is no such person.
        TooManyFailures: the client failed too often, even if its token is valid now.
        Unauthorized: no valid token.
        TooManyRequests: the person sent too many.
        Inactive: the person is not active.
        AuthenticationUnavailable: there is nothing to check the token against, or it cannot be read.
    """
    if not worker.settings.me_api:
        raise NotFound("Persons' own reports are not served here.")
    client = client_of(request.headers, worker.settings)
    refuse_after_failures(worker.counts(SIGN_IN_FAILURES), client, "bearer")
    try:
        person = _person_of(request, worker)
    except Unauthorized as refusal:
        count_failure(worker.counts(SIGN_IN_FAILURES), client, "bearer", None)
        record_refusal(worker, refusal, None, client=client.address, credential="bearer")
        raise
    counted = worker.counts(REQUESTS).add(person.user_id)
    if counted.beyond:
        raise TooManyRequests(counted.seconds_left)
    active = worker.services().portfolios.is_active(person.user_id) if _USER_ID.search(person.user_id) else None
    if active is None:
        raise NotFound("There is no report.")
    if not active:
        raise Inactive
    return person


def _person_of(request: func.HttpRequest, worker: Worker) -> Person:
    try:
        claims = verified(bearer_token(request), worker.verifiers).claims
    except (SecretMissing, Unavailable) as error:
        raise AuthenticationUnavailable from error
    except InvalidToken:
        raise Unauthorized from None
    subject = claims.get(worker.settings.me_subject_claim)
    if not isinstance(subject, str) or not subject:
        raise Unauthorized
    return Person(subject)
