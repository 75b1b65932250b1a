"""Answers that the caller may have already: 304 instead of sending them again."""

import hashlib

import azure.functions as func


def etag_of(content: bytes) -> str:
    """Name this very content."""
    return f'"{hashlib.sha256(content).hexdigest()[:32]}"'


def is_known(request: func.HttpRequest, etag: str) -> bool:
    """Tell whether the caller has what ``etag`` names, by its header If-None-Match."""
    known = request.headers.get("If-None-Match", "")
    return known.strip() == "*" or etag in (tag.strip().removeprefix("W/") for tag in known.split(","))
