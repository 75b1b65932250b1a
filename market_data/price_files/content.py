"""The content of a price file: its bytes, bounded, and the text in them."""

import codecs
import gzip
import io
import os
import struct
import zipfile
import zlib
from io import BufferedReader
from pathlib import Path
from typing import NamedTuple

from market_data.price_files.faults import PriceFileFault

MOST_BYTES = 64 * 2**20
"""The largest content: the cells of a table of that size still fit into the memory of a worker."""

_HEAD_BYTES = 2**16
_CONTROL_CHARACTERS = bytes({*range(32), 127} - set(b"\t\r\n"))


class State(NamedTuple):
    """A state of a file: its content is the same while its state is."""

    modified_ns: int
    size: int

    @classmethod
    def of(cls, file: Path | int) -> "State":
        """Return the state of a file, by its path or its descriptor."""
        status = os.stat(file)  # noqa: PTH116 - a path or a descriptor
        return cls(status.st_mtime_ns, status.st_size)


def text_of_file(path: Path, state: State) -> str:
    """Return the text of the file, which is in this state.

    Raises:
        PriceFileFault: the file is too large or no text, or its state is another one before or after reading.
    """
    if state.size > MOST_BYTES:
        raise _too_large("it is")
    with path.open("rb") as file:
        before = State.of(file.fileno())
        content = _read(file, path, MOST_BYTES + 1)
        if not before == State.of(file.fileno()) == state:
            raise PriceFileFault("it changed while it was read: start again when it is complete")
    if len(content) > MOST_BYTES:
        raise _too_large("uncompressed it is")
    return text_of(content)


def head_of_file(path: Path) -> str:
    """Return the beginning of the text of the file; its last line may be incomplete.

    Raises:
        PriceFileFault: it is no text.
    """
    with path.open("rb") as file:
        head = _read(file, path, _HEAD_BYTES)
        if b"\n" not in head and b"\r" not in head:  # the header of thousands of symbols
            file.seek(0)
            head = _read(file, path, MOST_BYTES)
    return text_of(head, whole=False)


def _too_large(subject: str) -> PriceFileFault:
    return PriceFileFault(f"{subject} larger than {MOST_BYTES >> 20} MB: divide it into one file per symbol")


def _read(file: BufferedReader, path: Path, most: int) -> bytes:
    if path.suffix.lower() == ".zip":
        return _read_zipped(file, most)
    if path.suffix.lower() != ".gz":
        return file.read(most)
    try:
        with gzip.GzipFile(fileobj=file) as decompressed:
            return decompressed.read(most)
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise PriceFileFault(f"it is not a complete gzip file: {error}") from None


def _read_zipped(file: BufferedReader, most: int) -> bytes:
    """Return the content of the only file in a zip file, up to ``most`` bytes, as much as it claims to have."""
    try:
        # From memory: seeking to a damaged offset of a file raises the errors of a disk.
        with zipfile.ZipFile(io.BytesIO(file.read())) as archive:
            names = archive.namelist()
            if len(names) != 1 or not names[0].lower().endswith(".csv"):
                raise PriceFileFault(f"it has {len(names)} files, and should have one CSV file and nothing else")
            with archive.open(names[0]) as member:
                return member.read(most)
    # Its reader raises all of these for damaged and encrypted files.
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, RuntimeError, struct.error) as error:
        raise PriceFileFault(f"it is not a complete zip file: {error}") from None


def text_of(content: bytes, *, whole: bool = True) -> str:
    """Return the text in ``content``: in UTF-16 with a byte order mark, UTF-8 or Windows-1252.

    The last character may be incomplete if the content is not the ``whole`` one.

    Raises:
        PriceFileFault: it is no text.
    """
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encodings = ["utf-16"]
    else:
        encodings = ["utf-8-sig", "cp1252"]
    for encoding in encodings:
        try:
            text = codecs.getincrementaldecoder(encoding)().decode(content, final=whole)
        except UnicodeDecodeError:
            continue
        if (plain := text.encode()) == plain.translate(None, delete=_CONTROL_CHARACTERS):
            return text
        break
    raise PriceFileFault("it is not text in UTF-8, UTF-16 or Windows-1252: save a workbook as CSV first")
