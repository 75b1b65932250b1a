"""A browser without JavaScript: both pages tell what to do."""

import pytest
from playwright.sync_api import Browser, expect

from tests.console.site import PATH, Site, Visitor


@pytest.mark.parametrize(
    ("path", "other_way"),
    [(PATH, "the API has all that it shows"), ("/api/me/page", "ask for your report as a PDF file")],
)
def test_without_javascript_a_page_says_what_it_needs_and_the_other_way(
    browser: Browser, site: Site, path: str, other_way: str
) -> None:
    visitor = Visitor.arrive(browser, site, java_script_enabled=False)
    visitor.page.goto(f"{site.url}{path}")
    visitor.headed("JavaScript is off")
    told = visitor.page.get_by_role("main")
    expect(told).to_contain_text("Allow JavaScript for this site, then reload the page.")
    expect(told).to_contain_text(other_way)
    visitor.leave()
