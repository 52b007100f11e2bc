"""`stockroom sql`: the lake, the vectors and the releases in DuckDB's SQL."""

from contextlib import nullcontext
from difflib import get_close_matches
from typing import Annotated

import typer

from orchestration.cli.options import HomeOption, JsonOption, settings_for
from orchestration.cli.output import errors, show_rows, write_json
from warehouse.wording import counted


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("sql")(sql)


def sql(
    query: Annotated[
        str | None,
        typer.Argument(help="One SELECT, EXPLAIN, DESCRIBE, SHOW or SUMMARIZE. SHOW TABLES lists what there is."),
    ] = None,
    named: Annotated[
        str | None, typer.Option("--named", metavar="NAME", help="Ask one of the ready-made queries instead.")
    ] = None,
    list_named: Annotated[bool, typer.Option("--list", help="List the ready-made queries.")] = False,
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

    Tables are schema.table: raw, staging, fitted, features, timeseries, attributes, training, evaluation, monitoring,
    quarantine and registry; product vectors are vectors.products, releases are vectors.releases. With `--as-of`, the vectors
    are those of the release that was live then.
    """
    from orchestration.config.open_home import open_home
    from warehouse import home_format
    from warehouse.console.sql_console import query as ask
    from warehouse.history.checkpoints import find_checkpoint
    from warehouse.json_rows import json_rows
    from warehouse.operations.release_views import published_tables

    text = _sql_text(query, named, list_named)
    settings = settings_for(home)
    if text is None:
        _list(as_json)
        return
    opened = open_home(settings)
    past = None if as_of is None else find_checkpoint(opened.lake, as_of)
    snapshot = past.snapshot if past else None
    with home_format.reading(opened.root) if named else nullcontext():
        answer = ask(opened.lake, text, settings.sql, snapshot=snapshot, extra=published_tables(opened, past))
    if as_json:
        write_json(json_rows(answer.frame))
    else:
        numbers = [name for name, kind in answer.frame.schema.items() if kind.is_numeric()]
        rows = [[cell(value) for value in row] for row in answer.frame.iter_rows()]
        show_rows(answer.frame.columns, rows, numbers=numbers)
    if answer.truncated:
        errors.print(
            f"cut at {counted(settings.sql.max_rows, 'row')}: the setting sql.max_rows (STOCKROOM_SQL__MAX_ROWS)"
        )


def _sql_text(query: str | None, named: str | None, list_named: bool) -> str | None:
    """Return the SQL to run, or None to list the ready-made queries.

    Raises:
        typer.BadParameter: Not exactly one of the three is set, or there is no query of that name.
    """
    from warehouse.console.named_queries import named_queries

    if (query is not None) + (named is not None) + list_named != 1:
        raise typer.BadParameter("give one of: a query, --named NAME, --list")
    if named is None:
        return query
    queries = named_queries()
    if named not in queries:
        alike = get_close_matches(named, queries, n=3)
        hint = f"did you mean {' or '.join(alike)}?" if alike else f"there are: {', '.join(queries)}"
        raise typer.BadParameter(f"there is no query {named}; {hint}", param_hint="--named")
    return queries[named].sql


def _list(as_json: bool) -> None:
    """Print the ready-made queries."""
    from warehouse.console.named_queries import named_queries

    if as_json:
        write_json([query._asdict() for query in named_queries().values()])
        return
    show_rows(["name", "answers"], [[query.name, query.answers] for query in named_queries().values()])


def cell(value: object) -> str:
    """Return a value as people read it: nothing for null, six digits of a fraction."""
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)
