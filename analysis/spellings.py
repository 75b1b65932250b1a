"""The spellings of one share: BRK.B, BRK-B, BRK/B and BRK B."""

import re

SEPARATORS = ".-/ "

# One letter for the class. Longer endings name exchanges (TSCO.LON), units and warrants.
_SHARE_CLASS = re.compile(rf"([A-Z]{{1,5}})[{re.escape(SEPARATORS)}]([A-Z])")


def respelled(symbol: str, separator: str) -> str:
    """Return ``symbol`` with this character before the class of the share, if it has one."""
    share = _SHARE_CLASS.fullmatch(symbol)
    return symbol if share is None else f"{share[1]}{separator}{share[2]}"


def spellings(symbol: str) -> tuple[str, ...]:
    """Return all spellings of a share; only one if it has no class."""
    return tuple(dict.fromkeys(respelled(symbol, separator) for separator in SEPARATORS))
