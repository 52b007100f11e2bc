"""Connections: one that does not send the head of a request in time, or sends a body that nobody reads, is closed."""

import asyncio
import json
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from orchestration.service.problems import MEDIA_TYPE, ProblemAnswer

_HEAD_S = 30.0
_MALFORMED = ProblemAnswer(
    title="Bad Request",
    status=400,
    detail="this is not an HTTP request, or its head is larger than 64 kB",
    hint="shorten the query and the headers",
)


class Patient(H11Protocol):
    """Speak HTTP/1.1, and close a connection that keeps it waiting longer than `head_s` seconds, of the application's state."""

    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for the first head."""
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Take data, and wait for the rest of a head that it begins."""
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._unwatch()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """End the connection if the body of the request is still arriving, which nobody reads any more."""
        super().on_response_complete()
        if self.conn.their_state is h11.SEND_BODY and not self.transport.is_closing():
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP with a problem."""
        body = json.dumps(_MALFORMED.model_dump()).encode()
        headers = [
            (b"content-type", MEDIA_TYPE.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
        ]
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            for event in (
                h11.Response(status_code=400, headers=headers, reason=b"Bad Request"),
                h11.Data(data=body),
                h11.EndOfMessage(),
            ):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _watch(self) -> None:
        """Wait for a head from its first byte on, or from the beginning of the connection."""
        is_answering = self.cycle is not None and not self.cycle.response_complete
        if is_answering:
            self._unwatch()
        elif self._timer is None:
            self._timer = self.loop.call_later(self.app_state.get("head_s", _HEAD_S), self._close)

    def _unwatch(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _close(self) -> None:
        self._timer = None
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()
