"""The local host's time limits for slow clients, and its answers on a timeout or refusal.

As in Kestrel, the web server of the Functions host: KestrelServerLimits.cs (keep-alive and head), TimeoutControl.cs
(checks once a second, so that 30 s become 31), Constants.cs (draining), Http1Connection.cs (408 for a head that does
not arrive).
"""

import asyncio
from enum import Enum
from http import HTTPStatus
from typing import Any, override

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from devhost.kestrel import KestrelConnection, Refused

MOST_CONNECTIONS = 500
IDLE_SECONDS = 130


class _WaitingFor(Enum):
    REQUEST = "the first byte of a request"
    HEAD = "the rest of a head"
    REST = "the rest of a body that is not wanted"


class PatientProtocol(H11Protocol):
    """uvicorn's HTTP, with Kestrel's refusals and its time limits, however steadily bytes arrive."""

    idle_seconds: float = IDLE_SECONDS
    head_seconds = 31.0
    drain_seconds = 5.0

    def __init__(self, *arguments: Any, **named_arguments: Any) -> None:  # noqa: ANN401 - as uvicorn has them
        super().__init__(*arguments, **named_arguments)
        self.conn: KestrelConnection = KestrelConnection()
        self._waiting_for: _WaitingFor | None = None
        self._timer: asyncio.TimerHandle | None = None

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as in uvicorn
        super().connection_made(transport)
        self._watch()

    @override
    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    @override
    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._wait_for(None)
        super().connection_lost(exc)

    @override
    def send_400_response(self, msg: str) -> None:
        if self.conn.our_state is h11.IDLE:
            self._refuse(self.conn.refused)
        elif self.cycle.response_complete:
            self.transport.close()
        else:  # a malformed chunk of an unread body: the answer is sent, and ends the connection
            self.cycle.keep_alive = False

    def _watch(self) -> None:
        if self.transport.is_closing():
            self._wait_for(None)
        elif self.conn.their_state is h11.IDLE:
            begun, _ = self.conn.trailing_data
            self._wait_for(_WaitingFor.HEAD if begun else _WaitingFor.REQUEST)
        elif self.conn.their_state is h11.SEND_BODY and self.cycle.response_complete:
            self._wait_for(_WaitingFor.REST)
        else:
            self._wait_for(None)

    def _wait_for(self, what: _WaitingFor | None) -> None:
        if what is self._waiting_for:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._waiting_for, self._timer = what, None
        match what:
            case _WaitingFor.REQUEST:
                self._timer = self.loop.call_later(self.idle_seconds, self.transport.close)
            case _WaitingFor.HEAD:
                late = Refused(HTTPStatus.REQUEST_TIMEOUT)
                self._timer = self.loop.call_later(self.head_seconds, self._refuse, late)
            case _WaitingFor.REST:
                self._timer = self.loop.call_later(self.drain_seconds, self.transport.abort)

    def _refuse(self, refused: Refused) -> None:
        headers = [*self.server_state.default_headers, (b"content-length", b"0"), (b"connection", b"close")]
        if refused.allow:
            headers.append((b"allow", refused.allow))
        answer = h11.Response(status_code=refused.status, headers=headers, reason=refused.status.phrase.encode())
        for event in (answer, h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
