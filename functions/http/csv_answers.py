"""Answers as CSV, for callers whose Accept header prefers it to JSON."""

import csv
import io
import re
from collections.abc import Iterable, Sequence

import azure.functions as func

CSV = "text/csv"

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")


def csv_response(header: Sequence[str], rows: Iterable[Sequence[str]], *, name: str) -> func.HttpResponse:
    """Return rows of text as a CSV file (RFC 4180) of this name."""
    content = io.StringIO()
    writer = csv.writer(content)
    writer.writerow(header)
    writer.writerows(rows)
    # Names may be in any script; only the harmless characters are safe in a header.
    disposition = f'attachment; filename="{_NOT_IN_NAMES.sub("_", name)}.csv"'
    return func.HttpResponse(
        content.getvalue(), headers={"Content-Disposition": disposition}, mimetype=CSV, charset="utf-8"
    )
