"""`stockroom similar`: the products most like one."""

from typing import Annotated

import typer

from orchestration.cli.options import HomeOption, JsonOption, settings_for
from orchestration.cli.search import AllOption, ShowOption, WhereOption, show_hits


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("similar")(similar)


def similar(
    key: Annotated[str, typer.Argument(help="Key of the product, as locale:product_id.")],
    k: Annotated[int, typer.Option("-k", min=1, max=10_000, help="How many products to show.")] = 10,
    locale: Annotated[
        str | None, typer.Option("--locale", help="Search this locale. Default: the product's own.")
    ] = None,
    where: WhereOption = None,
    show: ShowOption = None,
    show_all: AllOption = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the products whose vectors are nearest to a product's, in the live release.

    With `--json`: a list of {rank, key, product_id, locale, title, score, same_title}, with `--show` also values.
    """
    from orchestration.config.open_home import open_home
    from orchestration.serving.searcher import Searcher
    from warehouse.wording import names_in

    settings = settings_for(home)
    searcher = Searcher(open_home(settings), settings.encoder, in_memory=False)
    hits = searcher.similar(key, k, locale, where=where, fold=not show_all, show=names_in(show or ()))
    show_hits(hits, f"like {key}", as_json=as_json)
