"""Request bodies, with the size and time limits of the Functions host.

As in Kestrel: Http1ContentLengthMessageBody.cs (a length above the limit is refused unread), KestrelServerLimits.cs and
TimeoutControl.cs (240 bytes a second on average, after the first 5 s). Either raises an exception in the reader of the
body, for which ExceptionMiddleware.cs answers 500.
"""

import asyncio

from starlette.requests import Request

GRACE_SECONDS = 5.0
_BYTES_A_SECOND = 240


class UnreadableBodyError(Exception):
    """The body is too long or too slow; the connection cannot be used any more."""


async def read_body(request: Request, length: int | None, limit: int, grace_seconds: float) -> bytes:
    """Return the body, of ``length`` bytes or, if that is None, up to its end.

    Raises:
        UnreadableBodyError: it is longer than ``limit``, or does not arrive in time.
    """
    if length is not None and length > limit:
        raise UnreadableBodyError(f"a body of {length} bytes is over the limit of {limit}")
    body = bytearray()
    chunks = request.stream()
    started = asyncio.get_running_loop().time()
    while len(body) != length:
        try:
            async with asyncio.timeout_at(started + max(grace_seconds, len(body) / _BYTES_A_SECOND)):
                chunk = await anext(chunks, b"")
        except TimeoutError:
            raise UnreadableBodyError(f"a body comes too slowly, {len(body)} bytes so far") from None
        if not chunk:
            break
        body += chunk
        if len(body) > limit:
            raise UnreadableBodyError(f"a body is over the limit of {limit} bytes")
    return bytes(body)
