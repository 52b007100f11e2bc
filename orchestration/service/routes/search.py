"""`GET /search`: the products that a shopper would see."""

from typing import Annotated

from fastapi import APIRouter, Query

from orchestration.service.answers import MOST_HITS, FacetAnswer, HitAnswer, SearchAnswer, SearchRequest
from orchestration.service.limits import Workers
from orchestration.service.metrics import Metrics
from orchestration.service.problems import Problem
from orchestration.service.release_follower import ReleaseFollower
from warehouse.wording import names_in


def router(live: ReleaseFollower, workers: Workers, metrics: Metrics) -> APIRouter:
    """Return the route."""
    routes = APIRouter(tags=["search"])

    @routes.get("/search", summary="Search products")
    async def search(params: Annotated[SearchRequest, Query()]) -> SearchAnswer:
        """Search the live release. The answer names its release, and everything in it is of that release."""
        if params.k * params.page > MOST_HITS:
            raise Problem(
                422,
                f"page {params.page} of {params.k} products is beyond the first {MOST_HITS:,}",
                "ask for an earlier page",
            )
        return await workers.run(lambda: searched(live, metrics, params))

    return routes


def searched(live: ReleaseFollower, metrics: Metrics, params: SearchRequest) -> SearchAnswer:
    """Return the answer to a search, from the newest open release."""
    searcher = live.searcher()
    answer = searcher.answer(
        params.q,
        params.k * params.page,
        params.locale,
        facets=names_in(params.facets),
        where=params.where,
        context=params.context,
        at=params.at,
        mode=params.mode,
        explain=params.explain,
        fold=not params.all,
        rules=params.rules,
        show=names_in(params.show),
    )
    metrics.stages(answer.seconds)
    return SearchAnswer(
        release=searcher.release.release,
        query=params.q,
        page=params.page,
        hits=[HitAnswer.model_validate(hit) for hit in answer.hits[params.k * (params.page - 1) :]],
        facets=[FacetAnswer.model_validate(facet) for facet in answer.facets],
        found=answer.found,
        rules=list(answer.rules),
        corrections=answer.corrections,
        no_word_found=answer.no_word_found,
    )
