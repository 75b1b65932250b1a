"""The interface of a durable engine: the SDK's in-memory engine, unless another is named."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from devhost.messages import FunctionInfo

type Invoke = Callable[[str, str, str], Awaitable[Any]]
"""Runs a function by its name with the text of its trigger and a traceparent, and returns the text of its result."""


class Engine(Protocol):
    """A durable engine: keeps orchestrations, and runs functions for them."""

    def client_binding(self) -> str:
        """Return the binding data of durable clients, JSON with ``rpcBaseUrl``; requested at each invocation."""
        ...

    async def ready(self) -> None:
        """Wait until durable clients are served, which requires ``run``."""
        ...

    async def run(self, functions: Sequence[FunctionInfo], invoke: Invoke) -> None:
        """Run orchestrations with these functions until canceled."""
        ...
