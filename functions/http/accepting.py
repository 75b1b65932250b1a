"""What a caller accepts, by its headers (RFC 9110)."""

import re

import azure.functions as func


def accepts(request: func.HttpRequest, kind: str, header: str = "Accept") -> bool:
    """Return whether a header such as Accept names a kind of content, and does not refuse it."""
    for part in request.headers.get(header, "").split(","):
        named, *parameters = (piece.strip().lower() for piece in part.split(";"))
        if named == kind:
            return not any(re.fullmatch(r"q=0(\.0*)?", parameter) for parameter in parameters)
    return False
