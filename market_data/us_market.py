"""What providers of US prices have in common: when a day is over, and the two ways to spell a class of shares."""

import re
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

NEW_YORK = ZoneInfo("America/New_York")

_SESSION_OVER_HOUR = 18
# BRK.B, BRK-B or BRK/B: one letter for the class. Longer endings name exchanges (TSCO.LON), units and warrants.
_SHARE_CLASS = re.compile(r"\A([A-Z]{1,5})[./-]([A-Z])\Z")


def last_complete_day(now: datetime) -> date:
    """Give the last day whose bar no longer changes: two hours after the close it is final."""
    local = now.astimezone(NEW_YORK)
    return local.date() if local.hour >= _SESSION_OVER_HOUR else local.date() - timedelta(days=1)


def spelled(symbols: Iterable[str], separator: str) -> dict[str, str]:
    """Give for each symbol how a provider spells it that writes classes of shares with ``separator``."""
    return {symbol: _SHARE_CLASS.sub(rf"\1{separator}\2", symbol) for symbol in symbols}
