"""What the host and its worker processes say to each other: MessagePack frames over a socket pair."""

import asyncio
from typing import Any

import msgspec

_LENGTH_BYTES = 4


class HttpRequest(msgspec.Struct, frozen=True, tag=True):
    """An HTTP request as the Functions host hands it to a worker: one value a name, header names in lower case."""

    method: str
    url: str
    headers: dict[str, str]
    query: dict[str, str]
    route: dict[str, str]
    body: bytes


class HttpResponse(msgspec.Struct, frozen=True, tag=True):
    """A function's answer; a header may occur several times (``Set-Cookie``)."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


class FunctionInfo(msgspec.Struct, frozen=True):
    """One indexed function: its name, its bindings as they would stand in function.json, and its retry policy."""

    name: str
    bindings: list[dict[str, Any]]
    retry_policy: dict[str, str] | None = None

    @property
    def trigger(self) -> dict[str, Any]:
        """The binding that starts the function; the SDK sees to it that there is exactly one."""
        return next(binding for binding in self.bindings if binding["type"].endswith("Trigger"))

    @property
    def trigger_type(self) -> str:
        """For example ``httpTrigger``."""
        return str(self.trigger["type"])


class LoadApp(msgspec.Struct, frozen=True, tag=True):
    """First message to a worker: import this app; ``durable_client`` is the binding data of durable clients."""

    app_dir: str
    durable_client: dict[str, str]
    threads: int | None
    verbose: bool


class AppLoaded(msgspec.Struct, frozen=True, tag=True):
    """The worker has imported the app and is ready."""

    functions: list[FunctionInfo]


class AppRefused(msgspec.Struct, frozen=True, tag=True):
    """The app could not be imported: the exception's last line, and all of it."""

    error: str
    stack: str


class Invoke(msgspec.Struct, frozen=True, tag=True):
    """Run a function. A trigger other than HTTP is text: JSON, or base64 for an orchestrator.

    ``traceparent`` is the trace that it belongs to, as W3C spells it; empty if none.
    """

    id: int
    function: str
    trigger: HttpRequest | str
    traceparent: str


class Succeeded(msgspec.Struct, frozen=True, tag=True):
    """The function returned; text is JSON, or base64 from an orchestrator."""

    id: int
    value: HttpResponse | str | None


class Failed(msgspec.Struct, frozen=True, tag=True):
    """The function raised."""

    id: int
    error_type: str
    message: str
    stack: str


type ToWorker = LoadApp | Invoke
type ToHost = AppLoaded | AppRefused | Succeeded | Failed

to_worker_decoder: msgspec.msgpack.Decoder[LoadApp | Invoke] = msgspec.msgpack.Decoder(LoadApp | Invoke)
to_host_decoder: msgspec.msgpack.Decoder[AppLoaded | AppRefused | Succeeded | Failed] = msgspec.msgpack.Decoder(
    AppLoaded | AppRefused | Succeeded | Failed
)
_encoder = msgspec.msgpack.Encoder()


def send(writer: asyncio.StreamWriter, message: ToWorker | ToHost) -> None:
    """Queue one message; the peer's death shows on the reading side."""
    frame = _encoder.encode(message)
    writer.write(len(frame).to_bytes(_LENGTH_BYTES) + frame)


async def receive[Message](reader: asyncio.StreamReader, decoder: msgspec.msgpack.Decoder[Message]) -> Message | None:
    """The next message, or None when the peer has closed the connection or died."""
    try:
        length = int.from_bytes(await reader.readexactly(_LENGTH_BYTES))
        return decoder.decode(await reader.readexactly(length))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
