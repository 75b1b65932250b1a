"""Signing in: accepted and refused credentials, the reasons shown, and the session that stands for them."""

import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jwt
from playwright.sync_api import Browser, expect

from functions.access.sessions import LOCAL_COOKIE
from functions.access.throttling import SIGN_IN_FAILURES
from tests.console.conftest import CHROMIUM, JWT_SECRET
from tests.console.site import Site, Visitor
from tests.devhost.harness import eventually
from tests.end_to_end.app import BASE, SECRET

PATIENCE_SECONDS = 120


def a_token(user_id: str) -> str:
    return jwt.encode({"sub": user_id, "exp": int(time.time()) + 600}, JWT_SECRET, "HS256")


def kept(visitor: Visitor) -> str:
    """Return everything that the browser stores outside of memory."""
    text: str = visitor.page.evaluate(
        "JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, location.href, history.state])"
    )
    return text


def shows(visitor: Visitor, title: str) -> None:
    expect(visitor.page.locator(".sign-in .notice")).to_contain_text(title)


def another_tab(visitor: Visitor) -> Visitor:
    """Return the same visitor in another tab of the browser."""
    return Visitor(
        visitor.context, visitor.context.new_page(), visitor.site, visitor.errors, visitor.expected
    ).listening()


def test_the_secret_opens_the_linked_page(visitor: Visitor) -> None:
    visitor.open("/audit")
    visitor.headed("Sign in")
    visitor.sign_in()
    visitor.headed("Audit log")
    assert SECRET not in kept(visitor)


def test_after_the_sign_in_requests_carry_a_cookie_and_no_secret(visitor: Visitor) -> None:
    visitor.open()
    visitor.sign_in()
    visitor.headed("Overview")
    visitor.settle()
    sent: list[dict[str, str]] = []
    visitor.page.on("request", lambda request: sent.append(request.headers))
    visitor.page.reload()
    visitor.headed("Overview")
    visitor.go("/audit")
    visitor.headed("Audit log")
    visitor.settle()
    assert sent
    assert not any({"x-admin-secret", "authorization"} & headers.keys() for headers in sent)
    (cookie,) = visitor.context.cookies()
    assert (cookie["name"], cookie["httpOnly"], cookie["sameSite"]) == (LOCAL_COOKIE, True, "Strict")
    assert not any(secret in kept(visitor) for secret in (SECRET, cookie["value"]))


def test_a_session_stays_over_reloads_and_in_other_tabs_until_one_of_them_signs_out(
    visitor: Visitor, site: Site
) -> None:
    visitor.open()
    visitor.sign_in()
    visitor.headed("Overview")
    visitor.page.reload()
    visitor.headed("Overview")
    other = another_tab(visitor)
    other.open("/audit")
    other.headed("Audit log")
    for tab in (visitor, other):
        tab.settle()
        tab.page.wait_for_load_state("networkidle")
    visitor.page.get_by_role("button", name="Sign out").click()
    for tab in (visitor, other):
        tab.headed("Sign in")
        expect(tab.page.get_by_role("navigation")).to_have_count(0)
        expect(tab.page.locator(".sign-in .notice")).to_have_count(0)
    assert visitor.context.cookies() == []
    newest = site.app.client.get(f"{BASE}/audit", params={"limit": 1}).json()["entries"][0]
    assert (newest["action"], newest["credential"], newest["outcome"]) == ("end_session", "session", "accepted")
    visitor.sign_in()
    for tab, title in ((visitor, "Overview"), (other, "Audit log")):
        tab.headed(title)


def test_a_sign_out_that_does_not_reach_the_app_is_told_and_can_be_repeated(visitor: Visitor, site: Site) -> None:
    visitor.expected.add("status of 503")
    visitor.open("/audit")
    visitor.sign_in()
    visitor.headed("Audit log")
    visitor.settle()
    site.wire.close()
    site.wire.cut()
    try:
        visitor.page.get_by_role("button", name="Sign out").click()
        expect(visitor.page.get_by_text("You are still signed in: The database is unavailable")).to_be_visible()
    finally:
        site.wire.open()
    visitor.headed("Audit log")
    visitor.page.get_by_role("button", name="Sign out").click()
    visitor.headed("Sign in")


