"""The log: a line of JSON for each request, with its id; neither headers nor the query of an address are written."""

import re
import time
import traceback
from contextlib import suppress
from typing import Any
from uuid import uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orchestration.service.metrics import Metrics
from orchestration.service.problems import CLOSE, problem

HEADER = "x-request-id"
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_MOST_CHARS = 200
_GONE = 499  # the status of a request whose client went away before the answer


class Log:
    """Write events as lines of JSON to standard output."""

    def __init__(self) -> None:
        self._logger = structlog.wrap_logger(
            structlog.PrintLogger(),  # writes to standard output as it is at each line
            processors=[
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.JSONRenderer(),
            ],
        )

    def __call__(self, event: str, **values: Any) -> None:
        """Write an event; a reader that has gone away does no harm."""
        with suppress(BrokenPipeError, ValueError):
            self._logger.info(event, **values)


class RequestLog:
    """Give each request an id, and write and count how it ended."""

    def __init__(self, app: ASGIApp, log: Log, metrics: Metrics) -> None:
        self._app, self._log, self._metrics = app, log, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, whose answer names its id in the header X-Request-ID."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        sent_id = Headers(scope=scope).get(HEADER, "")
        request_id = sent_id if _ID.fullmatch(sent_id) else uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        began, status, sent = time.perf_counter(), _GONE, 0

        async def noted(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[HEADER] = request_id
            sent += len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, receive, noted)
        except Exception as error:  # noqa: BLE001 an answer tells of it, and the log where
            self._log("failure", id=request_id, error=type(error).__name__, traceback=traceback.format_exception(error))
            if status == _GONE:
                fault, hint = "this is a fault of Stockroom", "the log of the service tells where, by the request's id"
                answer = problem(Request(scope), 500, fault, hint, headers=CLOSE)
                await answer(scope, receive, noted)
        finally:
            seconds = time.perf_counter() - began
            route = getattr(scope.get("route"), "path", "") or "other"
            self._metrics.request(route, scope["method"], status, seconds)
            self._log(
                "request",
                id=request_id,
                method=scope["method"],
                path=scope["path"][:_MOST_CHARS],
                route=route,
                status=status,
                ms=round(1000 * seconds, 1),
                bytes=sent,
            )
