"""Reports as they are stored: the JSON of the API in one compressed value, without the research of symbols.

The research of a symbol is the same in every report of a run, so it is stored once, and joined when a report is read.
It takes the place of a member that is always null in the stored JSON, so a report is encoded once and never again: the
database, the lake and the API have the same digits.

Zstandard (RFC 8878) with a dictionary, which holds what all reports have in common: a report takes two thirds of its
size without one. A compressed value names its dictionary, so all that ever were in use stay here.
"""

import functools
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
import zstandard
from msgspec import Struct

from analysis.models import Report

_FOLDER = Path(__file__).parent / "report_dictionaries"
_CURRENT = "schema-2.zdict"
_LEVEL = 1  # level 3 saves 1 % for twice the time
_SHORTEST_MATCH = 7  # the level's own of 6 takes 6 % longer and 2 % more bytes: digits match by chance
_LARGEST_REPORT = 2**28
# No text contains it: quotation marks inside text are escaped.
_PLACE = b'"research":null'
_FILLED = b'"research":'

_encoder = msgspec.json.Encoder()


class _Holding(Struct):
    symbol: str


class _Holdings(Struct):
    holdings: list[_Holding]


_holdings = msgspec.json.Decoder(_Holdings)


def encoder() -> Callable[[Report], bytes]:
    """Return a function that gives the JSON of a report, with null for the research of its holdings.

    It is for one thread, since its reports share a buffer: that grows once, not with each of them.
    """
    buffer = bytearray()

    def encode(report: Report) -> bytes:
        _encoder.encode_into(report, buffer)
        return bytes(buffer)

    return encode


def compressor() -> Callable[[bytes], bytes]:
    """Return a function that compresses the JSON of reports, for one thread."""
    return zstandard.ZstdCompressor(level=_LEVEL, dict_data=_current()).compress


def decompressed(value: bytes) -> bytes:
    """Return the JSON of a stored report.

    Raises:
        ValueError: it is none, or of a dictionary that this version of the app does not have.
    """
    try:
        known = _dictionaries().get(zstandard.get_frame_parameters(value).dict_id)
        return zstandard.ZstdDecompressor(dict_data=known).decompress(value, max_output_size=_LARGEST_REPORT)
    except zstandard.ZstdError as error:
        raise ValueError(f"a stored report cannot be read: {error}") from None


def held_symbols(report: bytes) -> list[str]:
    """Return the symbols of the holdings in the JSON of a report, in their order."""
    return [holding.symbol for holding in _holdings.decode(report).holdings]


def joined(report: bytes, research: Mapping[str, bytes]) -> bytes:
    """Return the JSON of a report with the ``research`` of its holdings, which is JSON by symbol."""
    parts = report.split(_PLACE)
    places = [_FILLED + research.get(symbol, b"null") for symbol in held_symbols(report)]
    return b"".join(piece for pair in zip(parts, [*places, b""], strict=True) for piece in pair)


@functools.cache
def _dictionaries() -> dict[int, zstandard.ZstdCompressionDict]:
    """Return the dictionaries by their ids."""
    known = (zstandard.ZstdCompressionDict(path.read_bytes()) for path in sorted(_FOLDER.glob("*.zdict")))
    return {one.dict_id(): one for one in known}


@functools.cache
def _current() -> zstandard.ZstdCompressionDict:
    known = zstandard.ZstdCompressionDict((_FOLDER / _CURRENT).read_bytes())
    parameters = zstandard.ZstdCompressionParameters.from_level(_LEVEL, dict_size=len(known), min_match=_SHORTEST_MATCH)
    known.precompute_compress(compression_params=parameters)
    return known
