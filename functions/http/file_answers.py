"""Answers as files, for callers whose Accept header prefers another kind of content to JSON."""

import re
from urllib.parse import quote

import azure.functions as func

from functions.http.accepting import CSV, ENDINGS, HTML, ContentKind

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST_NAME = 150


def file_response(content: bytes, kind: ContentKind, *, name: str) -> func.HttpResponse:
    """Return content as a file of this name, to which the ending is added."""
    charset = "utf-8" if kind in {CSV, HTML} else ""
    headers = {"Content-Disposition": _disposition(f"{name[:_LONGEST_NAME]}.{ENDINGS[kind]}")}
    return func.HttpResponse(content, headers=headers, mimetype=kind, charset=charset)


def _disposition(name: str) -> str:
    """Return the header that names a file (RFC 6266): once with harmless characters only, once as it is."""
    plain = _NOT_IN_NAMES.sub("_", name)
    exact = "" if plain == name else f"; filename*=UTF-8''{quote(name, safe='')}"
    return f'attachment; filename="{plain}"{exact}'
