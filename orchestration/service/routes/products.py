"""`GET /similar` and `GET /features`: the products like one, and the features of one row, by key."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query

from orchestration.service.answers import (
    FeaturesAnswer,
    FeaturesRequest,
    HitAnswer,
    Key,
    SimilarAnswer,
    SimilarRequest,
)
from orchestration.service.limits import Workers
from orchestration.service.release_follower import ReleaseFollower
from warehouse.wording import names_in

_PRODUCT = Path(description="Key of the product, as locale:product_id.")
_ENTITY = Path(description="What the key is of.")
_KEY = Path(description="Key of the product or of the judged query, as locale:id.")


def router(live: ReleaseFollower, workers: Workers) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(tags=["products"])

    @routes.get("/similar/{key:path}", summary="List the products most like one")
    async def similar(key: Annotated[Key, _PRODUCT], params: Annotated[SimilarRequest, Query()]) -> SimilarAnswer:
        """Return the products whose vectors are nearest to a product's, in the live release."""
        return await workers.run(lambda: _similar(live, key, params))

    @routes.get("/features/{entity}/{key:path}", summary="Look up features by key")
    async def features(
        entity: Annotated[Literal["product", "query"], _ENTITY],
        key: Annotated[Key, _KEY],
        params: Annotated[FeaturesRequest, Query()],
    ) -> FeaturesAnswer:
        """Return the features that the live release was built with, of a product or of a judged query."""
        return await workers.run(lambda: _features(live, entity, key, params))

    return routes


def _similar(live: ReleaseFollower, key: str, params: SimilarRequest) -> SimilarAnswer:
    searcher = live.searcher()
    shown = names_in(params.show)
    hits = searcher.similar(key, params.k, params.locale, where=params.where, fold=not params.all, show=shown)
    return SimilarAnswer(
        release=searcher.release.release, key=key, hits=[HitAnswer.model_validate(hit) for hit in hits]
    )


def _features(
    live: ReleaseFollower, entity: Literal["product", "query"], key: str, params: FeaturesRequest
) -> FeaturesAnswer:
    lookup = live.lookup()
    (row,) = lookup.features(entity, [key], params.at)
    found_key = str(row.pop("key"))
    return FeaturesAnswer(release=lookup.release.release, entity=entity, key=found_key, features=row)
