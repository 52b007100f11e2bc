"""The addresses of the pages."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from fastapi import APIRouter, Request, Response

from models.errors import ModelError
from orchestration.service.pages.live import Live
from orchestration.service.pages.release_facts import FactsCache
from orchestration.service.pages.rendering import Pages
from orchestration.service.pages.search_form import SearchForm
from orchestration.service.pages.views import search
from orchestration.serving.searcher import MODES
from warehouse.errors import WarehouseError

_REFUSED, _UNKNOWN, _NOT_READY = 400, 404, 503
Problem = WarehouseError | ModelError


def router(live: Live, *, shows_images: bool = False) -> APIRouter:
    """Return the pages of a service: `/`, `/compare`, `/product/KEY`, `/data` and `/quality`, and the files beside them.

    Args:
        live: Gives out the home and its live release.
        shows_images: Whether pages show the catalog's images, which come from other hosts. By default they link to them.
    """
    routes, pages, known = APIRouter(include_in_schema=False), Pages(shows_images=shows_images), FactsCache()

    def page(path: str) -> Callable[[Callable[[Request], Response]], Callable[[Request], Response]]:
        """Register a page whose errors are a page with one line."""

        def register(show: Callable[[Request], Response]) -> Callable[[Request], Response]:
            @wraps(show)
            def answered(request: Request) -> Response:
                try:
                    return show(request)
                except (WarehouseError, ModelError) as error:
                    is_ready = live.home.releases.live() is not None
                    return failed(request, error, _REFUSED if is_ready else _NOT_READY)

            routes.add_api_route(path, answered, methods=["GET"], response_model=None)
            return answered

        return register

    def failed(request: Request, problem: Problem, status: int) -> Response:
        return pages.page(request, "error", {"problem": problem, "status": status, "release": None, "tab": ""}, status)

    @page("/")
    def show_search(request: Request) -> Response:
        searcher = live.searcher()
        facts, problem, found = known.of(live.home, searcher.release), None, None
        form = SearchForm(request.query_params.get("q", "")[:2000])
        try:
            form = SearchForm.read(request.query_params.multi_items())
            if form.query:
                found = search.results(live.home, searcher, facts, form)
        except (WarehouseError, ModelError) as error:
            problem = error
        values: dict[str, Any] = {
            "tab": "search",
            "release": searcher.release,
            "form": form,
            "facts": facts,
            "modes": MODES,
            "found": found,
            "problem": problem,
            "title": search.title_of(form, found),
        }
        name = "results" if request.query_params.get("fragment") else "search"
        return pages.page(request, name, values, _REFUSED if problem else 200)

    @routes.get("/static/{name}", response_model=None)
    def file(name: str) -> Response:
        return pages.file(name)

    return routes
