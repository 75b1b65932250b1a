"""What a caller accepts, by its headers (RFC 9110)."""

from collections.abc import Iterator, Sequence
from typing import NewType

import azure.functions as func

from problems import Problem

ContentKind = NewType("ContentKind", str)
"""The media type of an answer."""

JSON = ContentKind("application/json")
CSV = ContentKind("text/csv")
XLSX = ContentKind("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")
PDF = ContentKind("application/pdf")
HTML = ContentKind("text/html")
ENDINGS = {CSV: "csv", XLSX: "xlsx", PDF: "pdf", HTML: "html"}
"""The endings of the names of files by their kind."""


class NotAcceptable(Problem):
    """The caller accepts no kind of content that the route has."""

    status, slug, title = 406, "not-acceptable", "Not acceptable"
    arguments_of_example = ((JSON, CSV),)

    def __init__(self, kinds: Sequence[str]) -> None:
        super().__init__(f"Accept one of {', '.join(kinds)}.")


def accepts(request: func.HttpRequest, kind: str, header: str = "Accept") -> bool:
    """Return whether a header such as Accept names a kind of content, and does not refuse it."""
    return next((quality > 0 for named, quality in _ranges(request, header) if named == kind), False)


def negotiated(request: func.HttpRequest, kinds: Sequence[ContentKind]) -> ContentKind:
    """Return the kind of content that the caller likes best: of equal ones one that is named, then the first.

    Raises:
        NotAcceptable: it accepts none of them.
    """
    ranges = list(_ranges(request, "Accept"))
    if not ranges:
        return kinds[0]
    best = max(kinds, key=lambda kind: _liking(kind, ranges))
    if _liking(best, ranges)[0] == 0:
        raise NotAcceptable(kinds)
    return best


def _liking(kind: str, ranges: Sequence[tuple[str, float]]) -> tuple[float, int]:
    """Return the quality that the most specific of the ranges gives to a kind, and how specific it is."""
    wider = ("*/*", f"{kind.partition('/')[0]}/*", kind)
    found = [(wider.index(named), quality) for named, quality in ranges if named in wider]
    specific, quality = max(found, default=(0, 0.0))
    return quality, specific


def _ranges(request: func.HttpRequest, header: str) -> Iterator[tuple[str, float]]:
    """Yield what a header names, each with its quality; one that cannot be read is 1."""
    for part in request.headers.get(header, "").split(","):
        named, *parameters = (piece.strip().lower() for piece in part.split(";"))
        if named:
            yield named, next((_quality(given[2:]) for given in parameters if given.startswith("q=")), 1.0)


def _quality(given: str) -> float:
    try:
        return min(max(float(given), 0.0), 1.0)
    except ValueError:
        return 1.0
