"""The possible issues of a symbol's prices. Such prices are used, and the issues are shown beside the figures."""

from records import PriceIssue, PriceIssueKind, SymbolIssue

_SENTENCES: dict[PriceIssueKind, str] = {
    "duplicate_days": "The source gave more than one price for {days}: the last given counts.",
    "unordered_days": "The source gave {days}, out of order: they were sorted.",
    "missing_days": "There is no price for {days}: up to five in a row, the price before stands for them.",
    "jumps": "The adjusted price moved by more than 60 % on {days}: look for a split that was missed.",
    "no_volume": "Nothing was traded on {days}: the price may not be one that anybody would pay.",
    "behind_market": "There is no price yet for {days}: the last one known counts.",
    "renamed": "It is called {new_symbol}{since}: change the symbol where it is held or watched.",
    "delisted": "It is no longer traded{since}: the last price known counts as long as there is one.",
}


def symbol_issue(symbol: str, issue: PriceIssue) -> SymbolIssue:
    """Return the issue with its symbol and its sentence."""
    return SymbolIssue(symbol, issue.kind, issue.days, issue.first, issue.new_symbol, describe(issue))


def describe(issue: PriceIssue) -> str:
    """Return a sentence about an issue, with the action that was taken or is needed."""
    since = f" since {issue.first}" if issue.first else ""
    days = f"{issue.days} {'day' if issue.days == 1 else 'days'}{f', the first {issue.first}' if issue.first else ''}"
    return _SENTENCES[issue.kind].format(days=days, since=since, new_symbol=issue.new_symbol)
