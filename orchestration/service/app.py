"""The application of the service: its routes over one live release."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import Depends, FastAPI

from orchestration.config.open_home import open_home
from orchestration.config.settings import Settings
from orchestration.instance.locks import has_applier
from orchestration.service import problems
from orchestration.service.deltas.queue import DeltaQueue
from orchestration.service.limits import Limits, Workers
from orchestration.service.metrics import Metrics
from orchestration.service.pages import routes as pages
from orchestration.service.release_follower import ReleaseFollower
from orchestration.service.request_log import Log, RequestLog
from orchestration.service.routes import deltas, feedback, health, products, releases, search, suggest
from orchestration.service.tokens import Access

_ABOUT = """Search, lookups and changes of one catalog. Each answer names the release that it is from.

A request that cannot be answered gets application/problem+json: the problem, and what to do about it."""


class Service(FastAPI):
    """An application whose description names the media type of problems."""

    def openapi(self) -> dict[str, Any]:
        """Return the description in OpenAPI's form."""
        return problems.with_media_type(super().openapi())


def create_app(settings: Settings, live: ReleaseFollower | None = None) -> FastAPI:
    """Return the application, with its pages, on the home that the settings name; `live` is an open release to answer from.

    Raises:
        WarehouseError: The home has no release, or a part of it was deleted.
    """
    live = live or ReleaseFollower(open_home(settings), settings.encoder)
    workers, access, queue = Workers(settings.serve), Access(settings.serve), DeltaQueue(live.home.root)
    metrics = Metrics(live, settings.release.max_unindexed_share, queue.count)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[dict[str, float]]:
        live.start(settings.serve.refresh_s)
        yield {"head_s": settings.serve.body_s}
        live.stop()

    app = Service(
        title="Stockroom",
        description=_ABOUT,
        version="1",
        lifespan=lifespan,
        docs_url=None,  # its pages load scripts from another host
        redoc_url=None,
        telemetry={"auto_configure": False, "tracing": False, "metrics": False, "logs": False},
        responses=problems.RESPONSES,
    )
    problems.install(app)
    app.include_router(health.health_router(live, lambda: has_applier(live.home)))
    reads, once = Depends(access.reader), Depends(problems.refuse_repeated)
    for router in (
        search.router(live, workers, metrics),
        products.router(live, workers),
        suggest.router(live, workers),
        releases.router(live, workers),
        feedback.router(live, workers, settings.serve),
        health.metrics_router(metrics, workers),
    ):
        app.include_router(router, dependencies=[reads, once])
    page_router = pages.router(
        live,
        workers=workers,
        sql=settings.sql,
        shows_images=settings.serve.show_images,
        keeps_feedback=settings.serve.feedback,
    )
    app.include_router(page_router, dependencies=[reads])
    app.include_router(
        deltas.router(live, workers, metrics, queue, access, settings.serve.delta_s), dependencies=[once]
    )
    app.add_middleware(Limits, settings=settings.serve)
    app.add_middleware(RequestLog, log=Log(), metrics=metrics)
    return app
