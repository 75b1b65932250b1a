"""What is kept about a person, and its erasure, over everything that nights, retries and requests leave."""

import gzip
from collections.abc import Callable, Iterator
from contextlib import suppress
from copy import replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import zstandard

import stores.rankings
from functions.access.audit import new_entry
from lake.places import FolderLake
from records import FIGURES, SortField, Wanted
from runs.book import people_after_retry
from runs.forgetting import Trace, forget
from runs.services import Services
from runs.starting import RunActive
from stores.mongo import OWN_COLLECTIONS, DocumentDatabase, write_each
from stores.rankings import page_of
from stores.report_values import decompressed
from tests.engine import hold_lease
from tests.runs.nightly import run_once
from tests.runs.test_delivering import BREACHED, Site, site_with
from tests.runs.test_people import CONCENTRATED, add, hold

ANN, ADDRESS = "ann-4711", "192.0.2.4"
OTHERS = ("abe", "bob", "cat", "dan")
_ORDERS: tuple[SortField, ...] = (*FIGURES, "user_id")


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    folder = tmp_path / "lake"
    folder.mkdir()
    return folder


@pytest.fixture
def site(database: DocumentDatabase, mongodb_url: str, lake: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setattr(stores.rankings, "_LINES_PER_BLOCK", 2)
    with site_with(database, mongodb_url, "ops", LAKE_DIR=str(lake), DIGEST="1") as made:
        yield made


def live(site: Site, database: DocumentDatabase) -> None:
    """Let five people have two nights, a retry and a run of their own: Ann breaches a rule, fails and is asked for."""
    for user_id in (ANN, *OTHERS):
        add(database, user_id)
    night = run_once(site.services)
    hold(database, ANN, CONCENTRATED)
    run_once(site.services)
    database.accounts.insert_one({"user_id": ANN, "cash": "plenty"})
    failed = run_once(site.services)
    database.accounts.delete_many({})
    run_once(site.services, retry_of=failed)
    run_once(site.services, user_ids=[ANN, "nobody"])
    run_once(site.services, user_ids=[ANN])
    site.deliver()
    for known in ({"user_id": ANN}, {"user_ids": (ANN, "bob"), "user_ids_count": 2}):
        site.services.audit.add(new_entry("read_report", "bearer", run_id=night, **known))
    for actor in (ANN, "oid-of-ann"):
        tried = new_entry("sign_in", "bearer", actor=actor, credential_id=ANN, client=ADDRESS, problem="forbidden")
        site.services.audit.add(replace(tried, outcome="refused"))


def traces(services: Services, *, erase: bool) -> dict[str, int]:
    return {trace.place: trace.count for trace in forget(services, ANN, erase=erase)}


def kept_about_ann(database: DocumentDatabase, lake: Path) -> list[str]:
    """Return each place with her id in it, compressed values included."""
    found = [
        f"{name}: {sorted(document)}"
        for name in OWN_COLLECTIONS
        for document in database[name].find()
        if ANN in _text(document)
    ]
    return found + [
        str(path) for path in lake.rglob("*") if path.is_file() and ANN.encode() in gzip.decompress(path.read_bytes())
    ]


def snapshot(database: DocumentDatabase, lake: Path) -> Callable[[], None]:
    """Return a function that brings everything back as it is now."""
    documents = {name: database[name].find().to_list() for name in OWN_COLLECTIONS}
    files = {path: path.read_bytes() for path in lake.rglob("*.gz")}

    def restore() -> None:
        for name, kept in documents.items():
            database[name].delete_many({})
            if kept:
                database[name].insert_many(kept)
        for path, content in files.items():
            path.write_bytes(content)

    return restore


def _text(value: Any) -> str:  # noqa: ANN401 - any member of a document
    if isinstance(value, dict):
        return "".join(f"{name}{_text(member)}" for name, member in value.items())
    if isinstance(value, list):
        return "".join(map(_text, value))
    if isinstance(value, bytes):
        with suppress(zstandard.ZstdError):  # with a dictionary, as reports are, or no compressed value
            return zstandard.ZstdDecompressor().decompress(value).decode(errors="replace")
        with suppress(ValueError):
            return decompressed(value).decode()
        return value.decode(errors="replace")
    return str(value)


def lists(services: Services, run_id: str) -> dict[SortField, list[str]] | None:
    rankings = services.rankings.of(run_id)
    if rankings is None:
        return None
    return {
        sort: [
            own.user_id
            for own in page_of(rankings, limit=100, wanted=Wanted(), sort=sort, descending=False, after=None)
        ]
        for sort in _ORDERS
    }


def test_everything_about_a_person_is_shown_then_erased_and_nothing_about_others(
    site: Site, database: DocumentDatabase, lake: Path
) -> None:
    live(site, database)
    assert site.told(BREACHED, ANN)
    before = kept_about_ann(database, lake)
    ids = [run.run_id for run in site.services.runs.newest(20, None)]
    kept = (*ids, *map(people_after_retry, ids))
    was = {key: lists(site.services, key) for key in kept}
    shown = traces(site.services, erase=False)
    assert min(shown.values()) > 0
    assert kept_about_ann(database, lake) == before
    assert traces(site.services, erase=True) == shown
    assert kept_about_ann(database, lake) == []
    assert sum(traces(site.services, erase=True).values()) == 0
    for key, orders in was.items():
        left = {sort: [own for own in order if own != ANN] for sort, order in (orders or {}).items()}
        assert (lists(site.services, key) or {}) == (left if any(left.values()) else {})
    assert {own["user_id"] for own in database.portfolio_analyses.find()} == set(OTHERS)
    files = [gzip.decompress(path.read_bytes()) for path in lake.rglob("*.gz")]
    assert all(files)
    assert sum(file.count(b'"user_id":"bob"') for file in files) >= 3
    entries = site.services.audit.newest(9, None)
    assert sorted((own.outcome, own.user_ids or ()) for own in entries) == [
        ("attempted", ()), ("attempted", ("bob",)), ("refused", ()), ("refused", ()),
    ]  # fmt: skip
    assert {own.client for own in entries} == {None}


def test_what_an_administrator_did_keeps_the_name(site: Site, database: DocumentDatabase) -> None:
    add(database, "bob")
    run_once(site.services)
    site.services.audit.add(new_entry("trigger", "bearer", actor=ANN, credential_id=ANN))
    assert sum(traces(site.services, erase=True).values()) == 0
    (entry,) = site.services.audit.newest(9, None)
    assert (entry.actor, entry.credential_id) == (ANN, ANN)


def test_filters_of_lists_skip_no_one_who_is_left(site: Site, database: DocumentDatabase) -> None:
    for user_id in (ANN, *OTHERS):
        add(database, user_id, CONCENTRATED)
    run_id = run_once(site.services)
    traces(site.services, erase=True)
    rankings = site.services.rankings.of(run_id)
    assert rankings is not None
    for sort in _ORDERS:
        wanted = Wanted(check="largest_position")
        found = page_of(rankings, limit=9, wanted=wanted, sort=sort, descending=False, after=None)
        assert sorted(own.user_id for own in found) == list(OTHERS)


def test_an_erasure_that_ends_after_any_place_is_completed_by_the_next(
    site: Site, database: DocumentDatabase, lake: Path
) -> None:
    live(site, database)
    restore = snapshot(database, lake)
    for places in range(1, 7):
        list(islice(forget(site.services, ANN, erase=True), places))
        assert kept_about_ann(database, lake) != []
        traces(site.services, erase=True)
        assert kept_about_ann(database, lake) == []
        restore()


def test_an_erasure_that_ends_within_a_list_is_completed_by_the_next(
    site: Site, database: DocumentDatabase, lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for user_id in (ANN, *OTHERS):
        add(database, user_id)
    run_id = run_once(site.services)
    restore = snapshot(database, lake)
    for allowed in range(1, 40):
        restore()
        left = iter(range(allowed))

        def fail_later(*arguments: Any, left: Iterator[int] = left) -> None:  # noqa: ANN401 - those of write_each
            if next(left, None) is None:
                raise ConnectionError
            write_each(*arguments)

        with monkeypatch.context() as patch:
            patch.setattr(stores.rankings, "write_each", fail_later)
            try:
                traces(site.services, erase=True)
            except ConnectionError:
                pass
            else:
                return
        traces(site.services, erase=True)
        assert kept_about_ann(database, lake) == []
        assert lists(site.services, run_id) == {sort: list(OTHERS) for sort in _ORDERS}
    pytest.fail("the erasure never completed")


def test_files_of_runs_that_the_database_no_longer_knows_are_erased_too(
    site: Site, database: DocumentDatabase, lake: Path
) -> None:
    live(site, database)
    files = [own for own in kept_about_ann(database, lake) if own.startswith(str(lake))]
    for name in OWN_COLLECTIONS:
        database[name].delete_many({})
    assert traces(site.services, erase=True)["files of the lake"] == len(files)
    assert kept_about_ann(database, lake) == []


def test_files_that_are_no_pages_are_left_alone(site: Site, database: DocumentDatabase, lake: Path) -> None:
    live(site, database)
    note = lake / "as_of=2026-01-02" / f"{ANN}.txt"
    note.parent.mkdir(exist_ok=True)
    note.write_text(ANN)
    traces(site.services, erase=True)
    assert note.read_text() == ANN


def test_a_digest_that_was_told_under_an_earlier_source_is_erased_too(
    site: Site, database: DocumentDatabase, mongodb_url: str, lake: Path
) -> None:
    add(database, ANN, CONCENTRATED)
    run_once(site.services)
    assert [own for own in kept_about_ann(database, lake) if own.startswith("outbox: ")]
    with site_with(database, mongodb_url, "ops", LAKE_DIR=str(lake), EVENT_SOURCE="/renamed") as renamed:
        traces(renamed.services, erase=True)
    assert kept_about_ann(database, lake) == []


def test_while_a_run_is_active_nothing_is_erased(site: Site, database: DocumentDatabase, lake: Path) -> None:
    live(site, database)
    before = kept_about_ann(database, lake)
    hold_lease(site.services, "run_20260203_000000_0000", requested_at=datetime.now(UTC))
    with pytest.raises(RunActive):
        traces(site.services, erase=True)
    assert kept_about_ann(database, lake) == before


def test_a_person_of_whom_nothing_is_kept_has_no_traces(site: Site, database: DocumentDatabase) -> None:
    add(database, "bob")
    run_once(site.services)
    assert {trace.count for trace in forget(site.services, "bo", erase=True)} == {0}


def test_without_a_lake_there_is_none_to_look_at(database: DocumentDatabase, mongodb_url: str) -> None:
    with site_with(database, mongodb_url, "ops") as site:
        assert Trace("files of the lake", 0) not in list(forget(site.services, ANN, erase=False))


def test_a_lake_in_a_folder_lists_finished_files_only(tmp_path: Path) -> None:
    lake = FolderLake(tmp_path)
    lake.write("as_of=2026-01-02/run_id=r/page-00000.jsonl.gz", b"1")
    (tmp_path / "as_of=2026-01-02" / ".x.part").write_bytes(b"2")
    assert lake.paths() == ["as_of=2026-01-02/run_id=r/page-00000.jsonl.gz"]
