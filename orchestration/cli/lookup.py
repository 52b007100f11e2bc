"""`stockroom lookup`: the features that the live release was built with, by key."""

from datetime import datetime
from typing import Annotated, Literal

import typer

from orchestration.cli.options import HomeOption, JsonOption, settings_for
from orchestration.cli.output import fits, show_records, show_rows, show_title, write_json
from orchestration.cli.search import time_from


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("lookup")(lookup)


def lookup(
    entity: Annotated[Literal["product", "query"], typer.Argument(help="What to look up.")],
    keys: Annotated[
        list[str], typer.Argument(metavar="KEY…", help="One or more keys: us:B07XYZ of a product, us:42 of a query.")
    ],
    at: Annotated[
        datetime | None,
        typer.Option(
            "--at",
            metavar="TIME",
            parser=time_from,
            help="Show the latest value of each time-series feature at this time; default: the release's as_of.",
        ),
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the features that the live release was built with, of products or of judged queries.

    The features are read from a table that is written with each release, and never wait for a build; after a rollback they
    are those of the restored release. With `--json`: a list of one {feature: value} for each key, in the order of the keys.
    """
    from orchestration.config.open_home import open_home
    from orchestration.serving.lookup import Lookup

    reader = Lookup(open_home(settings_for(home)))
    rows = reader.features(entity, keys, at)
    if as_json:
        write_json(rows)
        return
    show_title(f"release {reader.release.release}, snapshot {reader.release.snapshot}")
    names = [name for name in rows[0] if name != "key"]
    values = [["–" if row[name] is None else str(row[name]) for name in names] for row in rows]
    keys = [row["key"] for row in rows]
    by_feature = [list(each) for each in zip(names, *values, strict=True)]
    if fits(["feature", *keys], by_feature):
        show_rows(["feature", *keys], by_feature)
    else:
        show_records(names, values, titles=keys)
