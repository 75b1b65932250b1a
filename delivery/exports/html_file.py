"""A report as one page of HTML without scripts or external parts. It forbids them itself, wherever it is opened."""

import base64
import hashlib
from collections.abc import Iterator
from html import escape

from delivery.exports.sections import Document, Section, clean, shortened

LONGEST_TEXT = 2_000
_STYLE = """
body { font: 14px/1.45 system-ui, sans-serif; color: #1a1f2b; max-width: 75rem; margin: 2rem auto; padding: 0 1rem; }
h1, h2, td, th { overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 2rem 0 .25rem; }
p { color: #586174; margin: 0 0 .5rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .25rem .5rem; border-bottom: 1px solid #dde1e9; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
"""
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY = f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'"


def report_as_html(document: Document) -> bytes:
    """Return a report as a page."""
    return "".join(_page(document)).encode()


def _page(document: Document) -> Iterator[str]:
    title = _text(document.title)
    yield '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    yield f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
    yield '<meta name="viewport" content="width=device-width">\n'
    yield f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<h1><bdi>{title}</bdi></h1>\n"
    for section in document.sections:
        if section.printed:
            yield from _section(section)
    yield "</body>\n</html>\n"


def _section(section: Section) -> Iterator[str]:
    places = [place for place, column in enumerate(section.columns) if column.printed]
    classes = [' class="number"' if section.columns[place].numeric else "" for place in places]
    yield f"<h2>{_text(section.title)}</h2>\n"
    if section.note:
        yield f"<p>{_text(section.note)}</p>\n"
    yield "<table>\n<thead><tr>"
    for place, of_class in zip(places, classes, strict=True):
        yield f'<th scope="col"{of_class}>{_text(section.columns[place].label)}</th>'
    yield "</tr></thead>\n<tbody>\n"
    for row in section.rows:
        yield "<tr>"
        for place, of_class in zip(places, classes, strict=True):
            # The direction of a name is its own, and nothing around it changes with it.
            yield f'<td dir="auto"{of_class}>{_text(row[place].shown)}</td>'
        yield "</tr>\n"
    yield "</tbody>\n</table>\n"


def _text(value: str) -> str:
    return escape(shortened(clean(value), LONGEST_TEXT))
