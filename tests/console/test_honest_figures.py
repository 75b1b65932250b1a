"""The pages say what their figures stand for, and what they do not."""

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.console.site import BACKTEST, CHECK, Visitor, region


def open_report(admin: Visitor, run_id: str, user_id: str) -> dict[str, Any]:
    """Open the page of a user's report; return the report."""
    admin.go(f"/runs/{run_id}/portfolios/{user_id}")
    admin.headed(user_id)
    return admin.site.app.report(run_id, user_id)


def test_an_incomplete_valuation_has_a_banner_that_names_what_is_left_out(admin: Visitor, run_id: str) -> None:
    open_report(admin, run_id, "rosa-rare")
    banner = admin.page.locator(".notice").filter(has_text="Incomplete:")
    expect(banner).to_contain_text("Incomplete: 1 of 3 holdings cannot be valued")
    expect(banner).to_contain_text("No total includes NOSUCH (no price), bought for $1,250.")
    expect(admin.page.locator(".page-head").get_by_text("Incomplete", exact=True)).to_be_visible()
    open_report(admin, run_id, "xena-corrupt-holding")
    expect(banner).to_contain_text("Incomplete: 1 of 1 holding cannot be valued")
    expect(banner).to_contain_text("AAPL (cannot be read)")
    open_report(admin, run_id, "ada-allrounder")
    expect(region(admin, "Checks")).to_be_visible()
    expect(banner).to_have_count(0)


def test_a_change_of_a_value_that_is_incomplete_says_so_and_is_no_gain(admin: Visitor, run_id: str) -> None:
    open_report(admin, run_id, "rosa-rare")
    row = region(admin, "Changes since last report").get_by_role("row").filter(has_text="Total value")
    expect(row.get_by_text("without what has no price")).to_have_count(2)
    expect(row).not_to_contain_text("Better")
    expect(row).not_to_contain_text("Worse")


def test_the_sharpe_ratio_says_which_risk_free_rate_it_assumes(admin: Visitor, run_id: str) -> None:
    report = open_report(admin, run_id, "ada-allrounder")
    assert report["risk"]["risk_free_rate"] == 0
    expect(region(admin, "Risk")).to_contain_text("over a risk-free rate of 0.0%")


def test_the_list_says_whose_valuation_is_incomplete(admin: Visitor, run_id: str) -> None:
    admin.go(f"/runs/{run_id}/portfolios")
    rows = admin.page.get_by_role("row").filter(has_text="Incomplete")
    expect(rows.locator("th a")).to_have_text(["rosa-rare", "xena-corrupt-holding"])


@pytest.mark.parametrize("user_id", ["nell-nothing-held", "tess-stale-mostly", "xena-corrupt-holding"])
def test_an_unknown_check_is_neither_flagged_nor_within_limits(admin: Visitor, run_id: str, user_id: str) -> None:
    report = open_report(admin, run_id, user_id)
    unknown = [check for check in report["checks"] if check["status"] == "unknown"]
    flagged = sum(check["status"] in ("warning", "breach") for check in report["checks"])
    checks = region(admin, "Checks")
    expect(checks).to_contain_text(f"{len(unknown)} unknown")
    expect(checks).to_contain_text(f"{flagged} of {len(report['checks'])} flagged" if flagged else "None flagged")
    expect(checks.get_by_text("Unknown", exact=True)).to_have_count(len(unknown))
    for check in unknown:
        expect(checks.get_by_text(check["message"], exact=True)).to_be_visible()
    expect(checks).not_to_contain_text("All within limits")


def test_portfolios_can_be_filtered_by_an_unknown_check(admin: Visitor, run_id: str) -> None:
    admin.go(f"/runs/{run_id}/portfolios")
    admin.page.get_by_label(CHECK).select_option(label="Gross exposure")
    admin.page.get_by_label("Result").select_option(label="Unknown")
    expect(admin.page.locator("tbody th a")).to_have_text(["xena-corrupt-holding"])


def test_every_figure_of_the_backtest_is_called_hypothetical(admin: Visitor, run_id: str) -> None:
    report = open_report(admin, run_id, "ada-allrounder")
    assert report["performance"]["start"] == "2017-12-26"
    for card in (BACKTEST, "Risk"):
        expect(region(admin, card)).to_contain_text("Hypothetical: today's holdings held since 26 Dec 2017")
    expect(region(admin, "Stress tests")).to_contain_text("Hypothetical")
    expect(admin.page.locator(".figures").get_by_text("Backtest, a year")).to_be_visible()


def test_a_decision_has_the_strength_and_the_age_of_its_signal(admin: Visitor, run_id: str) -> None:
    report = open_report(admin, run_id, "ada-allrounder")
    (bought, *_) = [of for of in report["decisions"] if (of["symbol"], of["decision"]) == ("LLY", "BUY")]
    assert bought["signal_since"] == "2022-09-28"
    decision = region(admin, "Decisions").get_by_role("listitem").filter(has_text="LLY")
    expect(decision).to_contain_text(f"Strength {bought['strength']} of 10, since 28 Sept 2022")


@pytest.mark.parametrize(
    ("number", "user_id", "reason"),
    [
        (0, "ada-allrounder", "past_as_of"),
        (1, "rosa-rare", "incomplete_valuation"),
        (1, "xena-corrupt-holding", "no_prices"),
    ],
)
def test_a_plan_without_orders_says_why(
    admin: Visitor, runs: tuple[str, str], number: int, user_id: str, reason: str
) -> None:
    plan = open_report(admin, runs[number], user_id)["order_plan"]
    assert plan["reason"] == reason
    card = region(admin, "Order plan")
    expect(card.locator(".notice")).to_contain_text("No orders are planned")
    expect(card.locator(".notice")).to_contain_text(plan["notes"][0])
    expect(card).not_to_contain_text("buying power used")


def test_a_run_shows_the_price_warnings_of_the_whole_run(admin: Visitor, run_id: str) -> None:
    issues = admin.site.app.status(run_id)["price_issues"]
    assert [(issue["symbol"], issue["kind"]) for issue in issues[:2]] == [
        ("SP500", "benchmark_without_dividends"),
        (None, "old_prices"),
    ]
    admin.go(f"/runs/{run_id}")
    shown = region(admin, "Market data").get_by_role("listitem")
    for symbol, issue in zip(("SP500", "All symbols"), issues, strict=False):
        expect(shown.filter(has_text=issue["text"])).to_contain_text(symbol)


def test_prices_that_end_long_ago_are_told_beside_their_date(admin: Visitor, run_id: str) -> None:
    (issue,) = [issue for issue in admin.site.app.status(run_id)["price_issues"] if issue["kind"] == "old_prices"]
    for path in ("/runs", f"/runs/{run_id}", f"/runs/{run_id}/portfolios/ada-allrounder"):
        admin.go(path)
        told = admin.page.get_by_title(issue["text"]).first
        expect(told).to_have_text("Old prices")
        expect(told.locator("..")).to_contain_text("28 Dec 2022")
