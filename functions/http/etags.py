"""ETags: an answer that the caller already has is not sent again, but answered with 304."""

import hashlib

import azure.functions as func


def etag_of(content: bytes) -> str:
    """Return the ETag of the content."""
    return f'"{hashlib.sha256(content).hexdigest()[:32]}"'


def is_known(request: func.HttpRequest, etag: str) -> bool:
    """Return whether the request's header If-None-Match matches ``etag``."""
    known = request.headers.get("If-None-Match", "")
    return known.strip() == "*" or etag in (tag.strip().removeprefix("W/") for tag in known.split(","))
