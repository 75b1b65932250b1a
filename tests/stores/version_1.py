"""The documents that version 1 of the app stored: a run with all its price issues, a report and its summary."""

from pathlib import Path
from typing import Any

from bson import json_util

_STORED: dict[str, Any] = json_util.loads((Path(__file__).parent / "stored_by_version_1.json").read_text())
RUN: dict[str, Any] = _STORED["run"]
REPORT: dict[str, Any] = _STORED["report"]
SUMMARY: dict[str, Any] = _STORED["summary"]
