"""A report beside that of an earlier night: only nights are offered."""

import re
from typing import Literal

import pytest
from playwright.sync_api import Route, expect

from tests.console.site import Site, Visitor, region
from tests.console.test_portfolio import ADA, open_portfolio
from tests.end_to_end.app import BASE

COMPARED = re.compile("^Compare with")


def test_a_report_is_compared_with_that_of_a_chosen_night(
    reader: Visitor, site: Site, runs: tuple[str, str], nights: str
) -> None:
    past, first = runs
    others = [site.app.run(user_ids=["ben-bluechip"]), site.app.run(user_ids=[ADA]), site.app.run(dry_run=True)]
    last = others[1]["run_id"]
    open_portfolio(reader, last)
    field = reader.page.get_by_label(COMPARED)
    changes = region(reader, "Changes since last report")
    expect(changes).to_contain_text("Compared with the report as of 28 Dec 2022")
    expect(field.locator("option")).to_have_count(3)
    offered = [option.get_attribute("value") for option in field.locator("option").all()]
    assert offered == ["", nights, first]
    assert not {past, *(run["run_id"] for run in others)} & {*offered}
    field.select_option(first)
    reader.led_to(f"/runs/{last}/portfolios/{ADA}?compare={first}")
    chosen = region(reader, "Changes since chosen report")
    expect(chosen).to_contain_text("Compared with the report as of")
    expect(chosen.get_by_role("link", name=re.compile("^the report as of"))).to_have_attribute(
        "href", f"#/runs/{first}/portfolios/{ADA}"
    )
    field.select_option(label="The last report")
    reader.led_to(f"/runs/{last}/portfolios/{ADA}")
    expect(changes).to_contain_text("28 Dec 2022")


@pytest.mark.usefixtures("nights")
def test_the_changes_are_those_since_the_chosen_report(reader: Visitor, site: Site, runs: tuple[str, str]) -> None:
    past, _ = runs
    last = site.app.run(user_ids=[ADA])["run_id"]
    open_portfolio(reader, last, query=f"?compare={past}")
    chosen = region(reader, "Changes since chosen report")
    expect(chosen).to_contain_text("Compared with the report as of 1 Jun 2022")
    valuation = site.app.report(past, ADA)["valuation"]
    total = chosen.get_by_role("row").filter(has_text="Total value")
    expect(total).to_contain_text(f"${valuation['market_value'] + valuation['cash']:,.0f}")
    expect(chosen.get_by_role("row").filter(has_text="Unrealized gain")).to_have_count(1)


def test_a_person_whom_a_retry_has_mended_has_the_report_of_the_retry_that_night(
    reader: Visitor, site: Site, nights: str
) -> None:
    last = site.app.run(user_ids=[ADA])["run_id"]
    accounts = site.database.accounts
    before = accounts.find_one({"user_id": ADA})
    assert before is not None
    accounts.update_one({"user_id": ADA}, {"$set": {"cash": "plenty"}})
    night = site.app.run()["run_id"]
    accounts.replace_one({"user_id": ADA}, before)
    retry = site.app.wait(site.app.client.post(f"{BASE}/analysis-runs/{night}/retry").json()["run_id"])["run_id"]
    later = site.app.run()["run_id"]
    statuses = [site.app.report(run_id, ADA)["status"] for run_id in (night, retry, later)]
    assert statuses == ["failed", "analyzed", "analyzed"]
    field = reader.page.get_by_label(COMPARED)

    open_portfolio(reader, retry)
    compared_with(reader, "last", last)
    expect(field.locator(f"option[value='{nights}']")).to_be_attached()
    expect(field.locator(f"option[value='{night}']")).to_have_count(0)

    open_portfolio(reader, later)
    compared_with(reader, "last", retry)
    field.select_option(night)
    reader.led_to(f"/runs/{later}/portfolios/{ADA}?compare={night}")
    compared_with(reader, "chosen", retry)
    expect(region(reader, "Changes since chosen report")).to_contain_text("No changes")


def compared_with(reader: Visitor, which: Literal["last", "chosen"], run_id: str) -> None:
    """Wait until a report is compared with that of a run."""
    link = region(reader, f"Changes since {which} report").get_by_role("link", name=re.compile("^the report as of"))
    expect(link).to_have_attribute("href", f"#/runs/{run_id}/portfolios/{ADA}")


@pytest.mark.usefixtures("nights")
def test_a_night_without_a_report_of_the_person_says_so(reader: Visitor, site: Site) -> None:
    other, last = (site.app.run(user_ids=[user_id])["run_id"] for user_id in ("ben-bluechip", ADA))
    open_portfolio(reader, last, query=f"?compare={other}")
    expect(region(reader, "Changes since chosen report")).to_contain_text("No report that night")


def test_older_nights_can_be_compared_too(reader: Visitor, runs: tuple[str, str], nights: str) -> None:
    asked = 0

    def one_by_one(route: Route) -> None:
        nonlocal asked
        asked += 1
        route.continue_(url=route.request.url.replace("limit=100", "limit=1"))

    reader.page.route(re.compile(r"/analysis-runs\?limit=100"), one_by_one)
    open_portfolio(reader, nights)
    field = reader.page.get_by_label(COMPARED)
    older = field.locator(f"option[value='{runs[1]}']")
    for _ in range(5):
        expect(field.locator("option").nth(1)).to_be_attached()
        if older.count():
            break
        with reader.page.expect_response(re.compile("before=")):
            field.select_option(label="Older nights …")
    expect(older).to_have_count(1)
    expect(field).to_have_value("")
    assert asked > 1
