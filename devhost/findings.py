"""What a look at an environment found."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """``good`` is None for what a person should know and decide for themselves."""

    subject: str
    good: bool | None
    text: str


def ok(subject: str, text: str) -> Finding:
    """Report what is as it should be."""
    return Finding(subject, good=True, text=text)


def missing(subject: str, text: str) -> Finding:
    """Report what is not, and what to do."""
    return Finding(subject, good=False, text=text)


def note(subject: str, text: str) -> Finding:
    """Report what may be meant so."""
    return Finding(subject, good=None, text=text)
