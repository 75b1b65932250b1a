"""The data that the parts of the local host exchange: requests, answers, and the indexed functions."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """An HTTP request as the Functions host passes it to a worker: one value per name, header names in lower case.

    Without a body if the request has no length: the host passes on only announced bodies.
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
    """The number of retries of a failed invocation, and the seconds between them."""

    strategy: str
    max_retry_count: int
    delay_seconds: float


@dataclass(frozen=True, slots=True)
class FunctionInfo:
    """One indexed function: its bindings as in function.json, and its retry policy.

    ``function_id`` is the worker library's, the same in each worker.
    """

    name: str
    bindings: list[dict[str, Any]]
    retry_policy: RetryPolicy | None = None
    function_id: str = ""

    @property
    def trigger(self) -> dict[str, Any]:
        """Return the binding that starts the function; the SDK ensures that there is exactly one."""
        return next(binding for binding in self.bindings if binding["type"].endswith("Trigger"))

    @property
    def trigger_type(self) -> str:
        """Return the type of the trigger, for example ``httpTrigger``."""
        return str(self.trigger["type"])
