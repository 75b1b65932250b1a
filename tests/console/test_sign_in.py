"""Signing in: accepted and refused credentials, the reasons shown, and where credentials are kept."""

import time
from concurrent.futures import ThreadPoolExecutor

import jwt
from playwright.sync_api import Browser, expect

from functions.access.throttling import SIGN_IN_FAILURES
from tests.console.conftest import JWT_SECRET
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
    expect(visitor.page.locator(".notice")).to_contain_text(title)


def test_the_secret_opens_the_linked_page(visitor: Visitor) -> None:
    visitor.open("/audit")
    visitor.headed("Sign in")
    visitor.sign_in()
    visitor.headed("Audit log")
    assert SECRET not in kept(visitor)


def test_the_secret_stays_in_memory_unless_staying_signed_in_is_chosen(visitor: Visitor) -> None:
    visitor.open()
    visitor.sign_in()
    visitor.headed("Overview")
    visitor.page.reload()
    visitor.headed("Sign in")
    visitor.sign_in(keep=True)
    visitor.headed("Overview")
    visitor.page.reload()
    visitor.headed("Overview")
    assert SECRET not in visitor.page.evaluate("JSON.stringify({...localStorage}) + document.cookie + location.href")
    visitor.page.get_by_role("button", name="Sign out").click()
    visitor.headed("Sign in")
    assert SECRET not in kept(visitor)


def test_the_page_works_in_a_browser_without_storage(visitor: Visitor) -> None:
    visitor.context.add_init_script(
        """for (const name of ["localStorage", "sessionStorage"]) {
            Object.defineProperty(window, name, { get() { throw new DOMException("denied", "SecurityError"); } });
        }"""
    )
    visitor.open()
    visitor.sign_in(keep=True)
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


def test_a_session_with_a_revoked_secret_ends_and_resumes_on_the_same_page(visitor: Visitor) -> None:
    visitor.expected.add("status of 401")
    visitor.open("/audit")
    visitor.sign_in(keep=True)
    visitor.headed("Audit log")
    # As after a rotation: the stored secret is no longer valid.
    visitor.page.evaluate("sessionStorage.credential = sessionStorage.credential.replace(/-secret/, '-former')")
    visitor.page.reload()
    shows(visitor, "Invalid secret or token")
    assert "-former" not in kept(visitor)
    visitor.sign_in()
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
