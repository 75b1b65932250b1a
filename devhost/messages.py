"""What the parts of the local host hand to each other: requests, answers, and the functions that were indexed."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """An HTTP request as the Functions host hands it to a worker: one value a name, header names in lower case.

    Without a body where it gave no length: the host hands over only what was announced.
    """

    method: str
    url: str
    headers: dict[str, str] = field(default_factory=dict)
    query: dict[str, str] = field(default_factory=dict)
    route: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A function's answer; a header may occur several times (``Set-Cookie``)."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often an invocation that failed is repeated, and after how many seconds."""

    strategy: str
    max_retry_count: int
    delay_seconds: float


@dataclass(frozen=True, slots=True)
class FunctionInfo:
    """One indexed function: its bindings as they would stand in function.json, and its retry policy.

    ``function_id`` is the worker library's, the same in each worker.
    """

    name: str
    bindings: list[dict[str, Any]]
    retry_policy: RetryPolicy | None = None
    function_id: str = ""

    @property
    def trigger(self) -> dict[str, Any]:
        """The binding that starts the function; the SDK sees to it that there is exactly one."""
        return next(binding for binding in self.bindings if binding["type"].endswith("Trigger"))

    @property
    def trigger_type(self) -> str:
        """For example ``httpTrigger``."""
        return str(self.trigger["type"])
