"""Files in the temp folder of an instance that its processes share: made once, read by all, gone with their run."""

import fcntl
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

_LOCK, _UNFINISHED = "lock", ".unfinished"


class TempFolderUnusable(Exception):
    """The folder in the temp folder is not ours alone, or cannot be written; the message says why."""


def symbols_file(plan_id: str) -> str:
    """Return the name of the file with the prepared symbols of a run."""
    return f"{plan_id}.symbols"


def shared_folder() -> Path:
    """Return the folder of shared files, made if there is none.

    Raises:
        TempFolderUnusable: it is not a folder of this user that others cannot use, or cannot be made.
    """
    folder = Path(tempfile.gettempdir()) / f"portfolio-analysis-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise TempFolderUnusable(f"The temp folder cannot be used: {error.strerror}.") from error
    # Another user of the machine could have made it first.
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise TempFolderUnusable(f"{folder} belongs to another user, or others can use it.")
    return folder


def shared_file[Content](
    name: str, read: Callable[[Path], Content | None], write: Callable[[BinaryIO], object]
) -> Content:
    """Return what ``read`` makes of a file; if it makes nothing of it, the file is written first.

    Of several processes one writes, the others wait for it. All other files are deleted before: they are of earlier
    runs, or of a process that died while writing, and the disk may not have room for two.

    Raises:
        TempFolderUnusable: the folder is not ours alone, or has no room.
    """
    folder = shared_folder()
    path = folder / name
    if path.parent != folder:
        raise ValueError(name)
    if (content := read(path)) is not None:
        return content
    with _locked(folder):
        if (content := read(path)) is not None:
            return content
        for other in folder.iterdir():
            if other.name != _LOCK:
                other.unlink(missing_ok=True)
        unfinished = folder / (name + _UNFINISHED)
        try:
            _write(unfinished, write)
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
        content = read(path)
    if content is None:
        raise RuntimeError(f"{name} cannot be read as it was written")
    return content


def discard(name: str) -> None:
    """Delete a file, if there is one."""
    with suppress(TempFolderUnusable, OSError):
        (shared_folder() / name).unlink(missing_ok=True)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock during the body; the system releases that of a process that dies."""
    lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _write(path: Path, write: Callable[[BinaryIO], object]) -> None:
    try:
        with path.open("xb") as file:
            write(file)
    except OSError as error:
        raise TempFolderUnusable(f"The temp folder cannot be written: {error.strerror}.") from error
