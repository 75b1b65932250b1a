"""FunctionRpc messages between the host and its worker processes: frames over a socket pair, where Azure has gRPC."""

import asyncio
from typing import Any

_LENGTH_BYTES = 4


def send(writer: asyncio.StreamWriter, message: Any) -> None:  # noqa: ANN401 - generated, without types
    """Queue one ``StreamingMessage``; the peer's death shows on the reading side."""
    frame = message.SerializeToString()
    writer.write(len(frame).to_bytes(_LENGTH_BYTES) + frame)


async def receive(reader: asyncio.StreamReader, kind: Any) -> Any:  # noqa: ANN401 - generated, without types
    """Return the next message as a ``kind``, or None when the peer has closed the connection or died."""
    try:
        length = int.from_bytes(await reader.readexactly(_LENGTH_BYTES))
        return kind.FromString(await reader.readexactly(length))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
