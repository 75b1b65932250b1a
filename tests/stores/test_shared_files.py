"""Files that the processes of an instance share, with real processes: what is read is whole, whatever died before."""

import multiprocessing
import os
import signal
import tempfile
import time
from collections.abc import Iterator
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import pytest

from stores.shared_files import TempFolderUnusable, discard, shared_file, shared_folder

if TYPE_CHECKING:
    from multiprocessing.queues import SimpleQueue

CONTENT = b"x" * 300_000
PROCESSES = multiprocessing.get_context("spawn")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Set a temp folder of their own for the test and the processes that it starts."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    yield shared_folder()
    tempfile.tempdir = None


def read(path: Path) -> bytes | None:
    """Return the content of a file that is whole."""
    found = path.read_bytes() if path.exists() else b""
    return found if found == CONTENT else None


def write(file: BinaryIO) -> None:
    file.write(CONTENT)


def take_together(ready: Event, writers: "SimpleQueue[int]") -> None:
    """Take the file when all are ready, and tell of having written it."""

    def tell(file: BinaryIO) -> None:
        writers.put(os.getpid())
        file.writelines(CONTENT[start : start + 1_000] for start in range(0, len(CONTENT), 1_000))

    ready.wait()
    assert shared_file("a", read, tell) == CONTENT


def die_while_writing(written: Event) -> None:
    def stop(file: BinaryIO) -> None:
        file.write(CONTENT[:100_000])
        file.flush()
        written.set()
        time.sleep(60)

    shared_file("a", read, stop)


def test_of_processes_that_need_a_file_at_once_one_writes_it_and_the_others_wait() -> None:
    ready, writers = PROCESSES.Event(), PROCESSES.SimpleQueue()
    started = [PROCESSES.Process(target=take_together, args=(ready, writers)) for _ in range(3)]
    for process in started:
        process.start()
    ready.set()
    for process in started:
        process.join()
    assert [process.exitcode for process in started] == [0] * 3
    assert writers.get() in {process.pid for process in started}
    assert writers.empty()


def test_a_process_killed_while_writing_leaves_the_next_one_a_clean_start(folder: Path) -> None:
    written = PROCESSES.Event()
    killed = PROCESSES.Process(target=die_while_writing, args=(written,))
    killed.start()
    written.wait()
    assert not (folder / "a").exists()
    os.kill(killed.pid or 0, signal.SIGKILL)
    killed.join()
    left = sorted(path.name for path in folder.iterdir())
    assert left == ["a.unfinished", "lock"]

    assert shared_file("a", read, write) == CONTENT
    assert sorted(path.name for path in folder.iterdir()) == ["a", "lock"]


def test_an_error_while_writing_leaves_nothing(folder: Path) -> None:
    def fail(file: BinaryIO) -> None:
        file.write(CONTENT)
        raise LookupError("the run is over")

    with pytest.raises(LookupError):
        shared_file("a", read, fail)
    assert [path.name for path in folder.iterdir()] == ["lock"]


@pytest.mark.parametrize("damaged", [CONTENT[:-1], b"", b"of another program"])
def test_a_file_that_cannot_be_read_is_written_again(folder: Path, damaged: bytes) -> None:
    (folder / "a").write_bytes(damaged)
    assert shared_file("a", read, write) == CONTENT


def test_the_file_of_the_run_before_is_deleted_before_the_next_one_is_written(folder: Path) -> None:
    shared_file("a", read, write)

    def look(file: BinaryIO) -> None:
        assert not (folder / "a").exists()
        write(file)

    shared_file("b", read, look)
    discard("b")
    discard("b")
    assert [path.name for path in folder.iterdir()] == ["lock"]


def test_others_cannot_read_the_files(folder: Path) -> None:
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o755)
    with pytest.raises(TempFolderUnusable, match="others can use it"):
        shared_folder()


def test_a_link_in_place_of_the_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    folder.rmdir()
    folder.symlink_to(tmp_path)
    with pytest.raises(TempFolderUnusable, match="belongs to another user"):
        shared_file("a", read, write)


def test_a_name_cannot_lead_out_of_the_folder() -> None:
    with pytest.raises(ValueError, match="outside"):
        shared_file("../outside", read, write)


def test_a_full_disk_is_named(folder: Path) -> None:
    def full(_file: BinaryIO) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(TempFolderUnusable, match="No space left on device"):
        shared_file("a", read, full)
    assert [path.name for path in folder.iterdir()] == ["lock"]
