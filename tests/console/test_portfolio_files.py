"""The files of a report, on the page of a portfolio and on that of the person."""

import json
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.console.site import Site, Visitor
from tests.console.test_own_page import arrive
from tests.console.test_portfolio import ADA, open_portfolio
from tests.console.test_sign_in import a_token

BEGINNINGS = {"PDF": b"%PDF-", "XLSX": b"PK", "HTML": b"<!", "CSV": b"section,", "JSON": b"{"}


def downloads(visitor: Visitor, folder: Path, report: object) -> None:
    """Download every kind of file, and check its name and content."""
    visitor.page.get_by_text("Download", exact=True).first.click()
    files = visitor.page.get_by_role("group", name="Download")
    expect(files.get_by_role("button")).to_have_text(["PDF", "HTML", "XLSX", "CSV", "JSON"])
    for kind, beginning in BEGINNINGS.items():
        with visitor.page.expect_download() as begun:
            files.get_by_role("button", name=kind, exact=True).click()
        assert begun.value.suggested_filename == f"portfolio-2022-12-28-{ADA}.{kind.lower()}"
        begun.value.save_as(folder / kind)
        content = (folder / kind).read_bytes()
        assert content.startswith(beginning), kind
        assert kind != "JSON" or json.loads(content) == report


def test_an_administrator_downloads_a_report_in_every_form(
    reader: Visitor, site: Site, run_id: str, tmp_path: Path
) -> None:
    open_portfolio(reader, run_id)
    downloads(reader, tmp_path, site.app.report(run_id, ADA))
    entries = site.app.client.get("/api/admin/portfolio/audit", params={"limit": 100}).json()["entries"]
    exported = [entry for entry in entries if (entry["action"], entry["user_id"]) == ("export_report", ADA)]
    assert len(exported) == 4
    reader.page.keyboard.press("Escape")
    expect(reader.page.get_by_role("group", name="Download")).to_be_hidden()


def test_a_person_downloads_the_own_report_in_every_form(
    visitor: Visitor, site: Site, run_id: str, tmp_path: Path
) -> None:
    arrive(visitor, a_token(ADA))
    visitor.headed("Your portfolio")
    downloads(visitor, tmp_path, site.app.report(run_id, ADA))
    assert not any("/admin/portfolio" in url for url in visitor.asked)


def test_a_report_that_cannot_be_downloaded_says_why(reader: Visitor, run_id: str) -> None:
    open_portfolio(reader, run_id)
    reader.page.get_by_text("Download", exact=True).first.click()
    reader.refuse(f"analysis-runs/{run_id}/portfolios/{ADA}", 503, "The lake is unavailable")
    files = reader.page.get_by_role("group", name="Download")
    files.get_by_role("button", name="PDF").click()
    expect(files.get_by_role("alert")).to_contain_text("The lake is unavailable")
    assert reader.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.usefixtures("run_id")
def test_a_person_without_a_report_is_offered_no_files(visitor: Visitor) -> None:
    visitor.expected.add("404")
    arrive(visitor, a_token("nobody-at-all"))
    expect(visitor.page.get_by_text("No report yet")).to_be_visible()
    expect(visitor.page.get_by_text("Download", exact=True)).to_have_count(0)
