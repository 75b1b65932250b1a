"""The tables of docs/telemetry.md."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent.parent
_ROW = re.compile(r"^\| (.+) \|$", re.MULTILINE)
_NAME = re.compile(r"`([^`]+)`")


def _rows(section: str) -> list[list[str]]:
    text = (ROOT / "docs" / "telemetry.md").read_text().split(f"\n## {section}\n")[1].split("\n## ")[0]
    rows = [row.split(" | ") for row in _ROW.findall(text)]
    return [row for row in rows[1:] if not row[0].startswith("---")]


def _names(cell: str) -> set[str]:
    return set(_NAME.findall(re.sub(r"\(.*?\)", "", cell)))


def lines() -> dict[str, str]:
    """Return the level of each line by its text; ``…`` stands for variable parts."""
    return {row[0].strip("`"): row[1] for row in _rows("Log lines")}


def functions() -> set[str]:
    """Return the functions whose invocations are spans."""
    return set().union(*(_names(cell) for cell, kind, _ in _rows("Traces") if kind == "server"))


def span_fields() -> set[str]:
    """Return the fields of spans."""
    return set().union(*(_names(fields) for _, _, fields in _rows("Traces")))


def metrics() -> dict[str, tuple[str, set[str]]]:
    """Return the unit and the fields of each metric."""
    return {row[0].strip("`"): (row[1].strip("`"), _names(row[3])) for row in _rows("Metrics")}
