"""`GET /releases`: what was published, and when."""

from typing import Annotated

from fastapi import APIRouter, Query

from orchestration.service.answers import ReleaseAnswer, ReleasesAnswer, ReleasesRequest
from orchestration.service.limits import Workers
from orchestration.service.release_follower import ReleaseFollower


def router(live: ReleaseFollower, workers: Workers) -> APIRouter:
    """Return the route."""
    routes = APIRouter(tags=["releases"])

    @routes.get("/releases", summary="List the releases")
    async def releases(params: Annotated[ReleasesRequest, Query()]) -> ReleasesAnswer:
        """Return the newest releases, and the one that this process answers from."""
        return await workers.run(lambda: _listed(live, params.limit))

    return routes


def _listed(live: ReleaseFollower, limit: int) -> ReleasesAnswer:
    newest = live.home.releases.all()[::-1][:limit]
    return ReleasesAnswer(
        release=live.served().release.release, releases=[ReleaseAnswer.model_validate(each) for each in newest]
    )
