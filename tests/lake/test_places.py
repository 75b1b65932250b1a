from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from azure.core.pipeline.transport import HttpTransport

from lake.blobs import BlobLake
from lake.places import FolderLake, Lake, LakeUnavailable
from tests.lake.containers import Container, Credential, a_container

PATH = "as_of=2026-01-02/run_id=run_20260102_030405_abcd/page-00000.jsonl.gz"


@contextmanager
def a_lake(kind: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lake]:
    if kind == "folder":
        yield FolderLake(folder)
        return
    with a_container(folder) as container:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(container.ca_file))
        yield BlobLake(container.url, Credential())


@pytest.fixture(params=["folder", "container"])
def lake(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lake]:
    with a_lake(request.param, tmp_path, monkeypatch) as made:
        yield made


@pytest.fixture
def container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Container]:
    with a_container(tmp_path) as made:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(made.ca_file))
        yield made


def test_a_file_is_read_as_it_was_written(lake: Lake) -> None:
    content = bytes(range(256)) * 10_000
    lake.write(PATH, content)
    assert lake.read(PATH) == content


def test_a_file_written_again_has_the_later_content(lake: Lake) -> None:
    lake.write(PATH, b"a longer first content")
    lake.write(PATH, b"second")
    assert lake.read(PATH) == b"second"


def test_all_files_are_listed_until_they_are_deleted(lake: Lake) -> None:
    paths = [PATH.replace("00000", f"{number:05}") for number in range(5)]
    for path in paths:
        lake.write(path, b"content")
    assert list(lake.paths()) == paths
    lake.delete(paths[1])
    lake.delete(paths[1])  # as in a repetition
    assert list(lake.paths()) == [paths[0], *paths[2:]]
    assert lake.read(paths[1]) is None


def test_a_file_that_is_not_there_is_none(lake: Lake) -> None:
    assert lake.read(PATH) is None


def test_a_folder_that_cannot_be_written_is_said_to_be_unavailable_and_nothing_is_left_in_it(tmp_path: Path) -> None:
    (tmp_path / "as_of=2026-01-02").write_text("a file where a folder should be")
    lake = FolderLake(tmp_path)
    with pytest.raises(LakeUnavailable):
        lake.write(PATH, b"content")
    with pytest.raises(LakeUnavailable):
        lake.read(PATH)
    assert [path.name for path in tmp_path.rglob("*")] == ["as_of=2026-01-02"]


def test_a_file_that_cannot_take_its_name_leaves_no_part(tmp_path: Path) -> None:
    (tmp_path / PATH / "in the way").mkdir(parents=True)
    with pytest.raises(LakeUnavailable):
        FolderLake(tmp_path).write(PATH, b"content")
    assert list(tmp_path.rglob("*.part")) == []


def test_blobs_have_the_paths_of_files(container: Container) -> None:
    BlobLake(container.url, Credential()).write(PATH, b"content")
    assert container.blobs == {PATH: b"content"}


@pytest.mark.parametrize("status", [500, 503])
def test_a_container_that_is_busy_keeps_nobody_waiting_for_long(
    container: Container, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    waited: list[float] = []
    monkeypatch.setattr(HttpTransport, "sleep", lambda _transport, seconds: waited.append(seconds))
    lake = BlobLake(container.url, Credential())
    lake.write(PATH, b"content")
    container.failing_with = status
    with pytest.raises(LakeUnavailable):
        lake.read(PATH)
    assert len(waited) == 2
    assert sum(waited) <= 10


def test_a_container_that_was_busy_for_a_moment_is_asked_again(
    container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    def recover(_transport: object, _seconds: float) -> None:
        container.failing_with = None

    monkeypatch.setattr(HttpTransport, "sleep", recover)
    container.failing_with = 503
    BlobLake(container.url, Credential()).write(PATH, b"content")
    assert container.blobs == {PATH: b"content"}


@pytest.mark.parametrize("status", [401, 403, 409])
def test_a_container_that_refuses_is_said_to_be_unavailable(container: Container, status: int) -> None:
    container.failing_with = status
    lake = BlobLake(container.url, Credential())
    with pytest.raises(LakeUnavailable):
        lake.write(PATH, b"content")
    with pytest.raises(LakeUnavailable):
        lake.read(PATH)
    assert container.blobs == {}
