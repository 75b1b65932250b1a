"""Patterns of secrets in files and logs."""

import math
import re
from collections import Counter
from collections.abc import Iterator

CERTAIN = {
    "private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    "token": re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"),
    "URL with a password": re.compile(r"\b[a-z][a-z+]{1,20}://[^\s:/@\"'{}<>]*:(?!\*)[^\s/@\"'{}<>]+@[\w\[]"),
    "storage or bus key": re.compile(
        r"(?:AccountKey|SharedAccessKey|SharedAccessSignature|[?&]sig)=[A-Za-z0-9+/%]{16,}"
    ),
    "token of a host of code or cloud": re.compile(
        r"\b(?:gh[pousr]_[A-Za-z0-9]{30,}|AKIA[A-Z0-9]{16}|xox[abp]-\S{10,})"
    ),
}
_ASSIGNED = re.compile(
    r"(?i)\b[\w-]*(?:secret|password|passwd|token|api_?key|private_?key)[\w-]*[\"']?\s*[:=]\s*"
    r"[\"']?([A-Za-z0-9+/_=.-]{16,})"
)
_BITS_A_CHARACTER = 3.6
"""Joined words have about 3 to 3.5 bits, random text of 20 characters in base 64 about 4.2 on average."""


def certain_secrets(text: str) -> Iterator[tuple[str, str]]:
    """Yield the kind and the text of everything that can only be a secret."""
    for kind, pattern in CERTAIN.items():
        for found in pattern.finditer(text):
            yield kind, found[0]


def possible_secrets(text: str) -> Iterator[tuple[str, str]]:
    """Yield the certain secrets, and random-looking values with the name of a secret."""
    yield from certain_secrets(text)
    for found in _ASSIGNED.finditer(text):
        if _bits(found[1]) > _BITS_A_CHARACTER and any(character.isdigit() for character in found[1]):
            yield "random value of a secret's name", found[0]


def _bits(text: str) -> float:
    counts = Counter(text)
    return -sum(count / len(text) * math.log2(count / len(text)) for count in counts.values())
