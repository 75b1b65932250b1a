"""The errors that a caller is told about, each with its problem document (RFC 9457)."""

from typing import Any, ClassVar, Self

A_RUN = "run_20260102_010000_ab12"
"""The run in examples."""


class Problem(Exception):
    """An error that is answered with a document: its status, the end of its ``type``, its title and its detail.

    A subclass is one kind of error. ``detail`` is one sentence a person can act on; ``retry_after`` is the number of
    seconds after which another attempt makes sense.
    """

    status: ClassVar[int]
    slug: ClassVar[str]
    title: ClassVar[str]
    detail: str = ""
    retry_after: int | None = None
    arguments_of_example: ClassVar[tuple[Any, ...]] = ()

    def __init__(self, detail: str = "", **members: str) -> None:
        self.detail = detail or self.detail
        self.members = members
        super().__init__(self.detail)

    @classmethod
    def example(cls) -> Self:
        """Return an error of this kind, for the description of the API."""
        return cls(*cls.arguments_of_example)

    @property
    def headers(self) -> dict[str, str]:
        """Return the headers of the answer."""
        return {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}

    def document(self) -> dict[str, object]:
        """Return the problem document."""
        return {
            **self.members,
            "type": f"urn:portfolio-analysis:problem:{self.slug}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
        }


class InvalidMember(Problem):
    """A member of a body, query, header or path breaks a rule."""

    status, slug, title = 422, "invalid-member", "Invalid request"
    arguments_of_example: ClassVar[tuple[Any, ...]] = ("limit", "expected `int` <= 100")

    def __init__(self, member: str, rule: str) -> None:
        super().__init__(f"{member}: {rule}.", member=member)
        self.member = member
        self.rule = rule
