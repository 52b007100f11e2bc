"""`stockroom history`: the applied deltas and their effects."""

from typing import Annotated, Any

import typer

from orchestration.cli.options import HomeOption, JsonOption, settings_for
from orchestration.cli.output import console, show_rows, write_json
from warehouse.wording import counted

_COUNTS = {
    "upserts": ("upsert",),
    "deletes": ("delete",),
    **{name: (name, name) for name in ("unknown", "refused", "late")},
}
_SINCE = ("as_of", "release")


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("history")(history)


def history(
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many of the newest deltas to show.")] = 20,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the applied delta files: the changes of each, and the snapshot and the release that first had them."""
    from orchestration.config.open_home import open_home
    from warehouse import home_format
    from warehouse.operations.delta_history import delta_history

    opened = open_home(settings_for(home))
    opened.lake.require()
    with home_format.reading(opened.root):
        deltas = delta_history(opened)
    if as_json:
        write_json(deltas)
        return
    if not deltas:
        console.print("No delta file is applied yet: stockroom apply FILE…", markup=False)
    else:
        show(deltas[-limit:])


def show(deltas: list[dict[str, Any]]) -> None:
    """Print a line for each delta file."""
    rows = [
        [
            str(row["sequence_number"]),
            row["name"],
            _changes(row),
            *("–" if row[name] is None else str(row[name]) for name in _SINCE),
        ]
        for row in deltas
    ]
    show_rows(["delta", "file", "changes", "snapshot", "release"], rows, numbers=["delta", "snapshot", "release"])


def _changes(row: dict[str, Any]) -> str:
    """Return the counts of a delta that are not 0, and its table; as in `apply`, deletes of unknown keys count apart."""
    numbers = row | {"deletes": row["deletes"] - row["unknown"]}
    counts = ", ".join(counted(numbers[name], *words) for name, words in _COUNTS.items() if numbers[name])
    return f"{counts or 'no row'} of {row['table']}"
