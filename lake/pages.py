"""A file of the lake: the reports of one page of users, one JSON document a line, compressed (gzip)."""

import gzip
import re
from collections.abc import Iterable
from datetime import date

import msgspec
from isal import igzip

from lake.places import Lake

_PATH = re.compile(r"as_of=[0-9-]{10}/run_id=([^/]+)/page-[0-9]{5,}\.jsonl\.gz")
_BEGIN = re.compile(rb'\{"run_id":"[^"\\]*","user_id":')
_LEVEL = 2  # a third of the time of zlib's fastest, and files as small


def path_of(as_of: date, run_id: str, number: int) -> str:
    """Return the path of a page in the lake, partitioned as Hive, DuckDB and Spark know it; it never changes."""
    return f"as_of={as_of.isoformat()}/run_id={run_id}/page-{number:05}.jsonl.gz"


def run_of_path(path: str) -> str | None:
    """Return the run of a page by its path, ``None`` of any other file."""
    named = _PATH.fullmatch(path)
    return None if named is None else named[1]


def write_page(lake: Lake, path: str, reports: Iterable[bytes]) -> None:
    """Write the JSON of the reports of a page; a repetition replaces them.

    Raises:
        LakeUnavailable: the place of the lake does not take them.
    """
    lake.write(path, _compressed(reports))


def read_report(lake: Lake, path: str, run_id: str, user_id: str) -> bytes | None:
    """Return the JSON of one report of a page, ``None`` if it is not there.

    Raises:
        LakeUnavailable: the place of the lake does not answer.
    """
    content = lake.read(path)
    if content is None:
        return None
    begin = b'{"run_id":%s,"user_id":%s,' % (msgspec.json.encode(run_id), msgspec.json.encode(user_id))
    return next((line for line in gzip.decompress(content).splitlines() if line.startswith(begin)), None)


def without_report(content: bytes, user_id: str) -> bytes | None:
    """Return the content of a page without the report on a user, empty if there is no other one.

    Return ``None`` if there is no such report.
    """
    reports = gzip.decompress(content).splitlines()
    left = [report for report in reports if not _is_on(report, user_id)]
    if len(left) == len(reports):
        return None
    return _compressed(left) if left else b""


def _is_on(report: bytes, user_id: str) -> bool:
    begin = _BEGIN.match(report)
    return begin is not None and report.startswith(msgspec.json.encode(user_id) + b",", begin.end())


def _compressed(reports: Iterable[bytes]) -> bytes:
    return igzip.compress(b"".join(report + b"\n" for report in reports), compresslevel=_LEVEL, mtime=0)
