"""`stockroom diff`: the changes of a table between two snapshots."""

from typing import TYPE_CHECKING, Annotated

import typer

from orchestration.cli.options import HomeOption, JsonOption, settings_for
from orchestration.cli.output import console, show_fact, show_title, write_json
from warehouse.wording import counted

if TYPE_CHECKING:
    from warehouse.history.table_diff import Difference

_CHARS = 60
_INDENT = 4


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("diff")(diff)


def diff(
    a: Annotated[str, typer.Argument(metavar="A", help="Snapshot or time (ISO 8601) to compare from.")],
    b: Annotated[str, typer.Argument(metavar="B", help="Snapshot or time to compare with.")],
    table: Annotated[str, typer.Argument(metavar="TABLE", help="A table of the lake: staging.products.")],
    limit: Annotated[
        int, typer.Option("--limit", min=0, metavar="N", help="Show this many rows at most, by key.")
    ] = 20,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the changes of a table between two checkpoints, by key: rows added, removed, changed, and in what columns.

    `stockroom snapshots` lists the checkpoints. A changed row is shown with old and new value of each column that differs;
    a column that only one of the two checkpoints has is named, and compared no further. All rows of a checkpoint:
    `stockroom sql --as-of A "SELECT …"`.
    """
    from orchestration.config.open_home import open_home
    from warehouse.history.checkpoints import find_checkpoint
    from warehouse.history.table_diff import difference

    lake = open_home(settings_for(home)).lake
    before, after = find_checkpoint(lake, a), find_checkpoint(lake, b)
    changes = difference(lake, table, before.snapshot, after.snapshot, limit)
    if as_json:
        write_json(
            {
                **{name: value for name, value in vars(changes).items() if name != "rows"},
                "rows": [
                    {
                        "key": row.key,
                        "change": row.change,
                        "columns": {name: value._asdict() for name, value in row.columns.items()},
                    }
                    for row in changes.rows
                ],
            }
        )
        return
    show_title(f"{table} from snapshot {before} to {after}")
    show(changes)


def show(changes: "Difference") -> None:
    """Print a difference for people."""
    counts = f"{changes.added:,} added, {changes.removed:,} removed, {changes.changed:,} changed"
    columns = ", ".join(f"{name} in {rows:,}" for name, rows in changes.columns.items())
    console.print(f"{counts}{f' ({columns})' if columns else ''}", highlight=False)
    for name in changes.columns_added:
        console.print(f"column {name} is new", highlight=False)
    for name in changes.columns_removed:
        console.print(f"column {name} is gone", highlight=False)
    if not changes.rows:
        return
    for row in changes.rows:
        show_title(f"{row.change:<9}{row.key}")
        values = row.columns if row.change == "changed" else {}
        width = max(map(len, values), default=0) + _INDENT + 2
        for column, value in values.items():
            old, new = _around_difference(_one_line(value.old), _one_line(value.new))
            show_fact(f"{'':<{_INDENT}}{column}", f"− {old}", width=width)
            show_fact("", f"+ {new}", width=width)
    left = changes.added + changes.removed + changes.changed - len(changes.rows)
    if left:
        console.print(f"and {counted(left, 'more row')}: --limit N shows more, --json whole values", highlight=False)


def _around_difference(old: str, new: str) -> tuple[str, str]:
    """Cut long texts to the part that begins a little before their first difference."""
    if max(len(old), len(new)) <= _CHARS:
        return old, new
    pairs = enumerate(zip(old, new, strict=False))
    first = next((place for place, (mine, yours) in pairs if mine != yours), min(len(old), len(new)))
    start = max(0, first - _CHARS // 3)
    return _cut(old, start), _cut(new, start)


def _cut(text: str, start: int) -> str:
    end = start + _CHARS
    return ("…" if 0 < start < len(text) else "") + text[start:end] + ("…" if end < len(text) else "")


def _one_line(value: object) -> str:
    return "" if value is None else " ".join(str(value).split())
