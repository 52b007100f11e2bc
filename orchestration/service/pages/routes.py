"""The addresses of the pages."""

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Request, Response

from models.errors import ModelError
from orchestration.config.serve import ServeSettings
from orchestration.config.settings import load_settings
from orchestration.service.limits import Workers
from orchestration.service.pages.live import Live
from orchestration.service.pages.release_facts import FactsCache, ReleaseFacts
from orchestration.service.pages.rendering import Pages
from orchestration.service.pages.search_form import MOST_CHARS, SearchForm
from orchestration.service.pages.views import compare, product, quality, search, statements, tables
from orchestration.service.problems import Problem
from orchestration.serving.open_release import MODES
from orchestration.serving.searcher import Searcher
from warehouse.contracts.locales import normalized_key
from warehouse.errors import WarehouseError
from warehouse.home import Home
from warehouse.settings import SqlSettings

_REFUSED, _UNKNOWN, _NOT_READY = 400, 404, 503
Refusal = WarehouseError | ModelError
Show = Callable[[Request], Response]


def router(
    live: Live,
    *,
    workers: Workers | None = None,
    sql: SqlSettings | None = None,
    shows_images: bool = False,
    keeps_feedback: bool = False,
) -> APIRouter:
    """Return the pages of a service: `/`, `/compare`, `/product/KEY`, `/data` and `/quality`, and the files beside them.

    Args:
        live: Gives out the home and its live release.
        workers: Compute the pages, in bounded number and time; by default as the default settings of the service say.
        sql: The bounds of a statement; by default those of the home's own settings.
        shows_images: Whether pages show the catalog's images, which come from other hosts. By default they link to them.
        keeps_feedback: Whether the page of results posts what it showed, and what was clicked, to `/feedback`.
    """
    pages = Pages(shows_images=shows_images, keeps_feedback=keeps_feedback)
    routes, known = APIRouter(include_in_schema=False), FactsCache()
    bounds = sql or load_settings(live.home.root).sql
    workers = workers or Workers(ServeSettings())

    def page(path: str) -> Callable[[Show], Show]:
        """Register a page whose errors are a page with one line."""

        def register(show: Show) -> Show:
            def answer_page(request: Request) -> Response:
                try:
                    return show(request)
                except (WarehouseError, ModelError) as error:
                    is_ready = live.home.releases.live() is not None
                    return failed(request, error, _REFUSED if is_ready else _NOT_READY)

            async def answered(request: Request) -> Response:
                try:
                    return await workers.run(lambda: answer_page(request))
                except Problem as busy:
                    return failed(request, WarehouseError(busy.detail, busy.hint), busy.status_code)

            routes.add_api_route(path, answered, methods=["GET"], response_model=None)
            return show

        return register

    def failed(request: Request, problem: Refusal, status: int) -> Response:
        return pages.page(request, "error", {"problem": problem, "status": status, "release": None, "tab": ""}, status)

    def form_of(request: Request) -> tuple[SearchForm, Refusal | None]:
        try:
            return SearchForm.read(request.query_params.multi_items()), None
        except WarehouseError as error:
            return SearchForm(request.query_params.get("q", "")[:MOST_CHARS].strip()), error

    def search_values(
        request: Request, find: Callable[[Home, Searcher, ReleaseFacts, SearchForm], Any]
    ) -> dict[str, Any]:
        """Return what a page of a form shows: the form, and what `find` makes of it or why it cannot."""
        searcher, (form, problem) = live.searcher(), form_of(request)
        facts, results = known.of(live.home, searcher.release), None
        if form.query and not problem:
            try:
                results = find(live.home, searcher, facts, form)
            except (WarehouseError, ModelError) as error:
                problem = error
        values = {"release": searcher.release, "form": form, "facts": facts, "found": results, "problem": problem}
        return values | {"modes": MODES}

    @page("/")
    def show_search(request: Request) -> Response:
        values = search_values(request, search.results)
        values |= {"tab": "search", "title": search.title_of(values["form"], values["found"])}
        name = "results" if request.query_params.get("fragment") else "search"
        return pages.page(request, name, values, _REFUSED if values["problem"] else 200)

    @page("/compare")
    def show_comparison(request: Request) -> Response:
        values = search_values(request, compare.comparison)
        values |= {"tab": "compare", "title": values["form"].query or "Compare", "rankers": compare.RANKERS}
        return pages.page(request, "compare", values, _REFUSED if values["problem"] else 200)

    @page("/product/{key:path}")
    def show_product(request: Request) -> Response:
        searcher, key = live.searcher(), normalized_key(request.path_params["key"])
        (values,) = live.home.online.rows("product", searcher.release.snapshot, [key])
        if values is None:
            try:
                live.lookup().products([key])
            except WarehouseError as error:
                return failed(request, error, _UNKNOWN)
            unknown = WarehouseError(
                f"release {searcher.release.release} has no product {key!r}", "load the page again"
            )
            return failed(request, unknown, _UNKNOWN)
        product_page = product.product(live.home, searcher, known.of(live.home, searcher.release), values)
        return pages.page(request, "product", {"tab": "", "release": searcher.release, "product": product_page})

    @page("/data")
    def show_data(request: Request) -> Response:
        parameters, problem, result, status = request.query_params, None, None, 200
        named, statement = parameters.get("named") or None, parameters.get("sql", "")
        questions = statements.questions()
        question = next((each for each in questions if each.name == named), None)
        if named or statement.strip():
            try:
                result = statements.answer(live.home, statement, bounds, named=named)
            except WarehouseError as error:
                problem, status = error, _NOT_READY if isinstance(error, statements.BusyError) else _REFUSED
        values: dict[str, Any] = {"tab": "data", "release": live.home.releases.live(), "questions": questions}
        values |= {"sql": question.sql if question else statement, "question": question.answers if question else ""}
        values |= {"result": result, "problem": problem, "schemas": tables.all_tables(live.home)}
        return pages.page(request, "data", values, status)

    @page("/data/{name}")
    def show_table(request: Request) -> Response:
        try:
            table = tables.details(live.home, request.path_params["name"])
        except tables.UnknownTableError as error:
            return failed(request, error, _UNKNOWN)
        has_statistics = any(each.statistics for each in table.columns)
        values = {"tab": "data", "release": live.home.releases.live(), "table": table, "has_statistics": has_statistics}
        return pages.page(request, "table", values)

    @page("/quality")
    def show_quality(request: Request) -> Response:
        release, pair = live.home.releases.require(), quality.pair_of(request.query_params.get("pair"))
        measured = quality.quality(live.home, release, pair)
        values = {"tab": "quality", "release": release, "quality": measured, "metrics": quality.METRICS}
        return pages.page(request, "quality", values | {"pairs": quality.PAIRS, "pair": pair})

    @routes.get("/static/{name}", response_model=None)
    def file(name: str) -> Response:
        return pages.file(name)

    return routes
