"""The sign-in of the platform in front of the app, with a real issuer and a fake ``/.auth/me``."""

from collections.abc import Iterator
from typing import Any, cast

import pytest
from playwright.sync_api import Browser, expect

from tests.console.site import Site, Visitor
from tests.end_to_end.app import App, running_app
from tests.security.issuer import AUDIENCE, ROLE, Issuer, an_issuer


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with an_issuer() as issuer:
        yield issuer


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, issuer: Issuer) -> Iterator[App]:
    environment = {"OIDC_ISSUER": issuer.url, "OIDC_AUDIENCE": AUDIENCE, "OIDC_ADMIN_ROLE": ROLE, "ME_API": "1"}
    with running_app(tmp_path_factory.mktemp("app"), WEBSITE_AUTH_ENABLED="True", **environment) as running:
        yield running


@pytest.fixture
def visitor(browser: Browser, app: App) -> Iterator[Visitor]:
    visitor = Visitor.arrive(browser, Site(app, cast("Any", None), cast("Any", None)))
    yield visitor
    visitor.leave()


def signed_in_as(visitor: Visitor, token: str) -> None:
    """Respond as the platform does to a signed-in user."""
    principal = [{"provider_name": "aad", "user_id": "ann@example.org", "id_token": token}]
    # The newest route counts. Without the older one, a request in between would reach the app, which answers 404.
    visitor.page.route("**/.auth/me", lambda route: route.fulfill(json=principal))


def test_a_user_signed_in_by_the_platform_needs_no_secret(visitor: Visitor, issuer: Issuer) -> None:
    signed_in_as(visitor, issuer.token())
    visitor.open("/runs")
    visitor.page.get_by_role("button", name="Continue as ann@example.org").click()
    visitor.headed("Runs")


def test_an_expired_token_is_replaced_without_notice(visitor: Visitor, issuer: Issuer) -> None:
    visitor.expected.add("status of 401")
    first = issuer.token()
    signed_in_as(visitor, first)
    visitor.open()
    visitor.page.get_by_role("button", name="Continue as").click()
    visitor.headed("Overview")
    # As when the session, which lasts as long as the token, is over: the browser has dropped its cookie.
    visitor.context.clear_cookies()
    signed_in_as(visitor, issuer.token(issuer.claims(sub="subject-2")))
    visitor.go("/audit")
    visitor.headed("Audit log")
    expect(visitor.page.locator(".skeleton")).to_have_count(0)
    expect(visitor.page.locator(".notice")).to_have_count(0)
    assert len(visitor.context.cookies()) == 1


def test_a_session_of_the_platforms_user_ends_if_the_platform_has_no_fresh_token(
    visitor: Visitor, issuer: Issuer
) -> None:
    visitor.expected.add("status of 401")
    signed_in_as(visitor, issuer.token())
    visitor.open("/runs")
    visitor.page.get_by_role("button", name="Continue as").click()
    visitor.headed("Runs")
    visitor.page.route("**/.auth/me", lambda route: route.fulfill(status=401))
    visitor.context.clear_cookies()
    visitor.page.reload()
    expect(visitor.page.get_by_role("alert")).to_contain_text("Session ended")
    expect(visitor.page.get_by_role("link", name="Sign in with your organization")).to_be_visible()


def test_after_a_sign_out_the_platforms_user_is_not_signed_in_again_unasked(visitor: Visitor, issuer: Issuer) -> None:
    signed_in_as(visitor, issuer.token())
    visitor.open("/runs")
    visitor.page.get_by_role("button", name="Continue as").click()
    visitor.headed("Runs")
    visitor.page.get_by_role("button", name="Sign out").click()
    visitor.headed("Sign in")
    visitor.page.reload()
    visitor.headed("Sign in")
    expect(visitor.page.get_by_role("button", name="Continue as ann@example.org")).to_be_visible()


def test_a_user_without_platform_session_gets_a_link_to_sign_in(visitor: Visitor) -> None:
    visitor.expected.add("status of 401")
    visitor.page.route("**/.auth/me", lambda route: route.fulfill(status=401))
    visitor.open()
    link = visitor.page.get_by_role("link", name="Sign in with your organization")
    expect(link).to_have_attribute("href", "/.auth/login/aad?post_login_redirect_uri=%2Fapi%2Fadmin%2Fconsole")


def test_a_signed_in_user_without_the_role_is_refused(visitor: Visitor, issuer: Issuer) -> None:
    visitor.expected.add("status of 403")
    signed_in_as(visitor, issuer.token(issuer.claims(roles=["Portfolio.Reader"])))
    visitor.open()
    visitor.page.get_by_role("button", name="Continue as").click()
    expect(visitor.page.get_by_role("alert")).to_contain_text("Administrator role required")


def test_a_person_signed_in_by_the_platform_needs_no_token_and_no_role(visitor: Visitor, issuer: Issuer) -> None:
    visitor.expected.add("status of 404")  # there was no night
    signed_in_as(visitor, issuer.token(issuer.claims(sub="ada-allrounder", oid=None, roles=[])))
    visitor.page.goto(f"{visitor.site.url}/api/me/page")
    visitor.page.get_by_role("button", name="Continue as ann@example.org").click()
    visitor.headed("Your portfolio")
    expect(visitor.page.get_by_text("No report yet")).to_be_visible()
    assert not any("/admin/portfolio" in url for url in visitor.asked)
