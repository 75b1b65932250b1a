"""The tables of docs/scale.md, made from the results of ``make scale`` and ``make million``."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.costs import costs

_ROOT = Path(__file__).parent.parent
RESULTS = _ROOT / "benchmarks" / "scale.json"
PAGE = _ROOT / "docs" / "scale.md"
_PHASES = ("plan", "portfolios", "market_data", "research", "analyze")


def write_page() -> None:
    """Replace the tables of the page by those of the results."""
    PAGE.write_text(with_tables(PAGE.read_text(), json.loads(RESULTS.read_text())))


def with_tables(text: str, results: dict[str, Any]) -> str:
    """Return the text of the page with the tables of the results."""
    tables = {
        "runs": _runs(results.get("runs", {})),
        "lists": _lists(results.get("runs", {})),
        "commands": _commands(results.get("commands", {})),
        "million": _million(results.get("million", {})),
        "purge": _purge(results.get("purge", {})),
        "costs": costs(results),
    }
    for name, lines in tables.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
        before, rest = text.split(begin)
        text = before + begin + ("\n".join(lines) or "Not measured yet.") + "\n" + end + rest.split(end)[1]
    return text


def _runs(runs: dict[str, Any]) -> Iterator[str]:
    sizes = sorted(runs, key=int)
    if not sizes:
        return
    yield "| | " + " | ".join(f"{int(size):,} users" for size in sizes) + " |"
    yield "| --- |" + " --- |" * len(sizes)
    rows = {
        "whole run, s": [runs[size]["seconds"]["total_duration_seconds"] for size in sizes],
        "per user, ms": [1e3 * runs[size]["seconds"]["total_duration_seconds"] / int(size) for size in sizes],
        **{f"{phase}, s": [runs[size]["seconds"][f"{phase}_duration_seconds"] for size in sizes] for phase in _PHASES},
    }
    kinds = sorted({kind for size in sizes for kind in runs[size]["peak_megabytes"]})
    for kind in kinds:
        rows[f"peak of a process, MB: {kind}"] = [runs[size]["peak_megabytes"].get(kind) for size in sizes]
    for kind in kinds:
        rows[f"processor, s: {kind}"] = [runs[size]["processor_seconds"].get(kind) for size in sizes]
    for name, figures in rows.items():
        yield f"| {name} | " + " | ".join("-" if own is None else f"{own:.3g}" for own in figures) + " |"


def _lists(runs: dict[str, Any]) -> Iterator[str]:
    if not runs:
        return
    largest = max(runs, key=int)
    yield f"| list of {int(largest):,} portfolios by | first page, ms | hundredth page, ms |"
    yield "| --- | --- | --- |"
    for sort, times in runs[largest]["milliseconds_of_lists"].items():
        yield f"| `{sort}` | {times['first page']:.0f} | {times['hundredth page']:.0f} |"


def _commands(counted: dict[str, Any]) -> Iterator[str]:
    if not counted:
        return
    of = f"{counted['users']:,} users and {counted['symbols']:,} symbols"
    yield f"| command of a run over {of} | times | documents | kB |"
    yield "| --- | --- | --- | --- |"
    for name, own in counted["by_command"].items():
        kilobytes = own["bytes"] / 1e3
        yield f"| `{name}` | {own['commands']:,} | {own['documents']:,} | {kilobytes:,.0f} |"


def _million(found: dict[str, Any]) -> Iterator[str]:
    if not found:
        return
    seconds, kills = found["seconds"], found["kills"]
    yield f"| {found['users']:,} users, {found['symbols']:,} symbols, {found['engine']} | |"
    yield "| --- | --- |"
    yield f"| state | {found['status']} |"
    yield f"| kills | {kills['workers']} of a worker, {kills['app']} of the app with all of them |"
    yield f"| whole run, minutes | {seconds['total_duration_seconds'] / 60:.1f} |"
    for phase in _PHASES:
        yield f"| {phase}, s | {seconds[f'{phase}_duration_seconds']:.0f} |"
    longest = max(found["longest_steps"], key=found["longest_steps"].__getitem__)
    yield f"| longest call of a function, s | {found['longest_steps'][longest]:.1f} (`{longest}`) |"
    yield f"| calls of functions that ended | {found['executions']:,} |"
    for service, requests in found["storage_requests"].items():
        yield f"| requests to the {service} of the engine's storage | {requests:,} |"
    for kind, megabytes in sorted(found["peak_megabytes"].items()):
        yield f"| peak of a process, MB: {kind} | {megabytes:.0f} |"
    yield f"| lost, doubled or wrong | {'; '.join(found['wrong']) or 'nothing'} |"


def _purge(found: dict[str, Any]) -> Iterator[str]:
    if not found:
        return
    seconds = found["purge_seconds"]
    yield f"| purge of a run of {found['users']:,} users, while the next one is under way | |"
    yield "| --- | --- |"
    yield f"| calls of the watchdog, which comes every five minutes | {len(seconds)} |"
    yield f"| together, s | {sum(seconds):.0f} |"
