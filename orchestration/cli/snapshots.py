"""`stockroom snapshots`: the checkpoints of the lake."""

from typing import TYPE_CHECKING, Any

import typer

from orchestration.cli.options import HomeOption, JsonOption, NewestOption, settings_for
from orchestration.cli.output import show_fact, show_title, write_json

if TYPE_CHECKING:
    from warehouse.lake.tables import Written

_INDENT = 4


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("snapshots")(snapshots)


def snapshots(
    limit: NewestOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the checkpoints: the snapshots that ended a successful run, oldest first.

    For each: when the run ended, the changes since the previous checkpoint (rows inserted +, updated ~, deleted −) and the
    releases made from it. Its number or time goes where a command takes a snapshot: `stockroom sql --as-of 23 "…"`,
    `stockroom diff 11 23 features.products`, `stockroom train --as-of 11`. In SQL: registry.snapshots, registry.changes.
    """
    from orchestration.config.open_home import open_home
    from warehouse.history.checkpoints import history, list_checkpoints, utc

    opened = open_home(settings_for(home))
    changes = history(opened.lake)
    releases_by_snapshot: dict[int, list[dict[str, Any]]] = {}
    for release in opened.releases.all():
        facts = {"release": release.release, "kind": release.kind, "model": release.model_id}
        releases_by_snapshot.setdefault(release.snapshot, []).append(facts)
    checkpoints = list_checkpoints(opened.lake)
    rows = checkpoints[-limit:] if limit else checkpoints
    if as_json:
        write_json(
            [
                {
                    "snapshot": checkpoint.snapshot,
                    "ended_at": utc(checkpoint.ended_at),
                    "run_id": checkpoint.run_id,
                    "changes": {
                        table: count._asdict() for table, count in changes.get(checkpoint.snapshot, {}).items()
                    },
                    "releases": releases_by_snapshot.get(checkpoint.snapshot, []),
                }
                for checkpoint in rows
            ]
        )
        return
    for checkpoint in rows:
        releases = [
            f"release {facts['release']}: {facts['kind']} {facts['model']}"
            for facts in releases_by_snapshot.get(checkpoint.snapshot, [])
        ]
        show_title(f"{checkpoint.snapshot}  {utc(checkpoint.ended_at)}  run {checkpoint.run_id[:8]}")
        for each in releases:
            show_fact("", each, width=_INDENT)
        written = [f"{name} {_counts(count)}" for name, count in changes.get(checkpoint.snapshot, {}).items()]
        show_fact("", ", ".join(written) or "nothing was written", width=_INDENT)


def _counts(count: "Written") -> str:
    """Return the numbers of rows that were inserted, updated and deleted, without those that are 0."""
    signed = {"+": count.inserted, "~": count.updated, "−": count.deleted}
    return " ".join(f"{sign}{rows:,}" for sign, rows in signed.items() if rows)
