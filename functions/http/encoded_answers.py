"""Answers that are JSON already, compressed where the caller accepts it (RFC 8878): nothing is decoded for them."""

import azure.functions as func

from functions.http.accepting import accepts

_LEVEL = 1


def encoded_response(request: func.HttpRequest, json: bytes) -> func.HttpResponse:
    """Return JSON as a response."""
    headers = {"Vary": "Accept-Encoding"}
    if accepts(request, "zstd", "Accept-Encoding"):
        import zstandard

        headers["Content-Encoding"] = "zstd"
        json = zstandard.ZstdCompressor(level=_LEVEL).compress(json)
    return func.HttpResponse(json, headers=headers, mimetype="application/json")
