"""The findings about an environment."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """``good`` is None for a fact that a person should know and decide about; ``change`` is the line to change."""

    subject: str
    good: bool | None
    text: str
    change: str = ""


def ok(subject: str, text: str) -> Finding:
    """Report a requirement that is met."""
    return Finding(subject, good=True, text=text)


def missing(subject: str, text: str, change: str = "") -> Finding:
    """Report a requirement that is not met, and the fix."""
    return Finding(subject, good=False, text=text, change=change)


def note(subject: str, text: str, change: str = "") -> Finding:
    """Report a fact that may be intended."""
    return Finding(subject, good=None, text=text, change=change)
