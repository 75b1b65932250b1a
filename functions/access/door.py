"""Sign-in to the API: administrators are admitted, failures are counted and recorded."""

import azure.functions as func

from functions.access.administrators import Admin, Forbidden, Unauthorized, require_admin
from functions.access.audit import record_refusal
from functions.access.client import client_of, credential_of
from functions.access.throttling import count_failure, make_wait

_REFUSALS = (Unauthorized, Forbidden)


def sign_in(request: func.HttpRequest) -> Admin:
    """Return the administrator that the request's credentials belong to.

    Raises:
        TooManyFailures: the client failed too often, even if its credentials are valid now.
        Unauthorized, Forbidden, AuthenticationUnavailable: as :func:`require_admin`.
    """
    client, credential = client_of(request), credential_of(request)
    make_wait(client, credential)
    try:
        return require_admin(request)
    except _REFUSALS as refusal:
        count_failure(client, credential)
        record_refusal(refusal, client=client, credential=credential)
        raise
