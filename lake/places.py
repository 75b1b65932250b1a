"""The places of the lake: a folder, or in :mod:`lake.blobs` a container. Files have paths with slashes in either."""

import os
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from problems import Problem

_MODE = 0o640


class LakeUnavailable(Problem):
    """The lake, where older reports are, does not answer."""

    status, slug, title = 503, "lake-unavailable", "Lake unavailable"
    detail = "The store of older reports is unavailable. Try again."
    retry_after = 10


class Lake(Protocol):
    """A place of files."""

    def write(self, path: str, content: bytes) -> None:
        """Write a file as a whole, replacing an earlier one.

        Raises:
            LakeUnavailable: it is not written.
        """

    def read(self, path: str) -> bytes | None:
        """Return the content of a file, ``None`` if there is none.

        Raises:
            LakeUnavailable: it cannot be read now.
        """

    def paths(self) -> Iterable[str]:
        """Return the paths of all files.

        Raises:
            LakeUnavailable: they cannot be listed now.
        """

    def delete(self, path: str) -> None:
        """Delete a file; one that is not there is deleted already.

        Raises:
            LakeUnavailable: it is not deleted.
        """


class FolderLake:
    """The lake in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, path: str, content: bytes) -> None:
        """Write a file under another name first, so that no reader sees a part of it."""
        target = self._folder / path
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(prefix=".", suffix=".part", dir=target.parent)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                Path(name).chmod(_MODE)
                Path(name).replace(target)
            except BaseException:
                with suppress(OSError):
                    Path(name).unlink()
                raise
        except OSError as error:
            raise LakeUnavailable from error

    def read(self, path: str) -> bytes | None:
        """Return the content of a file, ``None`` if there is none."""
        try:
            return (self._folder / path).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise LakeUnavailable from error

    def paths(self) -> list[str]:
        """Return the paths of all files, those that are being written left out."""
        try:
            found = [path for path in self._folder.rglob("[!.]*") if path.is_file()]
        except OSError as error:
            raise LakeUnavailable from error
        return sorted(path.relative_to(self._folder).as_posix() for path in found)

    def delete(self, path: str) -> None:
        """Delete a file."""
        try:
            (self._folder / path).unlink(missing_ok=True)
        except OSError as error:
            raise LakeUnavailable from error
