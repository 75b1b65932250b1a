"""Shared by providers of US prices: the end of a trading day, and the two spellings of a share class."""

import re
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

NEW_YORK = ZoneInfo("America/New_York")

_SESSION_OVER_HOUR = 18
# BRK.B, BRK-B or BRK/B: one letter for the class. Longer endings name exchanges (TSCO.LON), units and warrants.
_SHARE_CLASS = re.compile(r"\A([A-Z]{1,5})[./-]([A-Z])\Z")


def last_complete_day(now: datetime) -> date:
    """Return the last day with a final bar: it is final two hours after the close."""
    local = now.astimezone(NEW_YORK)
    return local.date() if local.hour >= _SESSION_OVER_HOUR else local.date() - timedelta(days=1)


def spelled(symbols: Iterable[str], separator: str) -> dict[str, str]:
    """Return the provider's spelling of each symbol, with ``separator`` before the share class."""
    return {symbol: _SHARE_CLASS.sub(rf"\1{separator}\2", symbol) for symbol in symbols}
