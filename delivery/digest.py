"""The digest of a night: one message for operators about what has changed in the book, as text and as HTML.

It has ids and figures, never names; a mail service sends the bodies as they are.
"""

from collections.abc import Iterator, Sequence
from html import escape

from msgspec import Struct

from delivery.exports.words import RULES
from records import Attention, Book, RuleOfBook

_WHY = {
    "failed": "the analysis failed",
    "incomplete": "the valuation is incomplete",
    "new_breach": "newly in breach of {rule}",
    "breach": "in breach of {rule}",
}


class Digest(Struct, frozen=True):
    """A message: its subject, and its body as text and as HTML."""

    subject: str
    text: str
    html: str


def digest_of(book: Book) -> Digest:
    """Return the digest of a night."""
    new, recovered = sum(own.new_breaches for own in book.checks), sum(own.recovered for own in book.checks)
    subject = f"Portfolio analysis as of {book.as_of}: {new} new breaches, {recovered} recovered, {book.failed} failed"
    figures = list(_figures(book))
    rules = [own for own in book.checks if own.new_breaches or own.recovered or own.breach or own.warning]
    text = [
        subject,
        "",
        *(f"{name}: {value}" for name, value in figures),
        "",
        "Rules (in breach, in warning, new breaches, recovered):",
        *([f"- {_label(own.rule)}: {', '.join(_counts(own))}" for own in rules] or ["- none beyond a threshold"]),
        "",
        "First to look at:",
        *([f"- {one.user_id}: {_reason(one)}" for one in book.attention] or ["- nobody"]),
    ]
    return Digest(subject, "\n".join(text) + "\n", _html(subject, figures, rules, book.attention))


def _figures(book: Book) -> Iterator[tuple[str, str]]:
    yield "Run", book.run_id
    yield "Total value", f"{book.total_value:,.2f} {book.currency}"
    yield "People analyzed", f"{book.people:,}"
    yield "Failed", f"{book.failed:,}"
    yield "Incomplete valuations", f"{book.incomplete:,}"
    if book.unconverted:
        yield "Not in the total, for lack of a rate", f"{book.unconverted:,}"
    yield "Newest price", "none" if book.newest_price is None else book.newest_price.isoformat()


def _html(
    subject: str, figures: list[tuple[str, str]], rules: list[RuleOfBook], attention: tuple[Attention, ...]
) -> str:
    head = ("Rule", "In breach", "In warning", "New breaches", "Recovered")
    of_rules = _table([(_label(own.rule), *_counts(own)) for own in rules], head)
    people = _table([(one.user_id, _reason(one)) for one in attention])
    return "".join(
        (
            f"<!doctype html><html lang=en><head><meta charset=utf-8><title>{escape(subject)}</title></head><body>",
            f"<h1>{escape(subject)}</h1>",
            _table(figures),
            f"<h2>Rules</h2>{of_rules if rules else '<p>None beyond a threshold.'}",
            f"<h2>First to look at</h2>{people if attention else '<p>Nobody.'}",
            "</body></html>",
        )
    )


def _table(rows: Sequence[tuple[str, ...]], head: tuple[str, ...] = ()) -> str:
    first = f"<tr>{''.join(f'<th scope=col>{escape(cell)}' for cell in head)}" if head else ""
    lines = (
        f"<tr><th scope=row>{escape(name)}{''.join(f'<td>{escape(cell)}' for cell in cells)}" for name, *cells in rows
    )
    return f"<table>{first}{''.join(lines)}</table>"


def _counts(own: RuleOfBook) -> tuple[str, ...]:
    return tuple(f"{count:,}" for count in (own.breach, own.warning, own.new_breaches, own.recovered))


def _label(rule: str) -> str:
    return RULES.get(rule, rule)


def _reason(one: Attention) -> str:
    since = "" if one.since is None else f", since {one.since}"
    return _WHY[one.why].format(rule=_label(one.rule or "")) + since
