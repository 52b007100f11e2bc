"""Limits: the size of each part of a request, the time that it may take, and the number that is computed at once."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

import anyio
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orchestration.config.serve import ServeSettings
from orchestration.service.problems import CLOSE, Problem, problem

T = TypeVar("T")

MOST_TARGET_BYTES = 48_000
"""Longest path and query of a request, in bytes: a filter of 10,000 letters, each written in several bytes."""
_MB = 1_000_000


class Workers:
    """Compute answers in a bounded number of threads, each within a bounded time."""

    def __init__(self, settings: ServeSettings) -> None:
        self._limiter = anyio.CapacityLimiter(settings.threads)
        self._most_waiting, self._seconds = settings.max_waiting, settings.request_s

    async def run(self, work: Callable[[], T]) -> T:
        """Return what `work` returns, from a thread.

        Raises:
            Problem: 503, if too many requests wait already or the time is over; the thread then ends by itself.
        """
        if self._limiter.statistics().tasks_waiting >= self._most_waiting:
            raise Problem(503, "too many requests wait already", "try again later", headers={"retry-after": "1"})
        try:
            with anyio.fail_after(self._seconds):
                return await anyio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=self._limiter)
        except TimeoutError:
            raise Problem(
                503,
                f"no answer within {self._seconds:g} seconds",
                "ask for less, or try again later",
                headers={"retry-after": "1"},
            ) from None


class Limits:
    """Refuse a request whose path, query or body is too large, or whose body does not come to its end in time."""

    def __init__(self, app: ASGIApp, settings: ServeSettings) -> None:
        self._app = app
        self._most_bytes, self._seconds = int(settings.max_body_mb * _MB), settings.body_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with a problem, or pass the request on with a body that is counted and timed while it arrives."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is not None:
            answer = problem(
                Request(scope), refusal.status_code, str(refusal.detail), refusal.hint, headers=refusal.headers
            )
            await answer(scope, receive, send)
            return
        await self._app(scope, self._bounded(receive), send)

    def _refusal(self, scope: Scope) -> Problem | None:
        target = len(scope.get("raw_path") or b"") + len(scope["query_string"])
        if target > MOST_TARGET_BYTES:
            return Problem(
                414, f"path and query have {target:,} bytes", f"use at most {MOST_TARGET_BYTES:,}", headers=CLOSE
            )
        length = Headers(scope=scope).get("content-length", "")
        if length.isdecimal() and int(length) > self._most_bytes:
            return self._too_large()
        return None

    def _too_large(self) -> Problem:
        return Problem(
            413,
            f"the body is larger than {self._most_bytes:,} bytes",
            "post it in parts, or raise serve.max_body_mb",
            headers=CLOSE,
        )

    def _bounded(self, receive: Receive) -> Receive:
        received, is_whole, ends_at = 0, False, asyncio.get_running_loop().time() + self._seconds

        async def bounded() -> Message:
            nonlocal received, is_whole
            if is_whole:  # what comes now is the end of the connection
                return await receive()
            try:
                async with asyncio.timeout_at(ends_at):
                    message = await receive()
            except TimeoutError:
                raise Problem(
                    408, f"the body did not end within {self._seconds:g} seconds", "send it faster", headers=CLOSE
                ) from None
            received += len(message.get("body", b""))
            is_whole = not message.get("more_body", False)
            if received > self._most_bytes:
                raise self._too_large()
            return message

        return bounded
