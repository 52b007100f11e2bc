"""`stockroom search`: the products that a shopper would see."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from orchestration.cli.options import HomeOption, JsonOption, settings_for
from orchestration.cli.output import console, plain_table, show_title, write_json


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("search")(search)


def time_from(text: str) -> datetime:
    """Return an ISO 8601 time; one without a zone is taken to be UTC."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(
            f"{text!r} is not a time; write the time as 2022-06-14 or 2022-06-14T12:00+00:00"
        ) from error
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def search(
    query: Annotated[str, typer.Argument(help='What to search for, as a shopper would type it: "wireless earbuds".')],
    k: Annotated[int, typer.Option("-k", min=1, max=10_000, help="How many products to show.")] = 10,
    locale: Annotated[
        str | None, typer.Option("--locale", help="Search one marketplace only: us, es, jp. Default: all.")
    ] = None,
    context: Annotated[
        str | None,
        typer.Option("--context", metavar="KEY", help="Context of the query, for time-series features of a context."),
    ] = None,
    at: Annotated[
        datetime | None,
        typer.Option(
            "--at",
            metavar="TIME",
            parser=time_from,
            help="Time of the query, as 2022-06-14T12:00; default: the release's as_of.",
        ),
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Search the live release.

    The query goes through the same cleaning, features, encoder and tower as in training; products come from the
    release's own version of the vectors. With `--json`: a list of {rank, key, product_id, locale, title, score}.
    """
    from orchestration.config.open_context import open_home
    from orchestration.serving.searcher import Searcher

    settings = settings_for(home)
    hits = Searcher(open_home(settings), settings.encoder).search(query, k, locale, context=context, at=at)
    if as_json:
        write_json([hit.to_dict() for hit in hits])
        return
    from rich.text import Text

    show_title(repr(query))
    table = plain_table()
    table.add_column("rank", justify="right")
    table.add_column("score", justify="right")
    table.add_column("product", no_wrap=True)
    table.add_column("title")
    for hit in hits:
        table.add_row(str(hit.rank), f"{hit.score:.4f}", Text(hit.key), Text(hit.title))  # Text: brackets are no markup
    console.print(table)
