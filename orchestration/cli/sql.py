"""`stockroom sql`: the lake, the vectors and the releases in DuckDB's SQL."""

from typing import Annotated

import typer

from orchestration.cli.options import HomeOption, JsonOption, settings_for
from orchestration.cli.output import console, errors, write_json


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("sql")(sql)


def sql(
    query: Annotated[
        str, typer.Argument(help="One SELECT, EXPLAIN, DESCRIBE, SHOW or SUMMARIZE. SHOW TABLES lists what there is.")
    ],
    as_of: Annotated[
        str | None,
        typer.Option(
            "--as-of",
            metavar="SNAPSHOT|TIME",
            help="Look at all tables as a successful run left them: its snapshot (stockroom snapshots lists them), or the "
            "newest one at a time in ISO 8601, UTC unless it names a zone: 2026-03-01T12:00:00Z.",
        ),
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask the lake in SQL, also while a build runs. Nothing can be changed from here.

    Tables are schema.table: raw, staging, features, training, evaluation, quarantine and registry; product vectors are
    vectors.products, releases are vectors.releases. With `--as-of`, the vectors are those of the release that was live then.
    """
    from orchestration.workspace import open_home
    from warehouse.inspection import json_rows
    from warehouse.inspection import query as ask
    from warehouse.published import published_tables
    from warehouse.snapshots import point

    settings = settings_for(home)
    opened = open_home(settings)
    past = None if as_of is None else point(opened.lake, as_of)
    snapshot = past.snapshot if past else None
    answer = ask(opened.lake, query, settings.sql, snapshot=snapshot, extra=published_tables(opened, past))
    if as_json:
        write_json(json_rows(answer.frame))
    else:
        from rich.table import Table

        table = Table()
        for name, kind in answer.frame.schema.items():
            table.add_column(name, justify="right" if kind.is_numeric() else "left", overflow="fold")
        for row in answer.frame.iter_rows():
            table.add_row(*(cell(value) for value in row))
        console.print(table, markup=False)
    if answer.truncated:
        errors.print(f"cut at {settings.sql.max_rows:,} rows: the setting sql.max_rows (STOCKROOM_SQL__MAX_ROWS)")


def cell(value: object) -> str:
    """Return a value as people read it: nothing for null, six digits of a fraction."""
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)
