"""The page of a person: the own report and what was really earned, and nothing of administrators."""

import re
from typing import Literal

import pytest
from playwright.sync_api import Browser, Route, expect

from tests.console.site import Site, Visitor, is_phone
from tests.console.test_sign_in import a_token, kept, shows
from tests.end_to_end.app import SECRET

PERSON, OTHER = "ada-allrounder", "ben-bluechip"
HELD = "CVX"
"""The first one holds it, the other neither holds nor watches it."""


def arrive(visitor: Visitor, token: str, place: str = "/") -> None:
    visitor.page.goto(f"{visitor.site.url}/api/me/page#{place}")
    visitor.headed("Sign in")
    visitor.page.get_by_label("Bearer token").fill(token)
    visitor.page.get_by_role("button", name="Sign in").click()


def shows_the_other(visitor: Visitor) -> None:
    visitor.headed("Your portfolio")
    expect(visitor.page.get_by_role("heading", name="Checks")).to_be_visible()
    visitor.settle()
    expect(visitor.page.get_by_text(HELD)).to_have_count(0)


@pytest.mark.usefixtures("runs")
def test_a_person_sees_the_own_report_and_money_and_asks_for_nothing_else(visitor: Visitor) -> None:
    arrive(visitor, a_token(PERSON))
    visitor.headed("Your portfolio")
    visitor.settle()
    expect(visitor.page.get_by_role("heading", name="Checks")).to_be_visible()
    expect(visitor.page.get_by_text("AAPL").first).to_be_visible()
    expect(visitor.page.get_by_role("link", name="Runs")).to_have_count(0)
    visitor.page.get_by_role("link", name="Your money").first.click()
    expect(visitor.page.get_by_role("heading", name="Lots and gains")).to_be_visible()
    visitor.settle()
    asked = {re.sub(r"[?#].*", "", url.removeprefix(visitor.site.url)) for url in visitor.asked}
    documents = {path for path in asked if not path.startswith("/api/admin/console/")}
    assert documents == {
        "/api/me/page",
        *(f"/api/me/{name}" for name in ("income", "report", "series", "returns", "gains")),
    }


@pytest.mark.usefixtures("runs")
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("place", ["/", "/money"])
def test_the_page_is_accessible_on_a_phone(
    browser: Browser, site: Site, theme: Literal["light", "dark"], place: str
) -> None:
    visitor = Visitor.arrive(browser, site, **is_phone(theme))
    arrive(visitor, a_token(PERSON), place)
    visitor.headed("Your portfolio")
    visitor.settle()
    assert visitor.flaws() == []
    assert visitor.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    visitor.leave()


@pytest.mark.usefixtures("runs")
def test_another_person_who_signs_in_after_the_first_sees_nothing_of_it(visitor: Visitor) -> None:
    arrive(visitor, a_token(PERSON))
    visitor.headed("Your portfolio")
    expect(visitor.page.get_by_text(HELD)).not_to_have_count(0)
    visitor.page.get_by_role("button", name="Sign out").click()
    visitor.headed("Sign in")
    with visitor.page.expect_response("**/api/me/report") as answered:
        visitor.page.get_by_label("Bearer token").fill(a_token(OTHER))
        visitor.page.get_by_role("button", name="Sign in").click()
    assert answered.value.json()["user_id"] == OTHER
    shows_the_other(visitor)


@pytest.mark.usefixtures("runs")
def test_an_answer_that_comes_after_the_sign_out_is_not_shown_to_the_next_person(visitor: Visitor) -> None:
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    visitor.page.route("**/api/me/report", hold)
    with visitor.page.expect_request("**/api/me/report"):
        arrive(visitor, a_token(PERSON))
    visitor.page.get_by_role("button", name="Sign out").click()
    visitor.headed("Sign in")
    with visitor.page.expect_response("**/api/me/report") as late:
        held[0].continue_()
    assert late.value.json()["user_id"] == PERSON
    visitor.page.unroute_all()
    with visitor.page.expect_response("**/api/me/report") as answered:
        visitor.page.get_by_label("Bearer token").fill(a_token(OTHER))
        visitor.page.get_by_role("button", name="Sign in").click()
    assert answered.value.json()["user_id"] == OTHER
    shows_the_other(visitor)


def test_a_persons_token_stays_in_memory_unless_staying_signed_in_is_chosen(visitor: Visitor) -> None:
    visitor.expected.add("404")
    token = a_token("nobody-at-all")
    arrive(visitor, token)
    visitor.headed("Your portfolio")
    assert token not in kept(visitor)
    visitor.page.reload()
    visitor.headed("Sign in")
    visitor.page.get_by_label("Stay signed in").check()
    visitor.page.get_by_label("Bearer token").fill(token)
    visitor.page.get_by_role("button", name="Sign in").click()
    visitor.headed("Your portfolio")
    visitor.page.reload()
    visitor.headed("Your portfolio")
    visitor.page.get_by_role("button", name="Sign out").click()
    visitor.headed("Sign in")
    assert token not in kept(visitor)
    assert visitor.context.cookies() == []


def test_a_person_without_a_report_is_told_so(visitor: Visitor) -> None:
    visitor.expected.add("404")
    arrive(visitor, a_token("nobody-at-all"))
    visitor.headed("Your portfolio")
    expect(visitor.page.get_by_text("No report yet")).to_be_visible()


@pytest.mark.parametrize("wrong", [SECRET, "not-a-token"])
def test_neither_the_admin_secret_nor_anything_else_but_a_token_is_accepted(visitor: Visitor, wrong: str) -> None:
    visitor.expected.add("401")
    arrive(visitor, wrong)
    shows(visitor, "Invalid token")
