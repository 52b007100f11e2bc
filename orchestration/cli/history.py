"""`stockroom history`: the applied deltas and their effects."""

from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from orchestration.cli.options import HomeOption, JsonOption, settings_for
from orchestration.cli.output import console, write_json

_COLUMNS = ("sequence_number", "name", "table", "upserts", "deletes", "refused", "late", "as_of", "release")


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("history")(history)


def history(
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many of the newest deltas to show.")] = 20,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the journal of delta files: what each brought, and the snapshot and the release that first had it."""
    from orchestration.config.open_context import open_home
    from warehouse import home_format
    from warehouse.operations.delta_history import delta_history

    opened = open_home(settings_for(home))
    opened.lake.require()
    with home_format.reading(opened.root):
        deltas = delta_history(opened)
    if as_json:
        write_json(deltas)
        return
    table = Table(title="deltas", title_justify="left")
    for name in _COLUMNS:
        table.add_column(name, justify="left" if name in ("name", "table") else "right", no_wrap=name == "name")
    for row in deltas[-limit:]:
        table.add_row(*(Text("–" if row[name] is None else str(row[name])) for name in _COLUMNS))
    console.print(table if deltas else "No delta came in yet: stockroom apply FILE…", markup=False)
