"""The app's own pages: their origin as a browser sees it, and the requests that only they can send with a cookie.

A browser adds cookies to whatever a page of the same site requests, also one of a neighboring host or of another port.
Such a page cannot choose the headers that are looked at here: the browser writes Origin and Sec-Fetch-Site, and allows
the page's own only after a preflight request, to which the app does not agree.
"""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

import azure.functions as func

from functions.access.tokens import Subject
from problems import Problem
from settings import Settings

PAGE_HEADER, PAGE = "X-Requested-With", "portfolio-console"
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_FROM_NO_OTHER_PAGE = ("same-origin", "none")
_LOOPBACK = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?")
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


class ForeignPage(Problem):
    """The request carries a session's cookie, but does not come from a page of the app."""

    status, slug, title = 403, "foreign-page", "Not from a page of the app"
    detail = (
        "A session is for the app's own pages only: a change needs their Origin and the header "
        f"{PAGE_HEADER}: {PAGE}. Other programs send the admin secret or a bearer token."
    )
    arguments_of_example = (Subject("ada", "ada", "session"),)

    def __init__(self, subject: Subject) -> None:
        super().__init__()
        self.subject = subject


@dataclass(frozen=True, slots=True)
class Origin:
    """The origin of the app's pages: the host has its port, unless that is the scheme's own."""

    scheme: str
    host: str

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}"

    @property
    def is_local(self) -> bool:
        """Return whether it is this machine without TLS, where browsers differ in accepting secure cookies."""
        return self.scheme == "http" and _LOOPBACK.fullmatch(self.host) is not None


def own_origin(request: func.HttpRequest, settings: Settings) -> Origin:
    """Return the origin that the browser sees: that of our proxies, if there are some, else the request's own.

    A caller that makes up these headers is no browser, and deceives only itself.
    """
    scheme, host = urlsplit(request.url).scheme, request.headers.get("Host", "")
    if settings.trusted_proxies:
        scheme = _first(request, "X-Forwarded-Proto") or scheme
        host = _first(request, "X-Forwarded-Host") or _first(request, "X-Original-Host") or host
    scheme = scheme.lower()
    return Origin(scheme, host.lower().removesuffix(_DEFAULT_PORTS.get(scheme, "")))


def is_from_own_page(request: func.HttpRequest, settings: Settings) -> bool:
    """Return whether a request with a cookie is one that a page of the app sends, or that its user typed.

    Whatever changes something must say so by Origin and by the pages' header; a read must not say otherwise.
    """
    origin = request.headers.get("Origin")
    if origin not in (None, str(own_origin(request, settings))):
        return False
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in _FROM_NO_OTHER_PAGE:
        return False
    return request.method in _SAFE_METHODS or (origin is not None and request.headers.get(PAGE_HEADER) == PAGE)


def _first(request: func.HttpRequest, name: str) -> str:
    """Return the first entry of a header, which is by the proxy next to the browser."""
    entries: str = request.headers.get(name, "")
    return entries.partition(",")[0].strip()
