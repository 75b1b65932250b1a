"""The console's files: how they are served, their size and their content."""

import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path

import azure.functions as func
import httpx
import pytest

from analysis.checks import RULES
from analysis.stress import SCENARIOS
from functions.http import console
from functions.http.problems import NotFound
from settings import Settings
from tests.conftest import missing_server
from tests.console.site import BUILT, CONSOLE, PATH, built_files
from tests.end_to_end.app import ROOT, App, running_app

ALLOWED_BYTES = 150_000


@pytest.fixture(scope="module")
def built() -> list[Path]:
    if not (BUILT / "index.html").exists():
        missing_server("the admin console is not built: make console")
    return built_files()


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, built: list[Path]) -> Iterator[App]:
    assert built
    with running_app(tmp_path_factory.mktemp("app")) as running:
        yield running


@pytest.fixture(scope="module")
def stranger(app: App) -> Iterator[httpx.Client]:
    with app.stranger() as client:
        yield client


def test_the_page_is_served_without_credentials_and_revalidated_each_time(stranger: httpx.Client) -> None:
    page = stranger.get(PATH)
    assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert page.headers["Cache-Control"] == "no-cache"
    again = stranger.get(PATH, headers={"If-None-Match": page.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["Cache-Control"] == "no-cache"


def test_the_page_may_load_only_its_own_files(stranger: httpx.Client) -> None:
    headers = stranger.get(PATH).headers
    policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
    assert policy.pop("default-src") == "'none'"
    assert set(policy.values()) == {"'self'", "'none'", "'script'"}
    assert (policy["frame-ancestors"], policy["base-uri"], policy["form-action"]) == ("'none'",) * 3
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"


def test_every_built_file_is_served_as_immutable_and_compressed(stranger: httpx.Client, built: list[Path]) -> None:
    for path in built:
        if path.suffix == ".html":
            continue
        served = stranger.get(f"{PATH}/{path.name}", headers={"Accept-Encoding": "gzip"})
        assert served.headers["Content-Encoding"] == "gzip"
        assert served.content == path.read_bytes()  # the client decompresses it
        assert served.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        plain = stranger.get(f"{PATH}/{path.name}", headers={"Accept-Encoding": "identity"})
        assert "Content-Encoding" not in plain.headers
        assert plain.content == path.read_bytes()
        assert "Accept-Encoding" in plain.headers["Vary"]
        assert re.search(r"-[\w-]{8}\.", path.name), "the name of an immutable file must change with its content"


@pytest.mark.parametrize(
    "name",
    [
        "index.html", "me.html", "nothing.js", "..", "%2e%2e", "..%2fpackage.json", "%2e%2e%2fpackage.json",
        "..%5cpackage.json", "%2fetc%2fpasswd", "src", ".", "%00", "index.html%00.js", "package.json",
    ],
)  # fmt: skip
def test_only_built_files_are_served(stranger: httpx.Client, name: str) -> None:
    answer = stranger.get(f"{PATH}/{name}")
    assert answer.status_code in (400, 404) or answer.url.path == PATH
    assert b"dependencies" not in answer.content
    assert b"root:" not in answer.content


def test_files_are_served_for_no_other_method(stranger: httpx.Client) -> None:
    assert stranger.post(PATH).status_code == 405


def test_without_a_build_the_page_shows_how_to_build_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings.from_environment(
        {"MONGODB_URL": "mongodb://localhost", "MARKET_DATA_PROVIDER": "sample", "ANALYSIS_SCHEDULE": "0 0 1 * * *"}
    )
    console._files.cache_clear()  # noqa: SLF001 - the state of a new worker
    for folder in (tmp_path / "missing", tmp_path):
        monkeypatch.setattr(console, "_BUILT", folder)
        page = console.console(func.HttpRequest("GET", f"http://localhost{PATH}", body=b""), settings)
        assert page.status_code == 404
        assert b"make console" in page.get_body()
        asset = func.HttpRequest("GET", f"http://localhost{PATH}/x.js", route_params={"name": "x.js"}, body=b"")
        with pytest.raises(NotFound):
            console.console_file(asset, settings)
    (tmp_path / "index.html").write_bytes(b"built later")
    page = console.console(func.HttpRequest("GET", f"http://localhost{PATH}", body=b""), settings)
    assert (page.status_code, page.get_body()) == (200, b"built later")
    console._files.cache_clear()  # noqa: SLF001 - forget this folder


def test_all_files_together_are_small(built: list[Path]) -> None:
    assert sum(len(gzip.compress(path.read_bytes())) for path in built) < ALLOWED_BYTES


def test_every_kind_of_error_that_a_run_records_is_explained() -> None:
    folders = ("functions", "runs", "stores")
    sources = "".join(path.read_text() for folder in folders for path in sorted((ROOT / folder).rglob("*.py")))
    kinds = set(re.findall(r'(?:Failure|InvalidPortfolio|RunError|_failed)\([^")[]*"([a-z_]+)"', sources))
    assert "unknown_user" in kinds
    explained = re.findall(r"^  (\w+): {", (CONSOLE / "src" / "words" / "errors.ts").read_text(), re.MULTILINE)
    assert kinds - set(explained) == set()


def test_every_rule_and_every_stress_scenario_has_its_words() -> None:
    words = (CONSOLE / "src" / "words" / "reports.ts").read_text()
    for name, expected in (("RULES", [rule.name for rule in RULES]), ("SCENARIOS", SCENARIOS)):
        (table,) = re.findall(rf"^export const {name}: .*? = {{\n(.*?)^}};", words, re.MULTILINE | re.DOTALL)
        assert set(re.findall(r'^  "?([\w-]+)"?:', table, re.MULTILINE)) == set(expected)


def test_packages_are_pinned_with_hashes_and_without_a_registry() -> None:
    package = json.loads((CONSOLE / "package.json").read_text())
    for versions in (package["dependencies"], package["devDependencies"]):
        assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in versions.values())
    locked = json.loads((CONSOLE / "package-lock.json").read_text())["packages"]
    packages = {name: found for name, found in locked.items() if name}
    assert all(found["integrity"].startswith("sha512-") and "resolved" not in found for found in packages.values())


def test_the_deployment_contains_the_built_files_and_not_their_sources() -> None:
    ignored = (CONSOLE.parent / ".funcignore").read_text().splitlines()
    assert ignored.index("console/*") + 1 == ignored.index("!console/dist")
