"""A receiver of events that does as little as possible, in a process of its own: it counts them and their ids.

``python -m benchmarks.events_receiver`` prints its port. A GET is answered with the numbers of requests and of ids.
"""

import asyncio
import json
import sys

_TAKEN = b"HTTP/1.1 204 No Content\r\n\r\n"
_ID = b"webhook-id:"


class _Counts:
    def __init__(self) -> None:
        self.requests = 0
        self.ids: set[bytes] = set()


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, counts: _Counts) -> None:
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            if head.startswith(b"GET"):
                body = json.dumps({"requests": counts.requests, "ids": len(counts.ids)}).encode()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
                continue
            fields = dict(line.lower().split(b":", 1) for line in head.split(b"\r\n")[1:-2])
            await reader.readexactly(int(fields[b"content-length"]))
            counts.requests += 1
            counts.ids.add(fields.get(b"webhook-id", b""))
            writer.write(_TAKEN)
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def _main() -> None:
    counts = _Counts()
    server = await asyncio.start_server(lambda reader, writer: _serve(reader, writer, counts), "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main())
