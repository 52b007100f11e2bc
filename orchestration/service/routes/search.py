"""`GET /search`: the products that a shopper would see."""

from typing import Annotated

from fastapi import APIRouter, Query

from orchestration.service.answers import MOST_HITS, FacetAnswer, HitAnswer, SearchAnswer, SearchRequest
from orchestration.service.limits import Workers
from orchestration.service.live_release import LiveRelease
from orchestration.service.metrics import Metrics
from orchestration.service.problems import Problem


def router(live: LiveRelease, workers: Workers, metrics: Metrics) -> APIRouter:
    """Return the route."""
    routes = APIRouter(tags=["search"])

    @routes.get("/search", summary="Search products")
    async def search(asked: Annotated[SearchRequest, Query()]) -> SearchAnswer:
        """Search the live release. The answer names its release, and everything in it is of that release."""
        if asked.k * asked.page > MOST_HITS:
            raise Problem(
                422,
                f"page {asked.page} of {asked.k} products is beyond the first {MOST_HITS:,}",
                "ask for an earlier page",
            )
        return await workers.run(lambda: searched(live, metrics, asked))

    return routes


def searched(live: LiveRelease, metrics: Metrics, asked: SearchRequest) -> SearchAnswer:
    """Return the answer to a search, from the newest open release."""
    searcher = live.searcher()
    answer = searcher.answer(
        asked.q,
        asked.k * asked.page,
        asked.locale,
        facets=asked.columns,
        where=asked.where,
        context=asked.context,
        at=asked.at,
        mode=asked.mode,
        explain=asked.explain,
        fold=not asked.all,
        rules=asked.rules,
    )
    metrics.stages(answer.seconds)
    return SearchAnswer(
        release=searcher.release.release,
        query=asked.q,
        page=asked.page,
        hits=[HitAnswer.model_validate(hit) for hit in answer.hits[asked.k * (asked.page - 1) :]],
        facets=[FacetAnswer.model_validate(facet) for facet in answer.facets],
        found=answer.found,
        rules=list(answer.rules),
        corrections=searcher.corrections(asked.q, asked.locale) if asked.mode in ("ranked", "text") else {},
    )
