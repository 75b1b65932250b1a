"""CORS: pages of other origins may call the API if CORS_ORIGINS names their origin, but never with cookies."""

from collections.abc import Collection

import azure.functions as func

_MAY_SEND = ("authorization", "content-type", "idempotency-key", "if-none-match", "traceparent", "x-admin-secret")
_MAY_READ = "Content-Disposition, ETag, Location, Retry-After, WWW-Authenticate, X-Correlation-Id"
_KEEP_SECONDS = "600"


def cors_headers(request: func.HttpRequest, origins: Collection[str]) -> dict[str, str]:
    """Return the headers that let an allowed page read the answer; ``Vary`` keeps caches from mixing origins."""
    origin = _allowed_origin(request, origins)
    allowing = {"Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": _MAY_READ} if origin else {}
    return {"Vary": "Origin", **allowing}


def preflight(
    request: func.HttpRequest, methods: Collection[str], origins: Collection[str]
) -> func.HttpResponse | None:
    """Return the answer to a preflight request for one of the ``methods``, ``None`` if the page may not send it."""
    asked = request.headers.get("Access-Control-Request-Headers", "")
    names = {name.strip().lower() for name in asked.split(",") if name.strip()}
    if (
        request.method != "OPTIONS"
        or _allowed_origin(request, origins) is None
        or (method := request.headers.get("Access-Control-Request-Method")) not in methods
        or not names <= set(_MAY_SEND)
    ):
        return None
    headers = {
        "Access-Control-Allow-Methods": method,
        "Access-Control-Allow-Headers": ", ".join(_MAY_SEND),
        "Access-Control-Max-Age": _KEEP_SECONDS,
    }
    return func.HttpResponse(status_code=204, headers=headers)


def _allowed_origin(request: func.HttpRequest, origins: Collection[str]) -> str | None:
    origin = request.headers.get("Origin")
    return origin if origin in origins else None
