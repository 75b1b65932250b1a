"""The folder that keeps data between starts. It is its owner's alone: the servers in it ask for no password."""

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from devhost.errors import StartError

_OURS = {"mongodb", "redis", "timers"}
_OWNER_ONLY = 0o700
_OF_OTHERS = 0o077


def private_folder(path: Path) -> Path:
    """Return the folder, created if it does not exist, with no access for other users.

    A folder with nothing but our own data in it is closed to them. One that other programs use is left as it is.

    Raises:
        StartError: it is open to other users and holds something else, or cannot be used.
    """
    try:
        path.mkdir(mode=_OWNER_ONLY, parents=True, exist_ok=True)
        if stat.S_IMODE(path.stat().st_mode) & _OF_OTHERS:
            if not {entry.name for entry in path.iterdir()} <= _OURS:
                raise StartError(
                    f"DATA_DIR {path} is open to other users of this machine and holds other files: "
                    "name another folder, or run chmod 700 on it"
                )
            path.chmod(_OWNER_ONLY)
    except OSError as error:
        raise StartError(f"DATA_DIR {path} cannot be used: {error.strerror}") from None
    return path.resolve()


@contextmanager
def held(folder: Path | None) -> Iterator[None]:
    """Keep other starts out of the folder while the body runs; the lock ends with this process, however it ends.

    Raises:
        StartError: another start has it.
    """
    if folder is None:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise StartError(
            f"DATA_DIR {folder} is in use by another start: stop that one, or name another folder"
        ) from None
    finally:
        os.close(descriptor)
