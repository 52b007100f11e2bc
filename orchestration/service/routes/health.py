"""`GET /healthz`, `/readyz` and `/metrics`: what watches the service asks."""

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from orchestration.service.answers import HealthAnswer, ReadyAnswer
from orchestration.service.limits import Workers
from orchestration.service.metrics import Metrics
from orchestration.service.release_follower import ReleaseFollower


def health_router(live: ReleaseFollower, takes_deltas: Callable[[], bool]) -> APIRouter:
    """Return the routes that need no token."""
    routes = APIRouter(tags=["health"])

    @routes.get("/healthz", summary="Tell whether the process is alive")
    async def healthz() -> HealthAnswer:
        """Answer as long as the process can answer anything."""
        return HealthAnswer()

    @routes.get("/readyz", summary="Tell whether the process answers searches")
    async def readyz() -> ReadyAnswer:
        """Tell which release this process answers from, and whether the process that applies deltas is up."""
        return ReadyAnswer(release=live.served().release.release, takes_deltas=takes_deltas())

    return routes


def metrics_router(metrics: Metrics, workers: Workers) -> APIRouter:
    """Return the route of the metrics."""
    routes = APIRouter(tags=["health"])
    text: dict[int | str, dict[str, Any]] = {
        200: {"description": "The metrics", "content": {"text/plain": {"schema": {"type": "string"}}}}
    }

    @routes.get("/metrics", summary="Show the metrics for Prometheus", response_class=Response, responses=text)
    async def metrics_text() -> Response:
        """Return counts and times of requests, age and gaps of the release, in Prometheus' text format."""
        return Response(await workers.run(metrics.text), media_type=metrics.media_type)

    return routes
