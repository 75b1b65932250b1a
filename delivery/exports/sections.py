"""The content of a report, the same for every form of file: sections with columns, rows and cells."""

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from delivery.exports.digits import NONE, Format, day

type Json = Mapping[str, Any]
type Raw = str | float | int | bool | None

# What no file may contain: controls, what cannot be encoded, and what changes the direction of the text around it.
_UNWANTED = frozenset({"Cc", "Cs", "Cn", "Co"})
_DIRECTIONS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class Cell(NamedTuple):
    """A value as the JSON has it, and as a reader is shown it."""

    value: Raw
    shown: str


class Column(NamedTuple):
    """A column; one that is not ``printed`` is only in files of data."""

    label: str
    numeric: bool = False
    printed: bool = True
    wide: bool = False
    """Whether it holds sentences."""


@dataclass(frozen=True, slots=True)
class Section:
    """A table with a title; one that is not ``printed`` is only in files of data."""

    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    note: str = ""
    printed: bool = True


@dataclass(frozen=True, slots=True)
class Document:
    """A report: its title, the day it is of, and its sections."""

    title: str
    as_of: str
    sections: Sequence[Section]


def text(value: str | None, shown: str | None = None) -> Cell:
    """Return a cell with text, shown as it is if nothing else is to be ``shown``."""
    return Cell(value, (NONE if value is None else value) if shown is None else shown)


def number(value: float | None, form: Format) -> Cell:
    """Return a cell with a number."""
    return Cell(value, form(value))


def on(value: str | None) -> Cell:
    """Return a cell with a date."""
    return Cell(value, day(value))


def facts(title: str, rows: Sequence[tuple[str, Cell]], note: str = "") -> Section:
    """Return a section of figures with their labels."""
    columns = [Column("Figure"), Column("Value", numeric=True)]
    return Section(title, columns, [[text(label), cell] for label, cell in rows], note)


def sentences(title: str, found: Sequence[str]) -> list[Section]:
    """Return a section of sentences, none if there are none."""
    return [Section(title, [Column(title, wide=True)], [[text(sentence)] for sentence in found])] if found else []


def figures_of(record: Json, figures: Sequence[tuple[str, str, Callable[[Any], Cell]]]) -> list[tuple[str, Cell]]:
    """Return the labels and cells of members of a record, given as label, name and the maker of the cell."""
    return [(label, cell(record.get(name))) for label, name, cell in figures]


def clean(value: str) -> str:
    """Return text without characters that cannot be shown, or that change the direction of the text around them."""
    if value.isascii() and value.isprintable():
        return value
    kept = (" " if letter in "\t\n\r" else letter for letter in unicodedata.normalize("NFC", value))
    return "".join(
        letter for letter in kept if letter not in _DIRECTIONS and unicodedata.category(letter) not in _UNWANTED
    )


def shortened(value: str, most: int) -> str:
    """Return text of at most so many characters."""
    return value if len(value) <= most else value[: most - 1] + "…"
