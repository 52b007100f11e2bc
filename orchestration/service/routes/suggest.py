"""`GET /suggest`: completions of what was typed."""

from typing import Annotated

from fastapi import APIRouter, Query

from orchestration.service.answers import SuggestAnswer, SuggestionAnswer, SuggestRequest
from orchestration.service.limits import Workers
from orchestration.service.release_follower import ReleaseFollower
from orchestration.service.suggestions import LiveSuggestions


def router(live: ReleaseFollower, workers: Workers) -> APIRouter:
    """Return the route."""
    routes, suggestions = APIRouter(tags=["search"]), LiveSuggestions(live.home)

    @routes.get("/suggest", summary="Complete a query")
    async def suggest(params: Annotated[SuggestRequest, Query()]) -> SuggestAnswer:
        """Return known queries, then titles, that begin with what was typed, whatever its case."""
        return await workers.run(lambda: _suggested(live, suggestions, params))

    return routes


def _suggested(live: ReleaseFollower, suggestions: LiveSuggestions, params: SuggestRequest) -> SuggestAnswer:
    current = suggestions.of(live.served().release)
    completions = current.of(params.q, params.k, params.locale)
    return SuggestAnswer(
        release=current.release, suggestions=[SuggestionAnswer.model_validate(each) for each in completions]
    )
