"""The texts of the API's description that no type provides: the meaning of headers, and how to sign in."""

TITLE = "Portfolio analysis"
LICENSE = {"name": "MIT", "identifier": "MIT"}
DESCRIPTION = (
    "Starts, watches and ends analyses of every user's portfolio, and gives their reports. One run is active at a "
    "time. Errors are problem documents (RFC 9457). Every answer carries `X-Correlation-Id`, which is also in the log "
    "and in the audit log. A query parameter without a value counts as left out; an unknown one is refused where "
    "credentials are needed. Pages of other origins may call the API where the operator named them (CORS_ORIGINS)."
)
SECURITY_SCHEMES = {
    "adminSecret": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Admin-Secret",
        "description": "The admin secret. With a token beside it, the secret decides.",
    },
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "`Authorization: Bearer <token>` of an administrator.",
    },
}
HEADERS_OF_EVERY_ANSWER = {
    "X-Correlation-Id": {
        "description": "The trace-id of the request's traceparent; a new one where it has none.",
        "required": True,
        "schema": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
    },
    "Cache-Control": {
        "description": "Nobody keeps an answer, but for this document, which is asked for anew each time.",
        "required": True,
        "schema": {"enum": ["no-store", "no-cache"]},
    },
    "Content-Security-Policy": {"description": "No page shows the answer as its own, or runs anything in it."},
    "Referrer-Policy": {"description": "Where it was asked from is told to nobody."},
    "X-Content-Type-Options": {"description": "It is taken for nothing else than what Content-Type says."},
    "Vary": {"description": "Where CORS_ORIGINS is set.", "schema": {"const": "Origin"}},
    "Access-Control-Allow-Origin": {
        "description": "The origin of the page that asked, where it may read the answer.",
        "schema": {"type": "string"},
    },
    "Access-Control-Expose-Headers": {
        "description": "The headers that such a page may read.",
        "schema": {"type": "string"},
    },
}
HEADERS_OF_SOME = {
    "Location": {
        "description": "Where to watch the run.",
        "required": True,
        "schema": {"type": "string", "format": "uri-reference"},
    },
    "Retry-After": {
        "description": "Seconds after which to ask again.",
        "required": True,
        "schema": {"type": "integer", "minimum": 1},
    },
    "ETag": {
        "description": "Names this very document: send it as If-None-Match.",
        "required": True,
        "schema": {"type": "string"},
    },
    "Allow": {"description": "The method to use.", "required": True, "schema": {"enum": ["GET", "POST"]}},
    "WWW-Authenticate": {"description": "How to sign in.", "required": True, "schema": {"type": "string"}},
}
HEADERS_TAKEN = {
    "traceparent": {
        "description": "W3C trace context; its trace-id becomes the correlation id. One that is malformed is ignored.",
        "schema": {"type": "string"},
        "example": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    },
    "Idempotency-Key": {
        "description": "The same key and body within 24 hours give the same run; another body is refused.",
        "schema": {"type": "string", "pattern": "^[\\x20-\\x7e]{1,255}$"},
    },
    "If-None-Match": {"description": "The ETag of a document at hand.", "schema": {"type": "string"}},
}
