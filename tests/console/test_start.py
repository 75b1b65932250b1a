"""The form that starts a run: people by name or ID, and days, of which none that cannot be analyzed is sent."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Literal
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Locator, Route, expect

from tests.console.site import Site, Visitor, is_phone

FIND = "Find by ID, name or e-mail"
LOOK_UP = re.compile(r"/portfolio/portfolios\?user_ids=")


@pytest.fixture
def run_id(nights: str) -> str:
    return nights


@pytest.fixture
def form(reader: Visitor) -> Iterator[Visitor]:
    """Yield a visitor of the form, who must have started no run in the end."""
    reader.go("/start")
    reader.headed("Start a run")
    yield reader
    assert reader.count("trigger-analysis") == 0


def select(visitor: Visitor, ids: str) -> None:
    visitor.page.get_by_role("radio", name="Selected people").check()
    visitor.page.get_by_label("User IDs").fill(ids)
    visitor.page.get_by_role("button", name="Continue").click()


def refused(visitor: Visitor, text: str | re.Pattern[str]) -> None:
    expect(visitor.page.get_by_role("alert")).to_have_text(text)
    expect(visitor.page.get_by_role("dialog")).to_have_count(0)


def accepted(visitor: Visitor) -> Locator:
    dialog = visitor.page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    expect(visitor.page.get_by_role("alert")).to_have_count(0)
    return dialog


def test_people_for_a_run_are_found_by_name(reader: Visitor, site: Site) -> None:
    page = reader.page
    reader.go("/start")
    expect(page.locator(".plan")).to_have_text(
        "Analyzes everybody as of the last trading day; the reports are stored, as the newest night."
    )
    page.get_by_role("radio", name="Selected people").check()
    find = page.get_by_label(FIND)
    find.fill("allround")
    find.press("Enter")  # searches, and does not send the form
    page.get_by_role("list", name="Found people").get_by_role("button", name="Ada Allrounder").click()
    expect(find).to_be_focused()
    added = page.get_by_role("list", name="Added people")
    expect(added).to_contain_text("Ada Allrounder")
    find.fill("finn")
    page.get_by_role("list", name="Found people").get_by_role("button").first.click()
    added.get_by_role("button", name="Remove finn").click()
    find.fill("nobody of this name")
    expect(page.get_by_text("Nobody found")).to_be_visible()
    page.get_by_label("User IDs").fill("ben-bluechip")
    page.get_by_label("As of").fill("2022-11-18")
    page.get_by_role("checkbox", name="Dry run").check()
    expect(page.locator(".plan")).to_have_text("Analyzes 2 people as of 18 Nov 2022; no reports are stored.")
    page.get_by_role("button", name="Continue").click()
    accepted(reader).get_by_role("button", name="Start").click()
    page.wait_for_url(re.compile(r"#/runs/run_\w+$"))
    run = site.app.wait(page.url.rpartition("/")[2])
    assert (run["users_analyzed"], run["dry_run"], run["as_of"]) == (2, True, "2022-11-18")


def test_ids_that_nobody_has_are_refused_by_the_page(form: Visitor) -> None:
    select(form, "ben-bluechip, ben-blueship")
    refused(form, "1 ID not found: ben-blueship. Check the spelling.")
    select(form, "a e ben-bluechip")  # parts of many ids
    refused(form, "2 IDs not found: a, e. Check the spelling.")
    select(form, "ben-bluechip ben-blueship vic-vanished")
    refused(form, "1 ID not found: ben-blueship. Check the spelling. Not active: vic-vanished.")
    select(form, "ben-bluechip")
    accepted(form)


def test_somebody_active_who_was_never_analyzed_is_known(form: Visitor, site: Site) -> None:
    site.database.users.insert_one({"user_id": "nora-new", "name": "Nora New"})
    select(form, "nora-new")
    accepted(form)
    site.database.users.delete_one({"user_id": "nora-new"})


def test_every_one_of_many_ids_is_looked_up(form: Visitor) -> None:
    ids = [f"a-user-with-a-rather-long-id-{number:04}" for number in range(250)]
    asked: list[list[str]] = []

    def answer(route: Route) -> None:
        (lot,) = parse_qs(urlsplit(route.request.url).query)["user_ids"]
        asked.append(lot.split("/"))
        users = [
            {"user_id": user_id, "name": None, "email": None, "active": True}
            for user_id in lot.split("/")
            if user_id != ids[-1]
        ]
        route.fulfill(json={"portfolios": [], "next": None, "users": users})

    form.page.route(LOOK_UP, answer)
    select(form, " ".join(ids))
    refused(form, f"1 ID not found: {ids[-1]}. Check the spelling.")
    assert [user_id for lot in asked for user_id in lot] == ids
    assert max(map(len, asked)) <= 100


def test_a_look_up_that_fails_starts_nothing_and_can_be_tried_again(form: Visitor) -> None:
    form.refuse("portfolios", 503, "The database is unavailable")
    select(form, "ben-bluechip")
    expect(form.page.get_by_role("alert")).to_contain_text("The database is unavailable")
    expect(form.page.get_by_role("dialog")).to_have_count(0)
    form.page.unroute_all()
    form.page.get_by_role("button", name="Try again").click()
    accepted(form)


def test_a_button_keeps_the_focus_while_it_is_busy_and_asks_once(form: Visitor) -> None:
    held: list[Route] = []
    page = form.page
    page.route(LOOK_UP, lambda route: held.append(route))  # noqa: PLW0108 - Playwright sets an attribute of it
    with page.expect_request(LOOK_UP):
        select(form, "ada-allrounder")
    go_on = page.get_by_role("button", name="Continue")
    expect(go_on).to_have_attribute("aria-busy", "true")
    page.evaluate("() => new Promise(requestAnimationFrame)")  # a disabled element loses the focus with the next frame
    expect(go_on).to_be_focused()
    page.keyboard.press("Enter")
    held[0].continue_()
    accepted(form).get_by_role("button", name="Cancel").click()
    expect(go_on).to_be_focused()
    assert len(held) == 1


def test_days_without_prices_are_refused_by_the_page(form: Visitor) -> None:
    page, today = form.page, datetime.now(UTC).date()
    field = page.get_by_label("As of")
    expect(field).to_have_attribute("min", "2010-01-04")
    expect(field).to_have_attribute("max", "2022-12-28")
    for day, why in (
        ((today + timedelta(days=1)).isoformat(), "The date is in the future."),
        ("2022-12-29", "Prices end on 28 Dec 2022. Leave empty for the last trading day."),
        ("2010-01-03", "Prices begin on 4 Jan 2010."),
        ("1990-01-02", "Prices begin on 4 Jan 2010."),
    ):
        field.fill(day)
        page.get_by_role("button", name="Continue").click()
        refused(form, why)
    for day in ("2010-01-04", "2022-12-28"):
        field.fill(day)
        page.get_by_role("button", name="Continue").click()
        accepted(form).get_by_role("button", name="Cancel").click()


@pytest.mark.usefixtures("nights")
def test_without_knowing_the_days_of_prices_no_day_is_sent(visitor: Visitor) -> None:
    visitor.refuse("price-days", 409, "Not now")
    visitor.open("/start")
    visitor.sign_in()
    visitor.headed("Start a run")
    visitor.page.get_by_label("As of").fill("1990-01-02")
    visitor.page.get_by_role("button", name="Continue").click()
    expect(visitor.page.get_by_role("alert")).to_contain_text("Not now")
    visitor.page.unroute_all()
    visitor.page.get_by_role("button", name="Try again").click()
    refused(visitor, "Prices begin on 4 Jan 2010.")
    assert visitor.count("trigger-analysis") == 0


@pytest.mark.usefixtures("nights")
def test_what_is_typed_at_once_after_a_choice_is_searched(admin: Visitor) -> None:
    admin.open("/start")
    page = admin.page
    page.get_by_role("radio", name="Selected people").check()
    field = page.get_by_label("Find by ID, name or e-mail")
    field.fill("div")
    expect(page.get_by_role("list", name="Found people")).to_be_visible()
    # In the same moment, before the next frame is drawn.
    page.evaluate("""async () => {
        document.querySelector(".found button").click();
        await new Promise((resolve) => queueMicrotask(() => queueMicrotask(resolve)));
        const field = document.querySelector(".picker input");
        field.value = "e";
        field.dispatchEvent(new InputEvent("input", { bubbles: true }));
    }""")
    expect(page.get_by_role("list", name="Found people")).to_be_visible()
    expect(field).to_have_value("e")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("device", ["desktop", "phone"])
@pytest.mark.usefixtures("nights")
def test_the_choice_of_people_and_of_columns_is_accessible(
    browser: Browser, site: Site, theme: Literal["light", "dark"], device: str
) -> None:
    options = is_phone(theme) if device == "phone" else {"color_scheme": theme}
    visitor = Visitor.arrive(browser, site, **options)
    visitor.open("/start")
    visitor.sign_in()
    page = visitor.page
    page.get_by_role("radio", name="Selected people").check()
    page.get_by_label("Find by ID, name or e-mail").fill("div")
    page.get_by_role("list", name="Found people").get_by_role("button").first.click()
    page.get_by_label("Find by ID, name or e-mail").fill("e")
    expect(page.get_by_role("list", name="Found people")).to_be_visible()
    flaws = visitor.flaws()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    visitor.go("/portfolios")
    visitor.settle()
    page.get_by_text("Columns").first.click()
    expect(page.get_by_role("checkbox", name="Warnings")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert flaws + visitor.flaws() == []
    visitor.leave()