def fill(visitor: Visitor) -> None:
    """Fill the form that starts a run."""
    visitor.headed("Start a run")
    visitor.page.get_by_label("Selected people").check()
    visitor.page.get_by_label("User IDs").fill("ada-allrounder, ben-bluechip")
    visitor.page.get_by_role("checkbox", name="Dry run").check()
    visitor.page.get_by_label("As of").fill("2022-06-01")


def is_filled(visitor: Visitor) -> None:
    expect(visitor.page.get_by_label("Selected people")).to_be_checked()
    expect(visitor.page.get_by_label("User IDs")).to_have_value("ada-allrounder, ben-bluechip")
    # Without its role, since a dialog may be over the form.
    expect(visitor.page.locator("input[type=checkbox]")).to_be_checked()
    expect(visitor.page.get_by_label("As of")).to_have_value("2022-06-01")


def test_what_was_entered_is_still_there_after_a_session_ended(visitor: Visitor, site: Site) -> None:
    visitor.expected.add("status of 401")
    visitor.open("/start")
    visitor.sign_in()
    other = another_tab(visitor)
    other.open("/start")
    for tab in (visitor, other):
        fill(tab)
        tab.page.wait_for_load_state("networkidle")
    visitor.page.get_by_role("button", name="Continue").click()
    expect(visitor.page.get_by_role("dialog")).to_be_visible()
    site.database.sessions.delete_many({})
    visitor.page.get_by_role("button", name="Start", exact=True).click()
    for tab in (visitor, other):
        shows(tab, "Session ended")
        assert tab.page.title().startswith("Sign in")
        for _ in range(3):
            tab.page.keyboard.press("Escape")
        expect(tab.page.get_by_role("dialog", name="Sign in")).to_be_visible()
    assert other.flaws() == []
    visitor.sign_in()
    for tab in (visitor, other):
        expect(tab.page.locator(".sign-in")).to_have_count(0)
        is_filled(tab)
        assert tab.page.title().startswith("Start a run")
    # The request that was refused is still to be confirmed.
    visitor.page.get_by_role("dialog").get_by_role("button", name="Start", exact=True).click()
    visitor.page.wait_for_url(re.compile(r"#/runs/run_\w+$"))
    site.app.wait(visitor.page.url.rpartition("/")[2])


def test_a_page_whose_session_ended_asks_for_nothing_and_goes_on_after_the_sign_in(
    visitor: Visitor, site: Site
) -> None:
    visitor.expected.add("status of 401")
    visitor.open()
    visitor.sign_in()
    visitor.headed("Overview")
    visitor.settle()
    site.database.sessions.delete_many({})
    visitor.page.reload()
    shows(visitor, "Session ended")
    expect(visitor.page.locator("main .notice")).to_have_count(0)
    asked = len(visitor.asked)
    visitor.page.wait_for_timeout(3_500)
    assert [url for url in visitor.asked[asked:] if "/api/admin/portfolio/" in url] == []
    visitor.sign_in()
    visitor.settle()
    expect(visitor.page.get_by_role("region", name="Next run")).to_be_visible()


def test_a_browser_without_cookies_is_signed_in_until_the_page_is_reloaded(
    browser: Browser, site: Site, tmp_path: Path
) -> None:
    profile = tmp_path / "Default" / "Preferences"
    profile.parent.mkdir()
    profile.write_text(json.dumps({"profile": {"default_content_setting_values": {"cookies": 2}}}))
    context = browser.browser_type.launch_persistent_context(tmp_path, executable_path=CHROMIUM, locale="en-GB")
    visitor = Visitor(context, context.new_page(), site).listening()
    visitor.expected.add("status of 401")
    visitor.open()
    visitor.sign_in()
    visitor.headed("Overview")
    expect(visitor.page.get_by_text("This browser keeps no cookies")).to_be_visible()
    visitor.go("/audit")
    visitor.headed("Audit log")
    visitor.settle()
    assert context.cookies() == []
    visitor.page.reload()
    visitor.headed("Sign in")
    visitor.sign_in()
    visitor.headed("Audit log")
    visitor.page.get_by_role("button", name="Sign out").click()
    visitor.headed("Sign in")
    visitor.leave()


