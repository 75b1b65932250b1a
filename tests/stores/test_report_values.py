"""Reports as compressed values: how large they are, and how other programs read them."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from analysis.decisions import Adviser
from analysis.histories import read_histories, resolve_as_of
from analysis.models import Report
from analysis.report import analyze_portfolios
from analysis.research import research_symbols
from benchmarks.workload import portfolios, price_table, symbols, walks
from runs.standing import standing_of
from stores.mongo import DocumentDatabase
from stores.report_values import encoder
from stores.reports import ReportStore, stored_forms
from stores.symbols import ResearchStore

ROOT = Path(__file__).parent.parent.parent
SYMBOLS = 60


def reports_on_twenty_holdings() -> list[Report]:
    benchmark, *bars = walks(SYMBOLS + 1)
    histories = read_histories(dict(zip(symbols(SYMBOLS), bars, strict=True)), benchmark, resolve_as_of(benchmark))
    adviser = Adviser({found.symbol: found for found in research_symbols(histories)})
    return analyze_portfolios(portfolios(20, SYMBOLS), price_table(SYMBOLS), adviser, {}, "run_1", 0.0)


def test_a_report_on_twenty_holdings_takes_at_most_six_kilobytes_with_its_summary() -> None:
    reports = reports_on_twenty_holdings()
    standings = {report.user_id: standing_of(report, None, 1.0) for report in reports}
    stored, refused = stored_forms(reports, page=4_999, standings=standings)
    assert refused == {}
    assert {len(one.report.decisions) for one in stored} == {20}
    assert max(len(one.document.raw) for one in stored) <= 6_000


def test_another_program_reads_a_report_as_the_page_on_stored_data_says(
    database: DocumentDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    (report, *_) = reports_on_twenty_holdings()
    ReportStore(database, ResearchStore(database)).save(stored_forms([report])[0])
    section = (ROOT / "docs" / "data.md").read_text().split("### The compressed value\n")[1]
    (program,) = re.findall(r"```python\n(.*?)```", section.split("\n## ")[0], re.DOTALL)
    monkeypatch.chdir(ROOT)
    names: dict[str, Any] = {"stored": database.portfolio_analyses.find_one({"user_id": report.user_id})}
    exec(program, names)  # noqa: S102 - the page's own
    assert names["report"] == json.loads(encoder()(report))
