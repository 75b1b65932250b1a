"""The pages of administrators and of persons: the files that ``make console`` builds, and nothing else.

The pages are public, since they hold no data: they request everything they show from the API, with the user's
credentials.
"""

import functools
import gzip
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import azure.functions as func

from functions.http.endpoint import Api, etag_of, is_known
from functions.http.problems import NotFound
from settings import Settings

_BUILT = Path(__file__).parent.parent.parent / "console" / "dist"
_INDEX, _OWN = "index.html", "me.html"
_MIMETYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
_HOW_TO_BUILD = b"""<!doctype html><html lang="en"><title>Admin console</title><h1>The admin console is not built</h1>
<p>Install Node.js 18 or later with npm, run <code>make console</code>, and load this page again.</p>"""
# Allows only the built files and the app's own API.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Vary": "Accept-Encoding",
}
# The page is revalidated each time; the name of any other file changes with its content.
_PAGE_CACHE, _FILE_CACHE = "no-cache", "public, max-age=31536000, immutable"

pages = Api()


@pages.route("GET", "api", callers="everybody")
def console_redirect() -> func.HttpResponse:
    """Lead anyone at the root of the app's own routes to the admin page; ``/`` itself is the platform's."""
    headers = {"Location": "/api/admin/console"}
    return func.HttpResponse(status_code=HTTPStatus.FOUND, headers=headers)


@pages.route("GET", "api/admin/console", callers="everybody")
def console(request: func.HttpRequest, settings: Settings) -> func.HttpResponse:
    """Return the admin page, or instructions to build it."""
    return _page(request, settings, _INDEX)


@pages.route("GET", "api/me/page", callers="everybody")
def own_page(request: func.HttpRequest, settings: Settings) -> func.HttpResponse:
    """Return the page for persons, or instructions to build it."""
    if not settings.me_api:
        raise NotFound("Persons' own reports are not served here.")
    return _page(request, settings, _OWN)


@pages.route("GET", "api/admin/console/{name}", callers="everybody")
def console_file(request: func.HttpRequest, settings: Settings) -> func.HttpResponse:
    """Return one of the built files by name, from memory: the name is never looked up on the disk."""
    name = request.route_params.get("name", "")
    try:
        file = _files(settings.platform_sign_in).get(name)
    except FileNotFoundError:
        file = None
    if file is None or file.mimetype == _MIMETYPES[".html"]:
        raise NotFound("The admin console has no such file. Reload the page.")
    return _answer(request, file, _FILE_CACHE)


@dataclass(frozen=True, slots=True)
class _File:
    content: bytes
    compressed: bytes
    mimetype: str
    etag: str


@functools.cache
def _files(platform_sign_in: bool) -> dict[str, _File]:  # noqa: FBT001 - as the settings have it
    """Return the files by name; the page says whether platform sign-in is on, or it would need a request to find out.

    Raises:
        FileNotFoundError: there are none.
    """
    found = {path.name: path.read_bytes() for path in _BUILT.iterdir() if path.suffix in _MIMETYPES}
    if _INDEX not in found:
        raise FileNotFoundError(_INDEX)
    if platform_sign_in:
        for page in {_INDEX, _OWN} & found.keys():
            found[page] = found[page].replace(
                b'name="platform-sign-in" content="no"', b'name="platform-sign-in" content="yes"'
            )
    return {
        name: _File(content, gzip.compress(content, mtime=0), _MIMETYPES[Path(name).suffix], etag_of(content))
        for name, content in found.items()
    }


def _page(request: func.HttpRequest, settings: Settings, name: str) -> func.HttpResponse:
    try:
        page = _files(settings.platform_sign_in)[name]
    except (FileNotFoundError, KeyError):
        headers = {**_HEADERS, "Cache-Control": "no-store"}
        return func.HttpResponse(_HOW_TO_BUILD, status_code=HTTPStatus.NOT_FOUND, headers=headers, mimetype="text/html")
    return _answer(request, page, _PAGE_CACHE)


def _answer(request: func.HttpRequest, file: _File, cache: str) -> func.HttpResponse:
    headers = {**_HEADERS, "Cache-Control": cache, "ETag": f"W/{file.etag}"}
    if is_known(request, file.etag):
        return func.HttpResponse(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        headers["Content-Encoding"] = "gzip"
        return func.HttpResponse(file.compressed, headers=headers, mimetype=file.mimetype)
    return func.HttpResponse(file.content, headers=headers, mimetype=file.mimetype)