def test_the_page_works_in_a_browser_without_storage(visitor: Visitor) -> None:
    visitor.context.add_init_script(
        """for (const name of ["localStorage", "sessionStorage"]) {
            Object.defineProperty(window, name, { get() { throw new DOMException("denied", "SecurityError"); } });
        }"""
    )
    visitor.open()
    visitor.sign_in()
    visitor.headed("Overview")
    visitor.page.get_by_role("button", name="Theme").click()
    expect(visitor.page.locator("html")).to_have_attribute("data-theme", "light")
    visitor.page.get_by_role("button", name="Sign out").click()
    visitor.headed("Sign in")


def test_an_administrators_token_is_accepted(visitor: Visitor) -> None:
    visitor.open()
    visitor.sign_in(f"Bearer {a_token('zoe-admin')}")
    visitor.headed("Overview")


def test_a_wrong_secret_is_refused_and_the_right_one_then_accepted(visitor: Visitor) -> None:
    visitor.expected.add("status of 401")
    visitor.open()
    for wrong in ("wrong", "пароль"):
        visitor.sign_in(wrong)
        shows(visitor, "Invalid secret or token")
        expect(visitor.page.get_by_role("button", name="Sign in")).to_be_focused()
        visitor.page.reload()
    visitor.sign_in()
    visitor.headed("Overview")


def test_a_token_of_another_user_is_refused(visitor: Visitor) -> None:
    visitor.expected.add("status of 403")
    visitor.open()
    visitor.sign_in(a_token("ada-allrounder"))
    shows(visitor, "Administrator role required")


def test_after_many_failures_the_page_shows_how_long_to_wait(browser: Browser, site: Site) -> None:
    address = {"X-Forwarded-For": "198.19.99.1"}
    with site.app.stranger(**address) as stranger, ThreadPoolExecutor(4) as threads:

        def attempt(_: int) -> int:
            return stranger.get(f"{BASE}/analysis-runs", headers={"X-Admin-Secret": "wrong"}).status_code

        # Each worker process has its own counter here; concurrent requests reach all of them.
        eventually(lambda: set(threads.map(attempt, range(SIGN_IN_FAILURES.most))) == {429}, PATIENCE_SECONDS)
    visitor = Visitor.arrive(browser, site)
    visitor.context.set_extra_http_headers(address)
    visitor.expected.add("status of 429")
    visitor.open()
    visitor.sign_in("wrong")
    shows(visitor, "Too many attempts")
    expect(visitor.page.get_by_text("seconds, then try again")).to_be_visible()
    visitor.leave()


def test_without_the_database_sign_in_is_unavailable_until_it_is_back(visitor: Visitor, site: Site) -> None:
    visitor.expected.add("status of 503")
    visitor.open()
    site.wire.close()
    site.wire.cut()
    try:
        visitor.sign_in()
        shows(visitor, "Sign-in unavailable")
        expect(visitor.page.get_by_text("The database is unavailable")).to_be_visible()
    finally:
        site.wire.open()
    visitor.sign_in()
    visitor.headed("Overview")


def test_a_session_with_a_revoked_secret_ends_and_resumes_on_the_same_page(visitor: Visitor, site: Site) -> None:
    visitor.expected.add("status of 401")
    visitor.open("/audit")
    visitor.sign_in()
    visitor.headed("Audit log")
    # As after a rotation: no secret that is accepted now makes the same proof.
    site.database.sessions.update_many({}, {"$set": {"proof": "0" * 64}})
    visitor.page.reload()
    shows(visitor, "Session ended")
    visitor.sign_in()
    expect(visitor.page.locator(".sign-in")).to_have_count(0)
    visitor.headed("Audit log")


def test_the_theme_is_that_of_the_system_until_the_user_chooses_one(browser: Browser, site: Site) -> None:
    visitor = Visitor.arrive(browser, site, color_scheme="dark")
    visitor.open()
    root = visitor.page.locator("html")
    expect(root).to_have_attribute("data-theme", "dark")
    visitor.page.emulate_media(color_scheme="light")
    expect(root).to_have_attribute("data-theme", "light")
    for chosen in ("light", "dark"):
        visitor.page.get_by_role("button", name="Theme").click()
        expect(root).to_have_attribute("data-theme", chosen)
    visitor.page.reload()
    expect(root).to_have_attribute("data-theme", "dark")
    visitor.leave()
