"""The Kusto queries of alerts, workbook and docs, and what Microsoft's parser says of them."""

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

from tests.conftest import missing_server
from tests.infra.bicep import INFRA, ROOT

QUERIES = {path.stem: path.read_text() for path in sorted((INFRA / "queries").glob("*.kql"))}
IN_DOCS = {
    f"{page.stem}-{number}": block
    for page in sorted((ROOT / "docs").rglob("*.md"))
    for number, block in enumerate(re.findall(r"```(?:kusto|kql)\n(.*?)```", page.read_text(), re.DOTALL))
}
SAMPLES = {
    "starts": "60, 780", "weekdays": "0, 1", "deadline": "30", "percent": "5", "minimum": "20",
    "since": "2026-01-02T03:04:05Z",
}  # fmt: skip

# Columns of the tables of Application Insights, and of the workspace's own log:
# https://learn.microsoft.com/azure/azure-monitor/app/data-model-complete
_OF_ALL = {
    "timestamp": "datetime", "itemType": "string", "customDimensions": "dynamic", "operation_Id": "string",
    "operation_Name": "string", "operation_ParentId": "string", "cloud_RoleName": "string",
    "cloud_RoleInstance": "string", "itemCount": "int", "itemId": "string",
}  # fmt: skip
_OF_CALLS = {
    "id": "string", "name": "string", "success": "string", "resultCode": "string", "duration": "real",
}  # fmt: skip
TABLES = {
    "traces": _OF_ALL | {"message": "string", "severityLevel": "int"},
    "requests": _OF_ALL | _OF_CALLS | {"source": "string", "url": "string"},
    "dependencies": _OF_ALL | _OF_CALLS | {"target": "string", "type": "string", "data": "string"},
    "exceptions": _OF_ALL | {"type": "string", "outerMessage": "string", "severityLevel": "int"},
    "customMetrics": _OF_ALL
    | {"name": "string", "valueCount": "int"}
    | dict.fromkeys(("value", "valueSum", "valueMin", "valueMax"), "real"),
    "StorageBlobLogs": {"TimeGenerated": "datetime", "OperationName": "string", "_BilledSize": "real"},
    "_LogOperation": dict.fromkeys(("Category", "Operation", "Level", "Detail", "_ResourceId"), "string")
    | {"TimeGenerated": "datetime"},
}  # fmt: skip


@dataclass(frozen=True)
class Parsed:
    """The faults of a query, and the types of the columns of its result."""

    faults: list[str]
    columns: dict[str, str]


def parse(queries: Mapping[str, str]) -> dict[str, Parsed]:
    """Return what the parser says of each query; the test is skipped where it is not installed, in CI it fails."""
    folder = ROOT / "tests" / "infra" / "kusto"
    node = shutil.which("node")
    if node is None or not (folder / "node_modules" / "@kusto").is_dir():
        missing_server("the parser of Kusto queries is not installed: see scripts/ensure-kusto")
    asked = json.dumps({"tables": TABLES, "queries": queries})
    done = subprocess.run([node, folder / "parse.cjs"], input=asked, capture_output=True, text=True, check=True)
    return {name: Parsed(**found) for name, found in json.loads(done.stdout).items()}


def filled(query: str) -> str:
    """Return a query with a value in each of its gaps, as the template fills them."""
    return re.sub(r"\{(\w+)\}", lambda gap: SAMPLES[gap[1]], query)


def code_of(query: str) -> str:
    """Return a query without its comments."""
    return re.sub(r"(?m)^//.*$", "", query)
