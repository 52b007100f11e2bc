"""`stockroom status`: the live snapshot, release and model."""

import json
from typing import Any

import typer

from orchestration.cli.options import HomeOption, JsonOption, settings_for
from orchestration.cli.output import console, write_json


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("status")(status)


def status(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Show what is live: snapshot, release, model, encoder, rows of every table, texts encoded by the last run.

    Also show the gate's result: of a new model that the last run refused, else of the live one.
    """
    from orchestration.config.open_context import open_home
    from warehouse.history.checkpoints import content_snapshot
    from warehouse.lake import tables

    settings = settings_for(home)
    opened = open_home(settings)
    live = opened.releases.live()
    with opened.lake.reading() as connection:
        rows = tables.row_counts(connection)
    last = opened.journal.last()
    facts: dict[str, Any] = {
        "snapshot": content_snapshot(opened.lake),
        "release": live.release if live else None,
        "model": live.model_id if live else None,
        "encoder": live.encoder_fingerprint if live else None,
        "rows": rows,
        "texts_encoded": last.get("embeddings.texts", {}).get("texts_encoded", 0),
        "gate": last.get("releases.live", {}).get("gate") or (json.loads(live.metrics).get("gate") if live else None),
    }
    if as_json:
        write_json(facts)
        return
    for name in ("snapshot", "release", "model", "encoder", "texts_encoded"):
        console.print(f"{name:<14}{'none' if facts[name] is None else facts[name]}", highlight=False)
    if facts["gate"]:
        console.print(
            f"{'gate':<14}{facts['gate']['decision']}: {facts['gate']['reason']}", highlight=False, markup=False
        )
    for table, count in rows.items():
        console.print(f"{table:<28}{count:>12,} rows", highlight=False)
